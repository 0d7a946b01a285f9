/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "disk_stage.h"
#include "fixture.h"
#include "room_stage.h"
#include "store/disk.h"

#include "../unit.h"

/*
 * Each operation on a file in turn fails. Whatever it is: every append is answered, what was said
 * to be durable is there afterwards, and nothing is there twice; and when it does not stay, the log
 * goes on.
 */

enum {
	QUEUES = 2,
	STEPS = 8,
	BATCH = 14,
	SEQS = STEPS * BATCH,
	STRIDE = 5, /* with faults that stay, each so many-th operation */
};

#define SIZE ((size_t)900)

enum fate {
	UNKNOWN,
	DURABLE,
	REFUSED,
};

static struct {
	enum fate published, settled;
	bool is_settle_asked;
} messages[QUEUES + 1][SEQS + 1];

static unsigned n_answers[STORE_ERROR + 1];

static enum fate fate_of(enum store_result result)
{
	CU_ASSERT_TRUE(result == STORE_DURABLE || result == STORE_UNKNOWN || result == STORE_ERROR);
	n_answers[result]++;
	return result == STORE_DURABLE ? DURABLE : result == STORE_ERROR ? REFUSED : UNKNOWN;
}

static void published(const struct op *op)
{
	messages[1 + op->id % QUEUES][1 + op->id / QUEUES].published = fate_of(op->append.result);
}

static void settled(const struct op *op)
{
	enum fate fate = fate_of(op->append.result);

	for (uint64_t seq = op->records[0].seq_first; seq <= op->records[0].seq_last; seq++)
		messages[op->records[0].queue_id][seq].settled = fate;
}

static void publish(uint64_t queue, uint64_t seq)
{
	struct op *op = op_begin();

	op->id = (seq - 1) * QUEUES + queue - 1;
	op->done = published;
	(void)op_publish(op, room_number(queue, seq), SIZE);
	(void)op_enqueue(op, queue, seq);
	op_submit(op);
}

static void settle_some(uint64_t queue, uint64_t first, uint64_t last)
{
	struct op *op = op_begin();

	op->done = settled;
	op->append.is_lazy = first % 2 == 0;
	op_range(op, STORE_SETTLE, queue, first, last);
	for (uint64_t seq = first; seq <= last; seq++)
		messages[queue][seq].is_settle_asked = true;
	op_submit(op);
}

/* Several segments; most of it is settled again, so that segments go and are compacted. */
static void work(void)
{
	memset(messages, 0, sizeof(messages));
	for (uint64_t at = 0; at < SEQS; at += BATCH) {
		for (uint64_t seq = at + 1; seq <= at + BATCH; seq++)
			for (uint64_t queue = 1; queue <= QUEUES; queue++)
				publish(queue, seq);
		ops_wait();
		for (uint64_t queue = 1; queue <= QUEUES; queue++)
			settle_some(queue, at + 2, at + BATCH);
		if (at % (4 * BATCH) == 0)
			CALL(store_log_compact(the_log));
		ops_wait();
		(void)room_read(1, at + 1, SIZE);
	}
	(void)room_barrier();
}

static void check(void)
{
	static bool is_there[QUEUES + 1][SEQS + 1];
	const struct replay *replay = recover();

	memset(is_there, 0, sizeof(is_there));
	for (size_t i = 0; i < replay->n_messages; i++) {
		const struct replayed *m = &replay->messages[i];

		if (m->queue_id > QUEUES || m->seq > SEQS)
			continue;
		CU_ASSERT_FALSE(is_there[m->queue_id][m->seq]);
		is_there[m->queue_id][m->seq] = true;
	}
	for (uint64_t queue = 1; queue <= QUEUES; queue++)
		for (uint64_t seq = 1; seq <= SEQS; seq++) {
			if (messages[queue][seq].published == DURABLE &&
			    !messages[queue][seq].is_settle_asked)
				CU_ASSERT_TRUE(is_there[queue][seq]);
			if (messages[queue][seq].settled == DURABLE &&
			    messages[queue][seq].is_settle_asked)
				CU_ASSERT_FALSE(is_there[queue][seq]);
		}
	if (replay->n_messages > 0)
		CU_ASSERT_EQUAL(
			room_read(replay->messages[0].queue_id, replay->messages[0].seq, SIZE),
			STORE_DURABLE);
}

/* As a kill would leave it: nothing is under way, but nothing has been ended either. */
static void check_after_a_kill(void)
{
	room_copy();
	room_end();
	room_open_copy();
	check();
	room_end();
}

static unsigned count_operations(unsigned kinds)
{
	unsigned n;

	room_begin();
	disk_fault_filter(kinds);
	disk_fault_watch();
	work();
	n = disk_fault_count();
	disk_fault_off();
	check_after_a_kill();
	CU_ASSERT_TRUE(n > 0);
	return n;
}

static void goes_on(void)
{
	room_publish(3, 1, 3, SIZE);
	CU_ASSERT_EQUAL(room_read(3, 2, SIZE), STORE_DURABLE);
	room_settle(3, 1, 3);
	CU_ASSERT_NOT_EQUAL(room_barrier(), STORE_ERROR);
	CU_ASSERT_EQUAL(room_barrier(), STORE_DURABLE);
}

static void fail_each(unsigned kinds, int error, bool stays, size_t torn_bytes)
{
	unsigned n = count_operations(kinds);

	for (unsigned i = 1; i <= n && CU_get_number_of_failures() == 0; i += stays ? STRIDE : 1) {
		room_begin();
		disk_fault_filter(kinds);
		disk_fault_torn_at(i, error, stays, torn_bytes);
		work();
		disk_fault_off();
		goes_on();
		check_after_a_kill();
		if (CU_get_number_of_failures() > 0)
			printf("operation %u of %u\n", i, n);
	}
}

static void each_fails_once(void)
{
	fail_each(DISK_ALL, EIO, false, 0);
}

static void each_fails_for_want_of_room(void)
{
	fail_each(DISK_OPEN | DISK_ALLOCATE | DISK_RENAME, ENOSPC, false, 0);
}

static void all_fail_from_one_on(void)
{
	fail_each(DISK_ALL, EIO, true, 0);
	fail_each(DISK_ALLOCATE | DISK_WRITE, ENOSPC, true, 0);
}

static void writes_are_torn(void)
{
	for (size_t bytes = 8; bytes < 4000; bytes = bytes * 20 + 16)
		fail_each(DISK_WRITE, EIO, false, bytes);
	CU_ASSERT_TRUE(n_answers[STORE_ERROR] > 0);
	CU_ASSERT_TRUE(n_answers[STORE_UNKNOWN] > 0);
}

UNIT_MAIN("store/store_faults", UNIT_TEST(each_fails_once), UNIT_TEST(each_fails_for_want_of_room),
	  UNIT_TEST(all_fail_from_one_on), UNIT_TEST(writes_are_torn))
