/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/list.h"
#include "disk_stage.h"
#include "fixture.h"
#include "room_stage.h"
#include "store/disk.h"

#include "../unit.h"

/* When it is synced, and what becomes of appends when that or a write fails. */

#define SEGMENT (UINT64_C(64) << 10)
#define SIZE	((size_t)1000)

static uint64_t syncs;

static bool has_synced(void)
{
	return stats().syncs > syncs;
}

static enum store_result answer;

static void answered(const struct op *op)
{
	answer = op->append.result;
}

static enum store_result try_publish(uint64_t queue, uint64_t seq)
{
	struct op *op = op_begin();

	op->done = answered;
	(void)op_publish(op, room_number(queue, seq), SIZE);
	(void)op_enqueue(op, queue, seq);
	op_submit(op);
	ops_wait();
	return answer;
}

static enum store_result try_settle(uint64_t queue, uint64_t first, uint64_t last)
{
	struct op *op = op_begin();

	op->done = answered;
	op_range(op, STORE_SETTLE, queue, first, last);
	op_submit(op);
	ops_wait();
	return answer;
}

static void fail_once(unsigned kinds, int error)
{
	disk_fault_filter(kinds);
	disk_fault_at(1, error, false);
}

/* ---- Syncing ---- */

enum { MANY = 600 };

/* Submits them all, and returns how many syncs there were for them. */
static uint64_t syncs_for_many(uint64_t first)
{
	static struct op *ops[MANY];

	syncs = stats().syncs;
	for (uint64_t i = 0; i < MANY; i++) {
		ops[i] = op_begin();
		(void)op_publish(ops[i], first + i, 50);
		(void)op_enqueue(ops[i], 1, first + i);
	}
	for (unsigned i = 0; i < MANY; i++)
		op_submit(ops[i]);
	ops_wait();
	CU_ASSERT_TRUE(has_synced());
	return stats().syncs - syncs;
}

/*
 * How many share one depends on who is faster, the thread that submits or the disk; on a machine
 * that is busy the first may lose a round. Without sharing it is MANY in every round.
 */
static void one_sync_for_many(void)
{
	bool have_shared = false;

	room_begin();
	room_publish(1, 1, 1, SIZE);
	for (uint64_t round = 0; round < 20 && !have_shared; round++)
		have_shared = syncs_for_many(2 + round * MANY) < MANY / 4;
	CU_ASSERT_TRUE(have_shared);
	room_end();
}

static void lazy_ones_are_synced_soon(void)
{
	room_begin();
	room_publish(1, 1, 10, SIZE);
	syncs = stats().syncs;
	room_settle(1, 1, 5);
	wait_until(has_synced);
	syncs = stats().syncs;
	/* a barrier does not wait for that */
	room_settle(1, 6, 6);
	CU_ASSERT_EQUAL(room_barrier(), STORE_DURABLE);
	CU_ASSERT_EQUAL(stats().syncs, syncs + 1);
	/* and has nothing to do where nothing is left to be synced */
	CU_ASSERT_EQUAL(room_barrier(), STORE_DURABLE);
	CU_ASSERT_EQUAL(stats().syncs, syncs + 1);
	room_end();
}

static void at_intervals(void)
{
	disk_options.sync = STORE_SYNC_INTERVAL;
	disk_options.sync_interval_ms = 1000000;
	room_begin();
	room_publish(1, 1, 20, SIZE);
	CU_ASSERT_EQUAL(stats().syncs, 0);
	CU_ASSERT_EQUAL(room_barrier(), STORE_DURABLE);
	CU_ASSERT_EQUAL(stats().syncs, 1);
	disk_options.sync_interval_ms = 20;
	room_reopen();
	syncs = stats().syncs;
	room_publish(1, 21, 40, SIZE);
	wait_until(has_synced);
	CU_ASSERT_EQUAL(room_read(1, 1, SIZE), STORE_DURABLE);
	room_end();
	disk_options.sync = STORE_SYNC_ALWAYS;
}

