/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "crash_model.h"
#include "disk_stage.h"
#include "fixture.h"
#include "room_stage.h"

#include "../unit.h"

/*
 * A child runs a store with random appends and tells of each, and of its end, through a pipe. It is
 * killed at some moment; then what is in its folder must be what it has told of. And so on from
 * there, several lives.
 */

enum {
	ROUNDS = 30,
	LIVES = 3,
	STEPS = 900,
	UNDER_WAY_MAX = 64,
	SLOW = 0, /* slot */
};

static uint64_t random_state;
static bool compacts; /* in every other round */

static uint64_t draw(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % below;
}

/* ---- The child ---- */

static int tell_fd;
static struct op *under_way[UNDER_WAY_MAX];
static unsigned n_under_way;

static void tell(const struct happening *event)
{
	if (write(tell_fd, event, sizeof(*event)) != sizeof(*event))
		_exit(1);
}

static void tell_wrong(void)
{
	tell(&(struct happening){.type = EVENT_WRONG});
}

static void op_completed(const struct op *op)
{
	const struct happening event = {.type = EVENT_DONE, .op = (unsigned)op->id};
	unsigned i = 0;

	if (op->append.result != STORE_DURABLE)
		tell_wrong();
	model_apply(&event);
	tell(&event);
	while (under_way[i] != op)
		i++;
	under_way[i] = under_way[--n_under_way];
}

static uint64_t draw_queue(void)
{
	return model.slots[draw(MODEL_SLOTS)];
}

/* The slow queue gets messages for a while only, and keeps them long. */
static bool is_filled(const struct happening *event)
{
	return event->number / 60 % 4 == 0;
}

static void choose_targets(struct happening *event)
{
	unsigned n = 1 + (unsigned)draw(MODEL_TARGETS);

	event->number = model.last_number + 1;
	event->expires_ms = draw(4) == 0 ? 5000000000000 + draw(1000) : 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned slot = (event->number + i) % MODEL_SLOTS;
		uint64_t queue = model.slots[slot];

		if (model.next_seq[queue] + 1 >= MODEL_SEQS || (slot == SLOW && !is_filled(event)))
			continue;
		event->queues[event->n_targets] = queue;
		event->seqs[event->n_targets++] = model.next_seq[queue] + 1;
	}
}

static void choose_range(struct happening *event)
{
	uint64_t dice = draw(100);

	event->queue = draw_queue();
	if (event->queue == model.slots[SLOW] && draw(10) > 0)
		return;
	uint64_t next = model.next_seq[event->queue];
	if (next == 0)
		return;
	event->first = 1 + draw(next);
	if (draw(3) > 0 && next > 30) /* mostly the newer ones */
		event->first = next - draw(30);
	event->last = event->first + draw(8);
	if (event->last > next)
		event->last = next;
	if (event->queue != model.slots[SLOW] && draw(5) == 0) {
		event->first = 1;
		event->last = next;
	}
	event->range = dice < 70 ? STORE_SETTLE : dice < 80 ? STORE_EXPIRE : STORE_REQUEUE;
	if (dice < 97)
		return;
	event->range = STORE_PURGE;
	event->first = 0;
	event->last = draw(next + 1);
	if (dice < 99 || model.last_id + 1 >= MODEL_QUEUES)
		return;
	while (model.slots[event->slot] != event->queue)
		event->slot++;
	event->last = UINT64_MAX;
}

static void submit(struct happening *event, bool is_lazy)
{
	struct op *op;

	if (event->n_targets == 0 && event->range < 0)
		return;
	event->type = EVENT_APPEND;
	event->op = model.n_ops;
	op = op_begin();
	op->id = event->op;
	op->done = op_completed;
	op->append.is_atomic = event->is_atomic;
	op->append.is_lazy = is_lazy && event->n_targets == 0;
	if (event->n_targets > 0)
		(void)op_publish(op, event->number, model_body_size(event->number));
	for (unsigned i = 0; i < event->n_targets; i++)
		op_enqueue(op, event->queues[i], event->seqs[i])->expires_ms = event->expires_ms;
	if (event->range >= 0)
		op_range(op, (enum store_record_type)event->range, event->queue, event->first,
			 event->last);
	under_way[n_under_way++] = op;
	model_apply(event);
	tell(event);
	op_submit(op);
}

/* A message that is under way is settled: the writer may leave it out. */
static void elide_one(void)
{
	struct happening event = {.range = STORE_SETTLE};
	struct op *op;

	if (n_under_way == 0)
		return;
	op = under_way[draw(n_under_way)];
	for (size_t i = 0; i < op->append.n_records; i++) {
		struct store_record *record = &op->records[i];

		if (record->type != STORE_ENQUEUE || op->append.is_atomic)
			continue;
		event.queue = record->queue_id;
		event.first = event.last = record->seq_first;
		atomic_store(&record->is_elided, true);
		submit(&event, draw(2));
		return;
	}
}

