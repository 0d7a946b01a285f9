/* SPDX-License-Identifier: MIT */
#include <semaphore.h>
#include <string.h>

#include "base/list.h"
#include "disk_stage.h"
#include "fixture.h"
#include "room_stage.h"
#include "store/log/disk_log.h"

#include "../unit.h"

/* Room comes back: by itself, and by compaction. */

#define SEGMENT (UINT64_C(64) << 10)
#define SIZE	((size_t)1000)

static uint64_t bound;

static bool is_bounded(void)
{
	return room_disk_bytes() <= bound;
}

static void wait_for_room(uint64_t n_segments)
{
	bound = n_segments * SEGMENT;
	wait_until(is_bounded);
}

/* ---- Recycling ---- */

/* 6 MB in order. */
static void what_is_settled_in_order_is_written_over(void)
{
	uint64_t last = 0, most = 0;

	room_begin();
	for (uint64_t seq = 1; seq <= 6000; seq += 50) {
		room_publish(1, seq, seq + 49, SIZE);
		room_settle(1, seq, seq + 49);
		struct room_files files = room_files();
		CU_ASSERT_TRUE(files.last_serial >= last);
		CU_ASSERT_TRUE(files.n_spares <= 4);
		last = files.last_serial;
		if (room_disk_bytes() > most)
			most = room_disk_bytes();
	}
	CU_ASSERT_TRUE(last > 80);
	CU_ASSERT_TRUE(most <= 12 * SEGMENT);
	wait_for_room(7);
	CU_ASSERT_EQUAL(stats().live_messages, 0);
	/* the count is what is there */
	struct room_files files = room_files();
	CU_ASSERT_EQUAL(room_disk_bytes(), (files.n_segments + files.n_spares) * SEGMENT);
	room_reopen();
	room_publish(1, 6001, 6001, SIZE);
	CU_ASSERT_TRUE(room_files().last_serial > last);
	CU_ASSERT_EQUAL(room_read(1, 6001, SIZE), STORE_DURABLE);
	CU_ASSERT_TRUE(room_disk_bytes() <= 8 * SEGMENT);
	room_end();
}

static void large_ones_have_segments_of_their_own(void)
{
	room_begin();
	room_publish(1, 1, 3, 3 * SEGMENT);
	for (uint64_t seq = 1; seq <= 3; seq++)
		CU_ASSERT_EQUAL(room_read(1, seq, 3 * SEGMENT), STORE_DURABLE);
	CU_ASSERT_TRUE(room_disk_bytes() > 9 * SEGMENT);
	room_reopen();
	for (uint64_t seq = 1; seq <= 3; seq++)
		CU_ASSERT_EQUAL(room_read(1, seq, 3 * SEGMENT), STORE_DURABLE);
	room_settle(1, 1, 3);
	room_publish(1, 4, 4, SIZE);
	wait_for_room(6);
	room_end();
}

/* ---- Pins ---- */

struct stopper {
	struct helper_job job;
	sem_t semaphore;
	bool is_done;
};

static void stop_helper(struct helper_job *job)
{
	CU_ASSERT_EQUAL(sem_wait(&container_of(job, struct stopper, job)->semaphore), 0);
}

static void stopped(struct helper_job *job)
{
	container_of(job, struct stopper, job)->is_done = true;
}

struct slow_read {
	struct store_read read;
	bool is_done;
	unsigned n_good;
};

static void slow_body(struct store_read *read, size_t index, enum store_result result,
		      struct slice body)
{
	container_of(read, struct slow_read, read)->n_good +=
		result == STORE_DURABLE && body_is(body, room_number(1, read->seqs[index]), SIZE);
}

static void slow_done(struct store_read *read)
{
	container_of(read, struct slow_read, read)->is_done = true;
}

static bool has_lost_first(void)
{
	return !room_has_segment(1);
}

static bool has_lost_second(void)
{
	return !room_has_segment(2);
}

