/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "disk_stage.h"
#include "fixture.h"
#include "room_stage.h"

#include "../unit.h"

/* Segments with nothing alive, which must stay for the sake of older ones: they are not many. */

#define SEGMENT (UINT64_C(64) << 10)
#define SIZE	((size_t)1000)

static uint64_t most;

static void note_room(void)
{
	if (room_disk_bytes() > most)
		most = room_disk_bytes();
}

static uint64_t bound;

static bool is_bounded(void)
{
	return room_disk_bytes() <= bound;
}

enum {
	OLD = 400,
	TRAFFIC = 6000,
	STEP = 30,
};

/* A segment's worth of traffic at a time, and with each some more of the old ones are settled. */
static void old_messages_and_long_traffic(void)
{
	uint64_t old = 1;

	most = 0;
	room_begin();
	room_publish(1, 1, OLD, SIZE);
	for (uint64_t seq = 1; seq <= TRAFFIC; seq += STEP) {
		room_publish(2, seq, seq + STEP - 1, SIZE);
		room_settle(2, seq, seq + STEP - 1);
		if (old < OLD) {
			room_settle(1, old, old);
			old += 2;
		}
		/* a slow machine may be behind: it is told how much at most */
		bound = 36 * SEGMENT;
		wait_until(is_bounded);
		note_room();
	}
	bound = 24 * SEGMENT;
	wait_until(is_bounded);
	room_reopen();
	const struct replay *replay = recover();
	CU_ASSERT_EQUAL(replay->n_messages, OLD / 2);
	for (size_t i = 0; i < replay->n_messages; i++) {
		CU_ASSERT_EQUAL(replay->messages[i].queue_id, 1);
		CU_ASSERT_EQUAL(replay->messages[i].seq, 2 * i + 2);
		if (i % 20 == 0)
			CU_ASSERT_EQUAL(room_read(1, 2 * i + 2, SIZE), STORE_DURABLE);
	}
	room_end();
}

/* One segment with so many queues that everything may concern it. */
static void more_queues_than_can_be_told_apart(void)
{
	room_begin();
	for (uint64_t i = 0; i < 400; i++) {
		struct op *op = op_begin();

		(void)op_publish(op, i, 8);
		for (uint64_t k = 0; k < 5; k++)
			(void)op_enqueue(op, 10 + i * 5 + k, 1);
		op_submit(op);
	}
	ops_wait();
	for (uint64_t seq = 1; seq <= TRAFFIC / 2; seq += STEP) {
		room_publish(2, seq, seq + STEP - 1, SIZE);
		/* one by one, and each with a settle of an old one beside it */
		for (uint64_t k = 0; k < STEP; k++) {
			struct op *op = op_begin();

			op_range(op, STORE_SETTLE, 2, seq + k, seq + k);
			op_submit(op);
		}
		room_settle(10 + seq / STEP, 1, 1);
		bound = 30 * SEGMENT;
		wait_until(is_bounded);
	}
	room_reopen();
	CU_ASSERT_EQUAL(recover()->n_messages, 2000 - TRAFFIC / 2 / STEP);
	CU_ASSERT_EQUAL(stats().live_messages, 2000 - TRAFFIC / 2 / STEP);
	room_end();
}

static uint64_t requeue_serial;

static bool requeue_has_gone(void)
{
	return !room_has_segment(requeue_serial);
}

/* The record of a requeue is carried along; the message was requeued once all the same. */
static void carried_requeues_do_not_count_again(void)
{
	room_begin();
	room_publish(1, 1, 100, SIZE);
	struct op *op = op_begin();
	op_range(op, STORE_REQUEUE, 1, 1, 3);
	op_submit(op);
	ops_wait();
	uint64_t serial = room_files().last_serial;
	for (uint64_t seq = 1; seq <= 1000; seq += 50) {
		room_publish(2, seq, seq + 49, SIZE);
		room_settle(2, seq, seq + 49);
	}
	CU_ASSERT_TRUE_FATAL(room_has_segment(serial));
	/* none is left of those of queue 1, and the segment with the record goes, too */
	requeue_serial = serial;
	store_log_compact(the_log);
	wait_until(requeue_has_gone);
	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(recover()->messages[i].deliveries, i < 3 ? 1 : 0);
	room_reopen();
	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(recover()->messages[i].deliveries, i < 3 ? 1 : 0);
	room_end();
}

UNIT_MAIN("store/kept_segments", UNIT_TEST(old_messages_and_long_traffic),
	  UNIT_TEST(more_queues_than_can_be_told_apart),
	  UNIT_TEST(carried_requeues_do_not_count_again))