static void never(void)
{
	disk_options.sync = STORE_SYNC_NEVER;
	room_begin();
	room_publish(1, 1, 200, SIZE);
	CU_ASSERT_EQUAL(room_barrier(), STORE_DURABLE);
	CU_ASSERT_EQUAL(stats().syncs, 0);
	room_reopen();
	CU_ASSERT_EQUAL(recover()->n_messages, 200);
	room_end();
	disk_options.sync = STORE_SYNC_ALWAYS;
}

/* ---- Failing ---- */

static void after_a_failed_sync_the_segment_is_left(void)
{
	room_begin();
	room_publish(1, 1, 3, SIZE);
	uint64_t serial = room_files().last_serial;
	fail_once(DISK_SYNC, EIO);
	CU_ASSERT_EQUAL(try_publish(1, 4), STORE_UNKNOWN);
	disk_fault_off();
	CU_ASSERT_TRUE(disk_reports.n_errors > 0);
	CU_ASSERT_EQUAL(room_barrier(), STORE_UNKNOWN);
	CU_ASSERT_EQUAL(room_barrier(), STORE_DURABLE);
	/* it counts as done in this run */
	CU_ASSERT_EQUAL(room_read(1, 4, SIZE), STORE_DURABLE);
	CU_ASSERT_EQUAL(room_files().last_serial, serial);
	CU_ASSERT_EQUAL(try_publish(1, 5), STORE_DURABLE);
	CU_ASSERT_EQUAL(room_files().last_serial, serial + 1);
	CU_ASSERT_EQUAL(try_publish(1, 6), STORE_DURABLE);
	CU_ASSERT_EQUAL(room_files().last_serial, serial + 1);
	room_end();
}

static void a_failed_write_costs_no_more_than_itself(void)
{
	room_begin();
	room_publish(1, 1, 10, SIZE);
	uint64_t serial = room_files().last_serial;
	syncs = stats().syncs;
	room_settle(1, 1, 3);
	fail_once(DISK_WRITE, EIO);
	CU_ASSERT_EQUAL(try_publish(1, 11), STORE_ERROR);
	disk_fault_off();
	CU_ASSERT_EQUAL(room_read(1, 11, SIZE), STORE_ERROR);
	/* what was written before is synced all the same */
	wait_until(has_synced);
	/* ranges are tried again */
	fail_once(DISK_WRITE, EIO);
	CU_ASSERT_EQUAL(try_settle(1, 4, 6), STORE_DURABLE);
	disk_fault_off();
	CU_ASSERT_TRUE(room_files().last_serial > serial);
	CU_ASSERT_EQUAL(try_publish(1, 12), STORE_DURABLE);
	CU_ASSERT_EQUAL(room_barrier(), STORE_DURABLE);
	room_reopen();
	CU_ASSERT_EQUAL(recover()->n_messages, 5);
	room_end();
}

static bool has_lost_second(void)
{
	return !room_has_segment(2);
}

/*
 * The bytes of what was refused are in a segment whose end only the next one tells, and that one
 * goes first.
 */
static void what_was_refused_does_not_come_back(bool can_be_cut)
{
	room_begin();
	room_publish(1, 1, 3, SIZE);
	disk_fault_filter(can_be_cut ? DISK_WRITE : DISK_WRITE | DISK_TRUNCATE);
	disk_fault_torn_at(1, EIO, !can_be_cut, 4000);
	CU_ASSERT_EQUAL(try_publish(1, 4), STORE_ERROR);
	disk_fault_off();
	CU_ASSERT_EQUAL(try_settle(1, 4, 4), STORE_DURABLE);
	room_publish(2, 1, 200, SIZE);
	room_settle(2, 1, 200);
	CALL(store_log_compact(the_log));
	if (can_be_cut)
		wait_until(has_lost_second);
	room_copy();
	room_end();
	for (unsigned start = 0; start < 2; start++) {
		room_open_copy();
		CU_ASSERT_EQUAL(recover()->n_messages, 3);
		CU_ASSERT_EQUAL(room_read(1, 4, SIZE), STORE_ERROR);
		/* what may go after this start has gone after the first few */
		for (unsigned i = 0; i < 4; i++)
			CU_ASSERT_EQUAL(room_barrier(), STORE_DURABLE);
		room_end();
	}
}

