/* SPDX-License-Identifier: MIT */
#include "broker/alarm.h"

#include <stdatomic.h>

#include "base/account.h"
#include "base/bug.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

/*
 * Whoever sees a limit crossed sets the alarm; loop 0 alone clears it, by a timer that runs only
 * while one is set. A change is told to every loop by a letter that says no more than "look":
 * letters of different senders may overtake each other, and what counts is what the loop finds when
 * it looks.
 */

#define CLEAR_PERCENT 95u /* of the memory limit: below it the alarm is cleared */
#define WATCH_MS      250u

struct alarm_loop {
	_Alignas(CACHE_LINE_SIZE) uint64_t checked_ms;
	struct alarm_listener *listener;
	unsigned told; /* what the listener knows */
};

struct alarms {
	_Atomic uint64_t memory_limit_bytes, disk_limit_bytes;
	atomic_uint set; /* bits of enum alarm */
	atomic_bool is_ended;
	atomic_uint refs; /* the owner's, and one of each letter */
	unsigned n_loops;
	struct loop_timer watch; /* loop 0's */
	struct disk_monitor disk;
	struct alarm_loop *loops;
};

struct alarm_letter {
	struct letter letter;
	struct alarms *alarms;
};

static void release(struct alarms *alarms)
{
	if (atomic_fetch_sub(&alarms->refs, 1) > 1)
		return;
	disk_monitor_fini(&alarms->disk);
	mem_free(alarms->loops);
	mem_free(alarms);
}

/* ---- Telling the loops ---- */

/* On each loop. */
static void look(struct alarms *alarms)
{
	unsigned index = loop_index(loop_self());
	struct alarm_loop *own = &alarms->loops[index];
	unsigned set = atomic_load(&alarms->set);

	if (index == 0 && set != 0 && !loop_timer_is_armed(&alarms->watch))
		loop_timer_start_ms(&alarms->watch, WATCH_MS);
	if (set == own->told)
		return;
	own->told = set;
	if (own->listener)
		own->listener->changed(own->listener, set);
}

static void letter_arrived(struct letter *letter)
{
	struct alarm_letter *l = container_of(letter, struct alarm_letter, letter);

	if (!atomic_load(&l->alarms->is_ended))
		look(l->alarms);
	release(l->alarms);
	mem_free(l);
}

static void tell(struct alarms *alarms, unsigned loop)
{
	struct alarm_letter *l = mem_alloc(sizeof(*l));

	l->letter.deliver = letter_arrived;
	l->alarms = alarms;
	atomic_fetch_add(&alarms->refs, 1);
	loop_post(loop, &l->letter);
}

static void tell_all(struct alarms *alarms)
{
	for (unsigned i = 0; i < alarms->n_loops; i++)
		tell(alarms, i);
}

/* ---- Setting and clearing ---- */

static bool is_set(const struct alarms *alarms, enum alarm alarm)
{
	return (atomic_load_explicit(&alarms->set, memory_order_relaxed) & alarm) != 0;
}

/* What the alarm is about: "memory alarm set, publishers are blocked: used=70 limit=60" */
struct finding {
	enum alarm alarm;
	const char *name, *measure;
	uint64_t value, limit;
};

static void set_alarm(struct alarms *alarms, const struct finding *f)
{
	if ((atomic_fetch_or(&alarms->set, f->alarm) & f->alarm) != 0)
		return;
	log_warning("alarm", "%s alarm set, publishers are blocked: %s=%llu limit=%llu", f->name,
		    f->measure, (unsigned long long)f->value, (unsigned long long)f->limit);
	tell_all(alarms);
}

static void clear_alarm(struct alarms *alarms, const struct finding *f)
{
	atomic_fetch_and(&alarms->set, ~(unsigned)f->alarm);
	if (f->limit == 0)
		log_info("alarm", "%s alarm cleared: it has no limit any more", f->name);
	else
		log_info("alarm", "%s alarm cleared: %s=%llu limit=%llu", f->name, f->measure,
			 (unsigned long long)f->value, (unsigned long long)f->limit);
	tell_all(alarms);
}

/* ---- Memory ---- */

static struct finding memory_finding(const struct alarms *alarms)
{
	return (struct finding){
		.alarm = ALARM_MEMORY,
		.name = "memory",
		.measure = "used",
		.value = account_total(),
		.limit = atomic_load_explicit(&alarms->memory_limit_bytes, memory_order_relaxed),
	};
}

static void memory_set_if_above(struct alarms *alarms)
{
	struct finding f = memory_finding(alarms);

	if (f.limit > 0 && f.value > f.limit)
		set_alarm(alarms, &f);
}