struct reading {
	struct store_read read;
	uint64_t seq;
	bool must_be_there;
	uint32_t number;
};

static void read_body(struct store_read *read, size_t index, enum store_result result,
		      struct slice body)
{
	const struct reading *reading = container_of(read, struct reading, read);

	(void)index;
	if (result == STORE_DURABLE
		    ? !body_is(body, reading->number, model_body_size(reading->number))
		    : reading->must_be_there)
		tell_wrong();
}

static void read_done(struct store_read *read)
{
	mem_free(container_of(read, struct reading, read));
}

static void read_something(void)
{
	uint64_t queue = draw_queue(), seq = 1 + draw(MODEL_SEQS - 1);
	const struct model_message *message;
	struct reading *reading;

	if (model.next_seq[queue] == 0)
		return;
	seq = 1 + seq % model.next_seq[queue];
	message = &model.messages[queue][seq];
	reading = mem_zalloc(sizeof(*reading));
	reading->seq = seq;
	reading->must_be_there = message->is_durable && !message->may_be_dead;
	reading->number = message->number;
	reading->read = (struct store_read){.queue_id = queue,
					    .seqs = &reading->seq,
					    .n_seqs = 1,
					    .body = read_body,
					    .done = read_done};
	store_log_read(the_log, &reading->read);
}

static void step(void)
{
	struct happening event = {.range = -1};
	uint64_t dice = draw(100);

	if (n_under_way >= UNDER_WAY_MAX - 2 || dice < 12) {
		loop_run_once(n_under_way > 0);
		return;
	}
	if (dice < 60)
		choose_targets(&event);
	if (dice >= 50 && dice < 90) {
		choose_range(&event);
		event.is_atomic = event.n_targets > 0 && event.range == STORE_SETTLE;
	}
	if (dice < 90)
		submit(&event, draw(2));
	else if (dice < 94)
		elide_one();
	else if (dice < 98 || !compacts || draw(10) > 0)
		read_something();
	else
		store_log_compact(the_log);
}

static void never(struct loop_timer *timer)
{
	loop_timer_start_ms(timer, 1000);
}

static _Noreturn void live(const char *folder, int fd)
{
	struct loop_timer timer;

	tell_fd = fd;
	n_under_way = 0;
	room_open_at(folder);
	loop_timer_init(&timer, never);
	loop_timer_start_ms(&timer, 1000);
	for (unsigned i = 0; i < STEPS; i++)
		step();
	while (n_under_way > 0)
		loop_run_once(true);
	tell(&(struct happening){.type = EVENT_END});
	for (;;)
		loop_run_once(true);
}

/* ---- The parent ---- */

/* The pipe is read to its end; at some point in it the child is killed. */
static void look_on(pid_t child, int fd, unsigned n_events)
{
	struct happening event;
	unsigned n = 0;
	int status;

	while (read(fd, &event, sizeof(event)) == sizeof(event)) {
		CU_ASSERT_NOT_EQUAL(event.type, EVENT_WRONG);
		model_apply(&event);
		if (++n == n_events || event.type == EVENT_END)
			CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
	}
	CU_ASSERT_EQUAL(close(fd), 0);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void one_life(const char *folder)
{
	int fds[2];
	uint64_t seed = 1 + draw(UINT64_C(1) << 40);
	pid_t child;

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	child = fork();
	CU_ASSERT_TRUE_FATAL(child >= 0);
	if (child == 0) {
		(void)close(fds[0]);
		random_state = seed;
		live(folder, fds[1]);
	}
	CU_ASSERT_EQUAL(close(fds[1]), 0);
	look_on(child, fds[0], 1 + (unsigned)draw(2 * STEPS));
	room_open_at(folder);
	model_check();
	room_end();
}

static void one_round(uint64_t seed)
{
	const char *folder;

	random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
	disk_options.sync = draw(4) == 0 ? STORE_SYNC_ALWAYS : STORE_SYNC_NEVER;
	compacts = seed % 2 == 0;
	model_init();
	room_begin();
	room_end();
	folder = disk_stage_path("room");
	for (unsigned life = 0; life < LIVES && CU_get_number_of_failures() == 0; life++)
		one_life(folder);
	if (CU_get_number_of_failures() > 0)
		printf("round %llu\n", (unsigned long long)seed);
	disk_options.sync = STORE_SYNC_ALWAYS;
}

static void what_was_told_is_there_after_a_kill(void)
{
	const char *only = getenv("ROUND");

	for (uint64_t seed = 1; seed <= ROUNDS && CU_get_number_of_failures() == 0; seed++)
		one_round(only ? strtoull(only, NULL, 10) : seed);
}

UNIT_MAIN("store/crash", UNIT_TEST(what_was_told_is_there_after_a_kill))
