/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "disk_stage.h"
#include "fixture.h"
#include "room_stage.h"
#include "store/disk.h"
#include "store/log/disk_log.h"

#include "../unit.h"

/* What is alive is moved, and nothing else changes by that. */

#define SEGMENT (UINT64_C(64) << 10)
#define SIZE	((size_t)500)

enum {
	QUEUES = 10,
	SEQS = 200,
	KEPT = 12, /* each so many-th number stays */
};

static struct disk_log *the_disk_log(void)
{
	return container_of(the_log, struct disk_log, log);
}

static void ignored(const struct op *op)
{
	(void)op;
}

static bool is_marked;

static void mark_done(struct store_append *append, enum store_result result)
{
	(void)append;
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	is_marked = true;
}

static bool was_marked(void)
{
	return is_marked;
}

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

static bool is_compacted(void)
{
	const struct reclaim *reclaim = &the_disk_log()->reclaim;

	return !reclaim->is_forced && !reclaim->segment;
}

static void compact(void)
{
	CALL(store_log_compact(the_log));
	wait_until(is_compacted);
}

static bool is_kept(uint64_t seq)
{
	return seq % KEPT == 0;
}

static uint64_t expiry(uint64_t queue, uint64_t seq)
{
	return seq % 2 == 0 ? 5000000000000 + queue * 1000 + seq : 0;
}

static unsigned deliveries(uint64_t seq)
{
	return seq % (KEPT * 2) == 0 ? 2 : 0;
}

/* Queues side by side. */
static void fill(bool is_transient)
{
	for (uint64_t seq = 1; seq <= SEQS; seq++)
		for (uint64_t queue = 1; queue <= QUEUES; queue++) {
			struct op *op = op_begin();
			uint32_t publish = op_publish(op, room_number(queue, seq), SIZE);

			op->records[publish].is_transient = is_transient;
			op_enqueue(op, queue, seq)->expires_ms = expiry(queue, seq);
			op_submit(op);
		}
	ops_wait();
}

static void settle_most(void)
{
	for (uint64_t seq = 1; seq <= SEQS; seq++)
		for (uint64_t queue = 1; queue <= QUEUES; queue++) {
			struct op *op = op_begin();

			if (!is_kept(seq))
				op_range(op, STORE_SETTLE, queue, seq, seq);
			for (unsigned i = 0; is_kept(seq) && i < deliveries(seq); i++)
				op_range(op, STORE_REQUEUE, queue, seq, seq);
			op->append.is_lazy = true;
			op_submit(op);
		}
	ops_wait();
}

static void check_bodies(void)
{
	for (uint64_t seq = 1; seq <= SEQS; seq += 1 + seq % 3)
		for (uint64_t queue = 1; queue <= QUEUES; queue += 3)
			CU_ASSERT_EQUAL(room_read(queue, seq, SIZE),
					is_kept(seq) ? STORE_DURABLE : STORE_ERROR);
}

static void check_replay(void)
{
	const struct replay *replay = recover();
	size_t i = 0;

	CU_ASSERT_EQUAL(replay->n_messages, QUEUES * (SEQS / KEPT));
	for (uint64_t queue = 1; queue <= QUEUES; queue++)
		for (uint64_t seq = KEPT; seq <= SEQS && i < replay->n_messages; seq += KEPT) {
			const struct replayed *message = &replay->messages[i++];

			CU_ASSERT_EQUAL(message->queue_id, queue);
			CU_ASSERT_EQUAL(message->seq, seq);
			CU_ASSERT_EQUAL(message->expires_ms, expiry(queue, seq));
			CU_ASSERT_EQUAL(message->deliveries, deliveries(seq));
		}
}

static void by_itself_or(bool is_asked)
{
	room_begin();
	fill(false);
	uint64_t before = room_disk_bytes();
	settle_most();
	check_bodies();
	if (is_asked)
		CALL(store_log_compact(the_log));
	check_bodies();
	wait_for_room(before / SEGMENT / 2);
	check_bodies();
	check_replay();
	room_reopen();
	check_replay();
	check_bodies();
	room_publish(1, SEQS + 1, SEQS + 100, SIZE);
	room_settle(1, SEQS + 1, SEQS + 100);
	compact();
	check_bodies();
	room_reopen();
	check_replay();
	room_end();
}

static void mostly_dead_ones_are_moved(void)
{
	by_itself_or(false);
}

static void all_are_moved_when_asked(void)
{
	by_itself_or(true);
}

static void transient_ones_are_moved_while_the_run_lasts(void)
{
	room_begin();
	fill(true);
	settle_most();
	compact();
	check_bodies();
	wait_for_room(10);
	room_reopen();
	CU_ASSERT_EQUAL(recover()->n_messages, 0);
	CU_ASSERT_EQUAL(room_read(1, KEPT, SIZE), STORE_ERROR);
	room_end();
}

/* ---- What happens meanwhile ---- */

struct job {
	struct helper_job job;
	sem_t semaphore;
};

static void wait_here(struct helper_job *job)
{
	CU_ASSERT_EQUAL(sem_wait(&container_of(job, struct job, job)->semaphore), 0);
}