static void a_read_under_way_keeps_its_segment(void)
{
	struct disk_log *log;
	struct stopper stopper = {.job = {.run = stop_helper, .done = stopped}};
	static const uint64_t seqs[] = {1, 2, 3};
	struct slow_read slow = {.read = {.queue_id = 1,
					  .seqs = seqs,
					  .n_seqs = 3,
					  .body = slow_body,
					  .done = slow_done}};

	room_begin();
	log = container_of(the_log, struct disk_log, log);
	room_publish(1, 1, 200, SIZE);
	CU_ASSERT_EQUAL(sem_init(&stopper.semaphore, 0, 0), 0);
	CU_ASSERT_EQUAL(helper_give(log->helper, &stopper.job), 0);
	CALL(store_log_read(the_log, &slow.read));
	room_settle(1, 1, 200);
	/* the one behind it goes, and this one does not */
	wait_until(has_lost_second);
	CU_ASSERT_TRUE(room_has_segment(1));
	CU_ASSERT_EQUAL(sem_post(&stopper.semaphore), 0);
	wait_for(&slow.is_done);
	CU_ASSERT_EQUAL(slow.n_good, 3);
	wait_until(has_lost_first);
	CU_ASSERT_EQUAL(sem_destroy(&stopper.semaphore), 0);
	room_end();
}

static struct slow_read last_read;

static void read_more(const struct op *op)
{
	(void)op;
	CALL(store_log_read(the_log, &last_read.read));
}

static void a_read_that_the_last_completion_asks_for_is_answered(void)
{
	static const uint64_t seqs[] = {1, 2, 3};
	struct op *op = op_begin();

	last_read = (struct slow_read){.read = {.queue_id = 1,
						.seqs = seqs,
						.n_seqs = 3,
						.body = slow_body,
						.done = slow_done}};
	room_begin();
	room_publish(1, 1, 3, SIZE);
	op_range(op, STORE_SETTLE, 1, 3, 3);
	op->done = read_more;
	op_submit(op);
	room_end();
	CU_ASSERT_EQUAL(ops_pending, 0);
	CU_ASSERT_TRUE(last_read.is_done);
	CU_ASSERT_EQUAL(last_read.n_good, 2);
}

/* ---- Long ranges ---- */

enum { LONG = 300000 };

static void long_ranges_are_entered_in_order(void)
{
	static const uint64_t left[] = {1, 2, LONG - 1, LONG};
	uint8_t first;

	room_begin();
	room_publish(1, 1, LONG, 16);
	room_publish(2, 1, 3, SIZE);

	struct op *op = op_begin();
	op_range(op, STORE_REQUEUE, 1, 1, LONG);
	op_submit(op);
	op = op_begin();
	op_range(op, STORE_SETTLE, 1, 3, LONG - 2);
	op_submit(op);
	op = op_begin();
	op_range(op, STORE_SETTLE, 2, 2, 2);
	op_submit(op);
	ops_wait();
	CU_ASSERT_EQUAL(stats().live_messages, 4 + 2);
	CU_ASSERT_EQUAL(recover()->n_messages, 4 + 2);
	for (unsigned i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(recover()->messages[i].seq, left[i]);
		CU_ASSERT_EQUAL(recover()->messages[i].deliveries, 1);
	}
	op = op_begin();
	op_range(op, STORE_PURGE, 1, 0, UINT64_MAX);
	op_submit(op);
	ops_wait();
	CU_ASSERT_EQUAL(stats().live_messages, 2);
	CU_ASSERT_EQUAL(read_one(1, 1, &first), STORE_ERROR);
	wait_for_room(12);
	room_reopen();
	CU_ASSERT_EQUAL(recover()->n_messages, 2);
	room_end();
}

/* The end does not wait for turns. */
static void long_purge_at_the_end(void)
{
	room_begin();
	room_publish(1, 1, LONG, 16);
	struct op *op = op_begin();
	op_range(op, STORE_PURGE, 1, 0, LONG);
	op_submit(op);
	room_reopen();
	CU_ASSERT_EQUAL(recover()->n_messages, 0);
	CU_ASSERT_EQUAL(recover()->last_seqs[1], LONG);
	room_end();
}

UNIT_MAIN("store/room", UNIT_TEST(what_is_settled_in_order_is_written_over),
	  UNIT_TEST(large_ones_have_segments_of_their_own),
	  UNIT_TEST(a_read_under_way_keeps_its_segment),
	  UNIT_TEST(a_read_that_the_last_completion_asks_for_is_answered),
	  UNIT_TEST(long_ranges_are_entered_in_order), UNIT_TEST(long_purge_at_the_end))