static void memory_clear_if_below(struct alarms *alarms)
{
	struct finding f = memory_finding(alarms);

	if (f.limit == 0 ||
	    f.value < f.limit / 100 * CLEAR_PERCENT + f.limit % 100 * CLEAR_PERCENT / 100)
		clear_alarm(alarms, &f);
}

/* ---- Disk ---- */

static bool disk_finding(struct alarms *alarms, struct finding *ret_finding)
{
	struct finding f = {
		.alarm = ALARM_DISK,
		.name = "disk",
		.measure = "free",
		.limit = atomic_load_explicit(&alarms->disk_limit_bytes, memory_order_relaxed),
	};

	if (f.limit > 0 && !disk_monitor_look(&alarms->disk, loop_now_ms(), f.limit, &f.value))
		return false;
	*ret_finding = f;
	return true;
}

static void disk_set_if_low(struct alarms *alarms)
{
	struct finding f;

	if (disk_finding(alarms, &f) && f.value < f.limit)
		set_alarm(alarms, &f);
}

static void disk_clear_if_enough(struct alarms *alarms)
{
	struct finding f;

	if (disk_finding(alarms, &f) && f.value >= f.limit)
		clear_alarm(alarms, &f);
}

/* ---- When ---- */

static void watch(struct loop_timer *timer)
{
	struct alarms *alarms = container_of(timer, struct alarms, watch);

	if (is_set(alarms, ALARM_MEMORY))
		memory_clear_if_below(alarms);
	if (is_set(alarms, ALARM_DISK))
		disk_clear_if_enough(alarms);
	if (atomic_load(&alarms->set) != 0)
		loop_timer_start_ms(timer, WATCH_MS);
}

/* Summing over all loops costs a cache miss for each: once a millisecond is enough. */
void alarms_check(struct alarms *alarms)
{
	struct alarm_loop *own = &alarms->loops[loop_index(loop_self())];
	uint64_t now = loop_now_ms();

	if (own->checked_ms == now)
		return;
	own->checked_ms = now;
	if (!is_set(alarms, ALARM_MEMORY))
		memory_set_if_above(alarms);
	if (!is_set(alarms, ALARM_DISK) && disk_monitor_is_due(&alarms->disk, now))
		disk_set_if_low(alarms);
}

/* ---- From outside ---- */

struct alarms *alarms_create(unsigned n_loops, uint64_t memory_limit_bytes)
{
	struct alarms *alarms = mem_zalloc(sizeof(*alarms));

	atomic_init(&alarms->memory_limit_bytes, memory_limit_bytes);
	atomic_init(&alarms->refs, 1);
	alarms->n_loops = n_loops;
	loop_timer_init(&alarms->watch, watch);
	alarms->loops = mem_zalloc_aligned(CACHE_LINE_SIZE, n_loops * sizeof(*alarms->loops));
	return alarms;
}

void alarms_destroy(struct alarms *alarms)
{
	if (!alarms)
		return;
	atomic_store(&alarms->is_ended, true);
	loop_timer_stop(&alarms->watch);
	release(alarms);
}

void alarms_watch_disk(struct alarms *alarms, const char *path, uint64_t limit_bytes)
{
	disk_monitor_begin(&alarms->disk, path);
	alarms_set_disk_limit(alarms, limit_bytes);
}

void alarms_measure_disk_by(struct alarms *alarms, disk_measure_fn measure)
{
	alarms->disk.measure = measure;
}

void alarms_set_memory_limit(struct alarms *alarms, uint64_t limit_bytes)
{
	atomic_store(&alarms->memory_limit_bytes, limit_bytes);
	if (loop_self())
		memory_set_if_above(alarms);
}

void alarms_set_disk_limit(struct alarms *alarms, uint64_t limit_bytes)
{
	atomic_store(&alarms->disk_limit_bytes, limit_bytes);
	if (loop_self())
		disk_set_if_low(alarms);
}

uint64_t alarms_memory_limit(const struct alarms *alarms)
{
	return atomic_load(&alarms->memory_limit_bytes);
}

uint64_t alarms_disk_limit(const struct alarms *alarms)
{
	return atomic_load(&alarms->disk_limit_bytes);
}

bool alarms_memory_is_set(const struct alarms *alarms)
{
	return is_set(alarms, ALARM_MEMORY);
}

bool alarms_disk_is_set(const struct alarms *alarms)
{
	return is_set(alarms, ALARM_DISK);
}

void alarms_listen(struct alarms *alarms, unsigned loop, struct alarm_listener *listener)
{
	alarms->loops[loop].listener = listener;
	/* The loop may have heard of an alarm when there was nobody to listen. */
	alarms->loops[loop].told = 0;
	if (atomic_load(&alarms->set) != 0)
		tell(alarms, loop);
}
