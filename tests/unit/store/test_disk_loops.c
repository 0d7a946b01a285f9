/* SPDX-License-Identifier: MIT */
/* Another number of loops than at the last run: the logs are written anew. */
#include "disk_image.h"
#include "disk_scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/disk.h"

#include "../unit.h"

#define N_QUEUES 40

/* Some of each queue are settled, requeued, expire; one body is in all, and one in every third. */
static void fill(void)
{
	for (uint64_t queue_id = 1; queue_id <= N_QUEUES; queue_id++) {
		for (uint64_t seq = 1; seq <= 4 + queue_id % 5; seq++)
			scene_put(queue_id, seq, 16 + queue_id * seq * 20);
		scene_range(STORE_SETTLE, queue_id, 2, 2);
		scene_range(STORE_REQUEUE, queue_id, 3, 4);
		scene_range(STORE_REQUEUE, queue_id, 4, 4);
	}
	scene_range(STORE_PURGE, 17, 0, 100);
	scene_range(STORE_PURGE, 18, 0, UINT64_MAX);
}

/* Queues of one log only can share a body. */
static void fill_shared(unsigned n_logs)
{
	for (unsigned log = 0; log < n_logs; log++) {
		struct entry entry;
		uint32_t body;

		entry_begin(&entry);
		body = scene_publish(&entry, 777, 9000);
		for (uint64_t queue_id = 1; queue_id <= N_QUEUES; queue_id++)
			if (queue_id % n_logs == log)
				entry_enqueue(&entry, body, queue_id, 50, 1000 + queue_id);
		CU_ASSERT_EQUAL(scene_do(&entry), STORE_DURABLE);
	}
	scene_range(STORE_SETTLE, 20, 50, 50);
}

static void check_queue(uint64_t queue_id)
{
	uint64_t last = queue_id == 17 || queue_id == 18 ? 0 : 4 + queue_id % 5;
	const struct scene_seen *shared = scene_find(queue_id, 50);

	for (uint64_t seq = 1; seq <= 9; seq++) {
		const struct scene_seen *seen = scene_find(queue_id, seq);

		CU_ASSERT_EQUAL(seen != NULL, seq <= last && seq != 2);
		if (!seen)
			continue;
		CU_ASSERT_EQUAL(seen->tag, queue_id * 1000 + seq);
		CU_ASSERT_EQUAL(seen->size, 16 + queue_id * seq * 20);
		CU_ASSERT_EQUAL(seen->deliveries, seq == 3 ? 1 : seq == 4 ? 2 : 0);
	}
	CU_ASSERT_EQUAL(shared != NULL, queue_id != 20);
	if (shared) {
		CU_ASSERT_EQUAL(shared->tag, 777);
		CU_ASSERT_EQUAL(shared->expires_ms, 1000 + queue_id);
	}
}

static void check(unsigned n_logs)
{
	scene_recover();
	for (uint64_t queue_id = 1; queue_id <= N_QUEUES; queue_id++)
		check_queue(queue_id);
	for (size_t i = 0; i < scene_n_seen; i++)
		CU_ASSERT_EQUAL(scene_seen[i].log, scene_seen[i].queue_id % n_logs);
}

static void make(const char *name, unsigned n_logs)
{
	scene_begin(name, n_logs);
	fill();
	fill_shared(n_logs);
	check(n_logs);
	scene_end();
}

/* The folders of one generation, and no others. */
static void check_folders(const char *name, unsigned generation, unsigned n_logs)
{
	const char *path = disk_stage_path(name);
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "log-%u-", generation);
	CU_ASSERT_EQUAL(tree_count(path, prefix), n_logs);
	CU_ASSERT_EQUAL(tree_count(path, "log-"), n_logs);
}

static void one_three_two_four(void)
{
	static const unsigned counts[] = {3, 2, 4, 4, 1};

	make("loops", 1);
	check_folders("loops", 1, 1);
	for (unsigned i = 0; i < 5; i++) {
		scene_open("loops", counts[i]);
		CU_ASSERT_TRUE(store_is_clean(the_store));
		check(counts[i]);
		scene_put(60, 1, 30); /* it goes on */
		scene_range(STORE_SETTLE, 60, 1, 1);
		scene_end();
		CU_ASSERT_EQUAL(disk_reports.n, 0);
		check_folders("loops", i < 3 ? i + 2 : i + 1, counts[i]);
	}
}

static void after_a_kill(void)
{
	scene_begin("loops", 2);
	fill();
	fill_shared(2);
	tree_copy(disk_stage_path("loops"), disk_stage_path("killed"));
	scene_end();
	scene_open("killed", 3);
	CU_ASSERT_FALSE(store_is_clean(the_store));
	check(3);
	tree_copy(disk_stage_path("killed"), disk_stage_path("killed-again"));
	scene_end();
	scene_open("killed-again", 3);
	CU_ASSERT_FALSE(store_is_clean(the_store));
	check(3);
	scene_end();
}

/* For each of the two old logs one. */
static void one_body_stays_one(void)
{
	unsigned n = 0;

	make("loops", 2);
	scene_open("loops", 1);
	scene_end();
	for (unsigned serial = 1;; serial++) {
		struct image image;
		char path[64];

		snprintf(path, sizeof(path), "loops/log-2-0/%016x.log", serial);
		if (!tree_exists(disk_stage_path(path)))
			break;
		image_load(&image, disk_stage_path(path));
		for (size_t i = 0; i < image.n_records; i++)
			n += image.records[i].type == RECORD_MESSAGE && image.records[i].seq == 50;
		image_free(&image);
	}
	CU_ASSERT_EQUAL(n, 2);
}