static void tell_here(struct helper_job *job)
{
	CU_ASSERT_EQUAL(sem_post(&container_of(job, struct job, job)->semaphore), 0);
}

/* Just before the segment that was read is looked at: these are on their way to the writer. */
static void change_much(struct helper_job *job)
{
	(void)job;
	for (uint64_t queue = 1; queue <= QUEUES; queue++) {
		struct op *op = op_begin();

		op_range(op, STORE_SETTLE, queue, KEPT, KEPT);
		op_range(op, STORE_REQUEUE, queue, 2 * KEPT, 2 * KEPT);
		op_range(op, STORE_REQUEUE, queue, 3 * KEPT, 3 * KEPT);
		op_submit(op);
	}
}

static void nothing(struct helper_job *job)
{
	(void)job;
}

static bool is_reading(void)
{
	return the_disk_log()->reclaim.job;
}

static void check_changed(unsigned n_settled)
{
	const struct replay *replay = recover();

	CU_ASSERT_EQUAL(replay->n_messages, QUEUES * (SEQS / KEPT - n_settled));
	for (size_t i = 0; i < replay->n_messages; i++) {
		const struct replayed *message = &replay->messages[i];
		bool is_one_more = message->seq == 2 * KEPT || message->seq == 3 * KEPT;

		CU_ASSERT_NOT_EQUAL(message->seq, KEPT);
		CU_ASSERT_EQUAL(message->deliveries, deliveries(message->seq) + is_one_more);
	}
}

static void what_is_on_its_way_counts_for_the_copies(void)
{
	struct job first = {.job = {.run = wait_here, .done = change_much}};
	struct job last = {.job = {.run = tell_here, .done = nothing}};

	room_begin();
	fill(false);
	settle_most();
	CU_ASSERT_EQUAL(sem_init(&first.semaphore, 0, 0), 0);
	CU_ASSERT_EQUAL(sem_init(&last.semaphore, 0, 0), 0);
	wait_until(is_compacted);
	CU_ASSERT_EQUAL(helper_give(the_disk_log()->helper, &first.job), 0);
	CALL(store_log_compact(the_log));
	wait_until(is_reading);
	CU_ASSERT_EQUAL(helper_give(the_disk_log()->helper, &last.job), 0);
	CU_ASSERT_EQUAL(sem_post(&first.semaphore), 0);
	CU_ASSERT_EQUAL(sem_wait(&last.semaphore), 0);
	compact();
	ops_wait();
	check_changed(1);
	room_publish(1, SEQS + 1, SEQS + 200, SIZE);
	room_settle(1, SEQS + 1, SEQS + 200);
	compact();
	wait_for_room(12);
	room_reopen();
	check_changed(1);
	CU_ASSERT_EQUAL(sem_destroy(&first.semaphore), 0);
	CU_ASSERT_EQUAL(sem_destroy(&last.semaphore), 0);
	room_end();
}

static bool is_appending(void)
{
	const struct reclaim *reclaim = &the_disk_log()->reclaim;

	return reclaim->is_appending || is_compacted();
}

/* While copies are under way; then the folder is taken as it is. */
static void settled_ones_stay_dead(void)
{
	room_begin();
	fill(false);
	settle_most();
	CALL(store_log_compact(the_log));
	for (uint64_t i = 1; i <= SEQS / KEPT; i++) {
		wait_until(is_appending);
		for (uint64_t queue = 1; queue <= QUEUES; queue++) {
			struct op *op = op_begin();

			op_range(op, STORE_SETTLE, queue, i * KEPT, i * KEPT);
			op_submit(op);
		}
		ops_wait();
		if (i % 3 != 1)
			continue;
		room_copy();
		room_end();
		room_open_copy();
		const struct replay *replay = recover();
		CU_ASSERT_EQUAL(replay->n_messages, QUEUES * (SEQS / KEPT - i));
		for (size_t k = 0; k < replay->n_messages; k++)
			CU_ASSERT_TRUE(replay->messages[k].seq > i * KEPT);
		/* and it goes on from there */
		disk_stage_remove(disk_stage_path("room"));
		disk_stage_copy(disk_options.path, disk_stage_path("room"));
		room_end();
		room_open_at(disk_stage_path("room"));
		CALL(store_log_compact(the_log));
	}
	compact();
	room_end();
}

static void damaged_ones_are_left_alone(void)
{
	char path[400];
	int fd;

	room_begin();
	fill(false);
	settle_most();
	room_reopen();
	snprintf(path, sizeof(path), "%s/log-1-0/%016" PRIx64 ".log", disk_options.path,
		 room_files().first_serial);
	fd = open(path, O_WRONLY);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	for (off_t at = 4096; at < (off_t)SEGMENT; at += 256)
		CU_ASSERT_EQUAL(pwrite(fd, "x", 1, at), 1);
	CU_ASSERT_EQUAL(close(fd), 0);
	compact();
	unsigned n_errors = disk_reports.n_errors;
	CU_ASSERT_EQUAL(room_read(2, KEPT, SIZE), STORE_ERROR);
	CU_ASSERT_TRUE(disk_reports.n_errors > n_errors);
	CU_ASSERT_EQUAL(room_read(2, SEQS / KEPT * KEPT, SIZE), STORE_DURABLE);
	room_end();
}