static void what_was_cut_off_does_not_come_back(void)
{
	what_was_refused_does_not_come_back(true);
}

static void what_cannot_be_cut_off_does_not_come_back(void)
{
	what_was_refused_does_not_come_back(false);
}

/*
 * A segment could not be made, its file is there all the same, and says where the one before has
 * ended: so nothing more is written there.
 */
static void what_comes_after_a_segment_that_stays_in_vain_counts(void)
{
	room_begin();
	room_publish(1, 1, 60, SIZE);
	room_settle(1, 1, 1);
	uint64_t serial = room_files().last_serial;
	disk_fault_filter(DISK_WRITE | DISK_UNLINK);
	disk_fault_torn_at(1, EIO, true, SEGMENT);
	CU_ASSERT_EQUAL(try_publish(1, 61), STORE_ERROR);
	disk_fault_off();
	CU_ASSERT_EQUAL(room_files().last_serial, serial + 1);
	CU_ASSERT_EQUAL(try_settle(1, 2, 3), STORE_DURABLE);
	CU_ASSERT_EQUAL(room_barrier(), STORE_DURABLE);
	room_copy();
	room_end();
	room_open_copy();
	CU_ASSERT_EQUAL(recover()->n_messages, 57);
	room_end();
}

static void what_fails_for_want_of_room_is_not_done_in_part(void)
{
	struct op *op;

	room_begin();
	room_publish(1, 1, 3, SIZE);
	op = op_begin();
	op->done = answered;
	op->append.is_atomic = true;
	(void)op_publish(op, room_number(1, 4), 2 * SEGMENT);
	(void)op_enqueue(op, 1, 4);
	op_range(op, STORE_SETTLE, 1, 1, 1);
	op_range(op, STORE_REQUEUE, 1, 2, 2);
	disk_fault_filter(DISK_ALLOCATE);
	disk_fault_at(1, ENOSPC, true);
	op_submit(op);
	ops_wait();
	disk_fault_off();
	CU_ASSERT_EQUAL(answer, STORE_ERROR);
	CU_ASSERT_EQUAL(room_read(1, 1, SIZE), STORE_DURABLE);
	room_reopen();
	CU_ASSERT_EQUAL(recover()->n_messages, 3);
	CU_ASSERT_EQUAL(recover()->messages[1].deliveries, 0);
	room_end();
}

static void reads_that_fail_say_so(void)
{
	room_begin();
	room_publish(1, 1, 3, SIZE);
	unsigned n_errors = disk_reports.n_errors;
	fail_once(DISK_READ, EIO);
	CU_ASSERT_EQUAL(room_read(1, 2, SIZE), STORE_ERROR);
	CU_ASSERT_EQUAL(disk_reports.n_errors, n_errors + 1);
	fail_once(DISK_OPEN, EMFILE);
	CU_ASSERT_EQUAL(room_read(1, 2, SIZE), STORE_ERROR);
	disk_fault_off();
	CU_ASSERT_EQUAL(disk_reports.n_errors, n_errors + 2);
	CU_ASSERT_EQUAL(room_read(1, 2, SIZE), STORE_DURABLE);
	CU_ASSERT_EQUAL(try_publish(1, 4), STORE_DURABLE);
	room_end();
}

/* ---- A full disk ---- */

static uint64_t next_seq;

static bool is_publishable(void)
{
	struct op *op;

	if (ops_pending > 0)
		return false;
	if (answer == STORE_DURABLE)
		return true;
	op = op_begin();
	op->done = answered;
	(void)op_publish(op, room_number(1, next_seq), SIZE);
	(void)op_enqueue(op, 1, next_seq);
	op_submit(op);
	return false;
}

static void publish_once_there_is_room(void)
{
	answer = STORE_ERROR;
	wait_until(is_publishable);
	disk_fault_off();
}

