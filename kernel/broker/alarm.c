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
 * Whoever sees the limit crossed sets the alarm; loop 0 alone clears it, by a timer that runs only
 * while it is set. A change is told to every loop by a letter that says no more than "look":
 * letters of different senders may overtake each other, and what counts is what the loop finds when
 * it looks.
 */

#define CLEAR_PERCENT 95u /* of the limit: below it the alarm is cleared */
#define WATCH_MS      250u

struct alarm_loop {
	_Alignas(CACHE_LINE_SIZE) uint64_t checked_ms;
	struct alarm_listener *listener;
	bool told; /* what the listener knows */
};

struct alarms {
	_Atomic uint64_t limit_bytes;
	atomic_bool is_set, is_ended;
	atomic_uint refs; /* the owner's, and one of each letter */
	unsigned n_loops;
	struct loop_timer watch; /* loop 0's */
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
	mem_free(alarms->loops);
	mem_free(alarms);
}

/* On each loop. */
static void look(struct alarms *alarms)
{
	unsigned index = loop_index(loop_self());
	struct alarm_loop *own = &alarms->loops[index];
	bool is_set = atomic_load(&alarms->is_set);

	if (index == 0 && is_set && !loop_timer_is_armed(&alarms->watch))
		loop_timer_start_ms(&alarms->watch, WATCH_MS);
	if (is_set == own->told)
		return;
	own->told = is_set;
	if (own->listener)
		own->listener->changed(own->listener, is_set);
}

static void letter_arrived(struct letter *letter)
{
	struct alarm_letter *l = container_of(letter, struct alarm_letter, letter);

	if (!atomic_load(&l->alarms->is_ended))
		look(l->alarms);
	release(l->alarms);
	mem_free(l);
}

static void tell_all(struct alarms *alarms)
{
	for (unsigned i = 0; i < alarms->n_loops; i++) {
		struct alarm_letter *l = mem_alloc(sizeof(*l));

		l->letter.deliver = letter_arrived;
		l->alarms = alarms;
		atomic_fetch_add(&alarms->refs, 1);
		loop_post(i, &l->letter);
	}
}

static bool is_above(uint64_t total, uint64_t limit)
{
	return limit > 0 && total > limit;
}

static bool is_clear(uint64_t total, uint64_t limit)
{
	return limit == 0 ||
	       total < limit / 100 * CLEAR_PERCENT + limit % 100 * CLEAR_PERCENT / 100;
}

static void set_if_above(struct alarms *alarms)
{
	uint64_t limit = atomic_load_explicit(&alarms->limit_bytes, memory_order_relaxed);
	uint64_t total = account_total();
	bool was_set = false;

	if (!is_above(total, limit) ||
	    !atomic_compare_exchange_strong(&alarms->is_set, &was_set, true))
		return;
	log_warning("alarm", "memory alarm set, publishers are blocked: used=%llu limit=%llu",
		    (unsigned long long)total, (unsigned long long)limit);
	tell_all(alarms);
}

static void watch(struct loop_timer *timer)
{
	struct alarms *alarms = container_of(timer, struct alarms, watch);
	uint64_t limit = atomic_load_explicit(&alarms->limit_bytes, memory_order_relaxed);
	uint64_t total = account_total();

	if (!is_clear(total, limit)) {
		loop_timer_start_ms(timer, WATCH_MS);
		return;
	}
	atomic_store(&alarms->is_set, false);
	log_info("alarm", "memory alarm cleared: used=%llu limit=%llu", (unsigned long long)total,
		 (unsigned long long)limit);
	tell_all(alarms);
}

struct alarms *alarms_create(unsigned n_loops, uint64_t limit_bytes)
{
	struct alarms *alarms = mem_zalloc(sizeof(*alarms));

	atomic_init(&alarms->limit_bytes, limit_bytes);
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

void alarms_set_memory_limit(struct alarms *alarms, uint64_t limit_bytes)
{
	atomic_store(&alarms->limit_bytes, limit_bytes);
	if (loop_self())
		set_if_above(alarms);
}

uint64_t alarms_memory_limit(const struct alarms *alarms)
{
	return atomic_load(&alarms->limit_bytes);
}

bool alarms_memory_is_set(const struct alarms *alarms)
{
	return atomic_load_explicit(&alarms->is_set, memory_order_relaxed);
}

/* Summing over all loops costs a cache miss for each: once a millisecond is enough. */
void alarms_check(struct alarms *alarms)
{
	struct alarm_loop *own = &alarms->loops[loop_index(loop_self())];
	uint64_t now = loop_now_ms();

	if (own->checked_ms == now)
		return;
	own->checked_ms = now;
	if (!alarms_memory_is_set(alarms))
		set_if_above(alarms);
}

void alarms_listen(struct alarms *alarms, unsigned loop, struct alarm_listener *listener)
{
	alarms->loops[loop].listener = listener;
}