/* A transaction of which the last record is missing: it has never been. */
static void cut_off_transaction(void)
{
	struct op *op = op_begin();

	op_range(op, STORE_SETTLE, 1, 2, 2);
	op_range(op, STORE_SETTLE, 2, 10, 10);
	op->append.is_atomic = true;
	op->done = ignored;
	disk_fault_filter(DISK_WRITE | DISK_TRUNCATE);
	disk_fault_torn_at(1, EIO, true,
			   RECORD_BATCH_SIZE + RECORD_HEAD_SIZE + RECORD_RANGES_SIZE(1));
	op_submit(op);
	ops_wait();
	room_copy();
	disk_fault_off();
	room_end();
	room_open_copy();
}

/* Its segment has ranges that count, and is moved while the one that they concern stays. */
static void what_was_left_out_is_not_moved(void)
{
	struct op *op = op_begin();

	room_begin();
	room_publish(1, 1, 200, SIZE);
	room_publish(2, 1, 10, SIZE);
	room_settle(2, 1, 9);
	op_range(op, STORE_REQUEUE, 1, 1, 1);
	op_submit(op);
	ops_wait();
	cut_off_transaction();
	CU_ASSERT_EQUAL(recover()->n_messages, 201);
	room_publish(3, 1, 1, SIZE);
	compact();
	CU_ASSERT_EQUAL(recover()->n_messages, 202);
	CU_ASSERT_EQUAL(room_read(1, 2, SIZE), STORE_DURABLE);
	room_reopen();
	CU_ASSERT_EQUAL(recover()->n_messages, 202);
	room_end();
}

/*
 * One record with more ranges than fit into a piece, all of them about a segment that stays: they
 * are carried in several.
 */
static void many_ranges_of_one_record(void)
{
	enum { RANGES = 6000 };
	static struct store_record records[RANGES];
	struct store_append append = {.records = records, .n_records = RANGES, .done = mark_done};

	room_begin();
	room_publish(1, 1, 100, SIZE);
	room_publish(2, 1, 10, SIZE);
	for (uint64_t i = 0; i < RANGES; i++)
		records[i] = (struct store_record){.type = STORE_REQUEUE,
						   .queue_id = 1,
						   .seq_first = 1 + i % 100,
						   .seq_last = 1 + i % 100};
	is_marked = false;
	CALL(store_log_append(the_log, the_epoch, &append));
	wait_until(was_marked);
	room_settle(2, 1, 9);
	room_publish(3, 1, 200, SIZE);
	room_reopen();
	compact();
	room_reopen();
	const struct replay *replay = recover();
	CU_ASSERT_EQUAL(replay->n_messages, 301);
	for (size_t i = 0; i < 100; i++) /* if both are there they count twice */
		CU_ASSERT_TRUE(replay->messages[i].deliveries >= RANGES / 100);
	room_end();
}

/*
 * Ids of queues that do not outlive the process come again in the next one. What a segment of an
 * earlier run says of them must not be said anew; here all may concern the first segment, as it
 * holds too many queues to tell.
 */
static void ranges_of_queues_that_have_gone_are_not_moved(void)
{
	struct op *op;

	room_begin();
	for (uint64_t queue = 10; queue < 2010; queue += 5) {
		op = op_begin();
		(void)op_publish(op, queue, 8);
		for (uint64_t i = 0; i < 5; i++)
			(void)op_enqueue(op, queue + i, 1);
		op_submit(op);
	}
	ops_wait();
	room_publish(3, 1, 20, SIZE);
	room_publish(STORE_TRANSIENT_ID, 1, 5, SIZE);
	room_settle(STORE_TRANSIENT_ID, 1, 5);
	room_publish(2, 1, 10, SIZE);
	room_settle(2, 1, 9);
	op = op_begin();
	op_range(op, STORE_REQUEUE, 10, 1, 1);
	op_submit(op);
	ops_wait();
	room_reopen();
	room_publish(STORE_TRANSIENT_ID, 1, 5, SIZE);
	compact();
	for (uint64_t seq = 1; seq <= 5; seq++)
		CU_ASSERT_EQUAL(room_read(STORE_TRANSIENT_ID, seq, SIZE), STORE_DURABLE);
	CU_ASSERT_EQUAL(recover()->n_messages, 2000 + 20 + 1 + 5);
	room_end();
}

UNIT_MAIN("store/compaction", UNIT_TEST(mostly_dead_ones_are_moved),
	  UNIT_TEST(all_are_moved_when_asked),
	  UNIT_TEST(transient_ones_are_moved_while_the_run_lasts),
	  UNIT_TEST(what_is_on_its_way_counts_for_the_copies), UNIT_TEST(settled_ones_stay_dead),
	  UNIT_TEST(damaged_ones_are_left_alone), UNIT_TEST(what_was_left_out_is_not_moved),
	  UNIT_TEST(many_ranges_of_one_record),
	  UNIT_TEST(ranges_of_queues_that_have_gone_are_not_moved))