static void fill_the_disk(void)
{
	room_begin();
	room_publish(1, 1, 300, SIZE);
	disk_fault_filter(DISK_ALLOCATE);
	disk_fault_at(1, ENOSPC, true);
	for (next_seq = 301; try_publish(1, next_seq) == STORE_DURABLE; next_seq++)
		CU_ASSERT_TRUE_FATAL(next_seq < 600);
	CU_ASSERT_EQUAL(answer, STORE_ERROR);
}

static void settles_find_room_when_publishes_do_not(void)
{
	fill_the_disk();
	unsigned n_errors = disk_reports.n_errors;
	for (uint64_t seq = 1; seq <= 60; seq++) {
		CU_ASSERT_EQUAL(try_settle(1, 5 * seq, 5 * seq), STORE_DURABLE);
		CU_ASSERT_EQUAL(try_publish(1, next_seq), STORE_ERROR);
	}
	/* it was said, but not each time */
	CU_ASSERT_TRUE(disk_reports.n_errors <= n_errors + 1);
	CU_ASSERT_EQUAL(try_settle(1, 1, 200), STORE_DURABLE);
	publish_once_there_is_room();
	room_reopen();
	CU_ASSERT_EQUAL(room_read(1, next_seq, SIZE), STORE_DURABLE);
	CU_ASSERT_EQUAL(room_read(1, 200, SIZE), STORE_ERROR);
	CU_ASSERT_EQUAL(room_read(1, 299, SIZE), STORE_DURABLE);
	CU_ASSERT_EQUAL(room_read(1, 300, SIZE), STORE_ERROR);
	room_end();
}

/* A few are left in each segment: they are moved to the room that was kept. */
static void a_full_disk_is_compacted(void)
{
	fill_the_disk();
	for (uint64_t seq = 1; seq < 300; seq += 20)
		CU_ASSERT_EQUAL(try_settle(1, seq, seq + 18), STORE_DURABLE);
	publish_once_there_is_room();
	for (uint64_t seq = 20; seq <= 300; seq += 20)
		CU_ASSERT_EQUAL(room_read(1, seq, SIZE), STORE_DURABLE);
	room_end();
}

/* ---- The end ---- */

static unsigned n_answered;

static void count_answer(const struct op *op)
{
	(void)op;
	n_answered++;
}

static void the_end_answers_all(void)
{
	for (unsigned fault = 0; fault < 40; fault++) {
		room_begin();
		room_publish(1, 1, 200, SIZE);
		room_settle(1, 1, 150);
		if (fault > 0)
			disk_fault_at(fault, EIO, fault % 2);
		n_answered = 0;
		for (uint64_t seq = 201; seq <= 300; seq++) {
			struct op *op = op_begin();

			op->done = count_answer;
			(void)op_publish(op, room_number(1, seq), SIZE);
			(void)op_enqueue(op, 1, seq);
			op_submit(op);
		}
		CALL(store_log_compact(the_log));
		for (unsigned turns = fault % 4; turns > 0; turns--)
			loop_run_once(false);
		room_end();
		disk_fault_off();
		CU_ASSERT_EQUAL(n_answered, 100);
		CU_ASSERT_EQUAL(ops_pending, 0);
	}
}

UNIT_MAIN("store/writer", UNIT_TEST(one_sync_for_many), UNIT_TEST(lazy_ones_are_synced_soon),
	  UNIT_TEST(at_intervals), UNIT_TEST(never),
	  UNIT_TEST(after_a_failed_sync_the_segment_is_left),
	  UNIT_TEST(a_failed_write_costs_no_more_than_itself),
	  UNIT_TEST(what_was_cut_off_does_not_come_back),
	  UNIT_TEST(what_cannot_be_cut_off_does_not_come_back),
	  UNIT_TEST(what_comes_after_a_segment_that_stays_in_vain_counts),
	  UNIT_TEST(what_fails_for_want_of_room_is_not_done_in_part),
	  UNIT_TEST(reads_that_fail_say_so), UNIT_TEST(settles_find_room_when_publishes_do_not),
	  UNIT_TEST(a_full_disk_is_compacted), UNIT_TEST(the_end_answers_all))