/* Messages larger than a segment, and more than one segment of them. */
static void large_ones(void)
{
	scene_begin("loops", 1);
	for (uint64_t queue_id = 1; queue_id <= 10; queue_id++)
		scene_put(queue_id, 1, queue_id * 30000);
	scene_end();
	scene_open("loops", 4);
	scene_recover();
	CU_ASSERT_EQUAL(scene_n_seen, 10);
	for (uint64_t queue_id = 1; queue_id <= 10; queue_id++)
		CU_ASSERT_EQUAL(scene_find(queue_id, 1)->size, queue_id * 30000);
	scene_end();
}

static void damaged_one_is_not_carried(void)
{
	struct image image;

	make("loops", 1);
	image_load(&image, disk_stage_path("loops/log-1-0/0000000000000001.log"));
	image.file.bytes[image_message(&image, 1, 3)->offset + 60] ^= 1;
	tree_write(disk_stage_path("loops/log-1-0/0000000000000001.log"), image.file.bytes,
		   image.file.size);
	image_free(&image);
	scene_open("loops", 2);
	CU_ASSERT_EQUAL(disk_reports.n_errors, 1);
	CU_ASSERT_EQUAL(tree_count(disk_stage_path("loops/damaged"), ""), 1);
	scene_recover();
	CU_ASSERT_PTR_NULL(scene_find(1, 3));
	CU_ASSERT_PTR_NOT_NULL(scene_find(1, 4));
	scene_end();
	scene_open("loops", 2);
	CU_ASSERT_EQUAL(disk_reports.n, 0);
	scene_end();
}

/* ---- Changes that did not come to their end ---- */

/*
 * Each operation on files fails in turn, and all that follow, as if the process had ended there:
 * what is on the disk then is opened with the old number, or the new one.
 */
static void stop_at(unsigned n, unsigned then_logs)
{
	struct store *store = NULL;
	char reason[512];

	tree_copy(disk_stage_path("loops"), disk_stage_path("stopped"));
	disk_options.path = disk_stage_path("stopped");
	disk_options.n_logs = 3;
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(3), 0);
	disk_fault_at(n, EIO, true);
	if (store_disk_open(&disk_options, &store, reason, sizeof(reason)) == 0)
		store_destroy(store);
	disk_fault_off();
	loop_pool_destroy();
	scene_open("stopped", then_logs);
	check(then_logs);
	scene_end();
	CU_ASSERT_EQUAL(tree_count(disk_stage_path("stopped"), "log-"), then_logs);
}

static void stopped_anywhere(void)
{
	unsigned n;

	make("loops", 2);
	tree_copy(disk_stage_path("loops"), disk_stage_path("stopped"));
	disk_fault_watch();
	scene_open("stopped", 3);
	n = disk_fault_count();
	disk_fault_off();
	scene_end();
	CU_ASSERT_TRUE(n > 50);
	for (unsigned i = 1; i <= n; i++)
		stop_at(i, 2 + i % 3);
}

/* A copy of the first file that is in `from` to `to`, or of half of it. */
static void copy_part(const char *from, const char *to, size_t parts)
{
	struct tree_file file = tree_read(disk_stage_path(from));

	tree_write(disk_stage_path(to), file.bytes, file.size / parts);
	free(file.bytes);
}

/* New folders, half written; of more logs than there are now. */
static void leftovers_of_a_generation_to_come(void)
{
	make("loops", 2);
	tree_copy(disk_stage_path("loops"), disk_stage_path("changed"));
	scene_open("changed", 4);
	scene_end();
	for (unsigned i = 0; i < 4; i++) {
		char from[64], to[64];

		snprintf(from, sizeof(from), "changed/log-2-%u/0000000000000001.log", i);
		snprintf(to, sizeof(to), "loops/log-2-%u", i);
		CU_ASSERT_EQUAL_FATAL(mkdir(disk_stage_path(to), 0700), 0);
		snprintf(to, sizeof(to), "loops/log-2-%u/0000000000000001.log", i);
		if (i < 3) /* the last is empty yet */
			copy_part(from, to, i + 1);
	}
	tree_copy(disk_stage_path("loops"), disk_stage_path("again"));
	for (unsigned n_logs = 1; n_logs <= 5; n_logs++) {
		tree_copy(disk_stage_path("again"), disk_stage_path("loops"));
		scene_open("loops", n_logs);
		check(n_logs);
		scene_end();
		check_folders("loops", n_logs == 2 ? 1 : 2, n_logs);
		scene_open("loops", n_logs);
		check(n_logs);
		scene_end();
	}
}

/* The database names the new ones already. */
static void leftovers_of_the_last_generation(void)
{
	make("loops", 2);
	tree_copy(disk_stage_path("loops"), disk_stage_path("changed"));
	scene_open("changed", 3);
	scene_end();
	tree_copy(disk_stage_path("loops/log-1-0"), disk_stage_path("changed/log-1-0"));
	tree_copy(disk_stage_path("loops/log-1-1"), disk_stage_path("changed/log-1-1"));
	tree_copy(disk_stage_path("changed"), disk_stage_path("again"));
	scene_open("changed", 3);
	check(3);
	scene_end();
	check_folders("changed", 2, 3);
	scene_open("again", 1);
	check(1);
	scene_end();
	check_folders("again", 3, 1);
}

UNIT_MAIN("store/disk_loops", UNIT_TEST(one_three_two_four), UNIT_TEST(after_a_kill),
	  UNIT_TEST(one_body_stays_one), UNIT_TEST(large_ones),
	  UNIT_TEST(damaged_one_is_not_carried), UNIT_TEST(stopped_anywhere),
	  UNIT_TEST(leftovers_of_a_generation_to_come), UNIT_TEST(leftovers_of_the_last_generation))
