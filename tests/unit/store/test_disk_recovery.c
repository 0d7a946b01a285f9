/* SPDX-License-Identifier: MIT */
/* Stores that end, in good order or not, and what is found in them afterwards. */
#include "disk_scene.h"

#include <errno.h>
#include <string.h>

#include "store/disk.h"

#include "../unit.h"

/* As a crash of the process leaves it: a copy made while the store is open. */
static void copy_open(const char *from, const char *to)
{
	tree_copy(disk_stage_path(from), disk_stage_path(to));
}

static void write_something(void)
{
	struct entry entry;

	for (uint64_t seq = 1; seq <= 20; seq++)
		scene_put(1, seq, 100 + seq);
	entry_begin(&entry);
	entry_enqueue(&entry, scene_publish(&entry, 2001, 300), 2, 1, 123456789);
	CU_ASSERT_EQUAL(scene_do(&entry), STORE_DURABLE);
	scene_range(STORE_SETTLE, 1, 5, 9);
	scene_range(STORE_EXPIRE, 1, 20, 25);
	scene_range(STORE_REQUEUE, 1, 10, 11);
	scene_range(STORE_REQUEUE, 1, 11, 11);
}

static void check_something(void)
{
	scene_recover();
	CU_ASSERT_EQUAL(scene_n_seen, 15);
	CU_ASSERT_EQUAL(scene_last_seqs[1], 25);
	CU_ASSERT_EQUAL(scene_last_seqs[2], 1);
	for (uint64_t seq = 1; seq <= 20; seq++) {
		const struct scene_seen *seen = scene_find(1, seq);
		bool is_settled = (seq >= 5 && seq <= 9) || seq == 20;

		CU_ASSERT_EQUAL(seen != NULL, !is_settled);
		if (!seen)
			continue;
		CU_ASSERT_EQUAL(seen->tag, 1000 + seq);
		CU_ASSERT_EQUAL(seen->size, 100 + seq);
		CU_ASSERT_EQUAL(seen->expires_ms, 0);
		CU_ASSERT_EQUAL(seen->deliveries, seq == 10 ? 1 : seq == 11 ? 2 : 0);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(scene_find(2, 1));
	CU_ASSERT_EQUAL(scene_find(2, 1)->expires_ms, 123456789);
}

static void clean_end(void)
{
	scene_begin("clean", 1);
	CU_ASSERT_TRUE(store_is_clean(the_store));
	write_something();
	scene_end();
	for (unsigned i = 0; i < 3; i++) {
		scene_open("clean", 1);
		CU_ASSERT_TRUE(store_is_clean(the_store));
		check_something();
		scene_end();
		CU_ASSERT_EQUAL(disk_reports.n, 0);
	}
}

static void killed_and_then_clean(void)
{
	scene_begin("first", 1);
	write_something();
	copy_open("first", "killed");
	scene_end();
	scene_open("killed", 1);
	CU_ASSERT_FALSE(store_is_clean(the_store));
	check_something();
	CU_ASSERT_EQUAL(disk_reports.n, 0);
	copy_open("killed", "twice"); /* opened only */
	scene_put(3, 1, 50);
	copy_open("killed", "thrice");
	scene_end();

	scene_open("twice", 1);
	CU_ASSERT_FALSE(store_is_clean(the_store));
	check_something();
	scene_end();

	scene_open("thrice", 1);
	CU_ASSERT_FALSE(store_is_clean(the_store));
	scene_recover();
	CU_ASSERT_EQUAL(scene_n_seen, 16);
	CU_ASSERT_PTR_NOT_NULL(scene_find(3, 1));
	scene_end();

	scene_open("killed", 1);
	CU_ASSERT_TRUE(store_is_clean(the_store));
	scene_recover();
	CU_ASSERT_EQUAL(scene_n_seen, 16);
	scene_range(STORE_PURGE, 3, 0, UINT64_MAX);
	check_something();
	scene_end();
	CU_ASSERT_EQUAL(disk_reports.n, 0);
}

/* ---- Definitions and ids ---- */

struct committing {
	struct store_commit commit;
	bool is_done;
};

static void committed(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	(void)revision;
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	container_of(commit, struct committing, commit)->is_done = true;
}

static void define(const char *key, const char *value)
{
	const struct store_change change = {.key = slice_cstr(key),
					    .value = slice_cstr(value),
					    .expected_revision = STORE_ANY_REVISION};
	struct committing committing = {
		.commit = {.changes = &change, .n_changes = 1, .done = committed}};

	store_commit(the_store, &committing.commit);
	wait_for(&committing.is_done);
}

static unsigned n_loaded;

static void loaded(void *context, struct slice key, struct slice value, uint64_t revision)
{
	(void)context, (void)revision;
	CU_ASSERT_TRUE(slice_equal(key, SLICE_LITERAL("queue/a")));
	CU_ASSERT_TRUE(slice_equal(value, SLICE_LITERAL("durable")));
	n_loaded++;
}

static void definitions_and_ids_stay(void)
{
	uint64_t last;

	scene_begin("definitions", 1);
	define("queue/a", "durable");
	last = store_ids(the_store, 10) + 9;
	copy_open("definitions", "definitions-killed");
	scene_end();
	scene_open("definitions", 1);
	n_loaded = 0;
	CU_ASSERT_EQUAL(store_definitions_load(the_store, SLICE_LITERAL("queue/"), loaded, NULL),
			0);
	CU_ASSERT_EQUAL(n_loaded, 1);
	CU_ASSERT_TRUE(store_ids(the_store, 1) > last);
	scene_end();
	scene_open("definitions-killed", 1);
	CU_ASSERT_EQUAL(store_definitions_load(the_store, SLICE_LITERAL("queue/"), loaded, NULL),
			0);
	CU_ASSERT_EQUAL(n_loaded, 2);
	CU_ASSERT_TRUE(store_ids(the_store, 1) > last);
	scene_end();
}

/* ---- Bodies ---- */

static void large_bodies(void)
{
	static const size_t sizes[] = {16, 4095, 4096, 4097, 5 << 10, 65000, 300 << 10, 5 << 20};
	const unsigned n = sizeof(sizes) / sizeof(*sizes);

	scene_begin("large", 1);
	for (unsigned i = 0; i < n; i++)
		scene_put(1, i + 1, sizes[i]);
	copy_open("large", "large-killed");
	scene_end();
	for (unsigned turn = 0; turn < 2; turn++) {
		scene_open(turn == 0 ? "large" : "large-killed", 1);
		scene_recover();
		CU_ASSERT_TRUE(scene_is_range(1, 1, n));
		for (unsigned i = 0; i < n; i++)
			CU_ASSERT_EQUAL(scene_find(1, i + 1)->size, sizes[i]);
		scene_range(STORE_SETTLE, 1, 1, n);
		scene_end();
	}
	scene_open("large", 1);
	scene_recover();
	CU_ASSERT_EQUAL(scene_n_seen, 0);
	CU_ASSERT_EQUAL(scene_last_seqs[1], n);
	scene_end();
}

/* How often the tag of a body is in a file; bodies begin with it. */
static unsigned count_tag(const char *path, uint64_t tag)
{
	struct tree_file file = tree_read(path);
	unsigned n = 0;

	for (size_t at = 0; at + 16 <= file.size; at += 8) {
		uint64_t found;

		memcpy(&found, file.bytes + at, sizeof(found));
		n += found == tag;
	}
	free(file.bytes);
	return n;
}

static void body_of_many_queues_is_written_once(void)
{
	const uint64_t tag = UINT64_C(0x123456789abcdef1);
	struct entry entry;
	uint32_t body;

	scene_begin("shared", 1);
	entry_begin(&entry);
	body = scene_publish(&entry, tag, 7000);
	for (uint64_t queue_id = 1; queue_id <= 30; queue_id++)
		entry_enqueue(&entry, body, queue_id, 5, queue_id * 10);
	CU_ASSERT_EQUAL(scene_do(&entry), STORE_DURABLE);
	scene_range(STORE_SETTLE, 7, 5, 5);
	scene_end();
	CU_ASSERT_EQUAL(count_tag(disk_stage_newest(disk_stage_path("shared"), 1, 0), tag), 1);
	scene_open("shared", 1);
	scene_recover();
	CU_ASSERT_EQUAL(scene_n_seen, 29);
	CU_ASSERT_PTR_NULL(scene_find(7, 5));
	for (uint64_t queue_id = 1; queue_id <= 30; queue_id++)
		if (queue_id != 7)
			CU_ASSERT_EQUAL(scene_find(queue_id, 5)->expires_ms, queue_id * 10);
	scene_end();
}

/* ---- What goes ---- */

static void ranges_over_segments(void)
{
	scene_begin("ranges", 1);
	for (uint64_t seq = 1; seq <= 60; seq++) {
		scene_put(1, seq, 5000);
		scene_put(2, seq, 5000);
	}
	CU_ASSERT_TRUE(tree_count(disk_stage_path("ranges/log-1-0"), "0000") > 5);
	scene_range(STORE_SETTLE, 1, 11, 50);
	scene_range(STORE_PURGE, 2, 0, 30);
	scene_end();
	scene_open("ranges", 1);
	scene_recover();
	CU_ASSERT_EQUAL(scene_n_seen, 50);
	CU_ASSERT_TRUE(scene_is_range(2, 31, 60));
	CU_ASSERT_PTR_NOT_NULL(scene_find(1, 10));
	CU_ASSERT_PTR_NOT_NULL(scene_find(1, 51));
	scene_range(STORE_PURGE, 2, 0, UINT64_MAX);
	scene_range(STORE_PURGE, 1, 0, 100);
	scene_end();
	scene_open("ranges", 1);
	scene_recover();
	CU_ASSERT_EQUAL(scene_n_seen, 0);
	CU_ASSERT_EQUAL(scene_last_seqs[1], 100);
	CU_ASSERT_EQUAL(scene_last_seqs[2], 0); /* the queue is gone */
	scene_end();
	CU_ASSERT_EQUAL(disk_reports.n, 0);
}

static void put_transient(uint64_t queue_id, bool is_transient)
{
	struct entry entry;
	uint32_t body;

	entry_begin(&entry);
	body = scene_publish(&entry, 42, 200);
	entry.records[body].is_transient = is_transient;
	entry_enqueue(&entry, body, 1, queue_id == 1 ? 2 : 3, 0);
	if (queue_id != 1)
		entry_enqueue(&entry, body, queue_id, 1, 0);
	CU_ASSERT_EQUAL(scene_do(&entry), STORE_DURABLE);
}

/* Nor what is of a queue that does not outlive the process, whatever else holds it. */
static void transient_is_not_recovered(void)
{
	scene_begin("transient", 1);
	scene_put(1, 1, 100);
	put_transient(1, true);
	put_transient(STORE_TRANSIENT_ID + 4, false);
	scene_range(STORE_REQUEUE, STORE_TRANSIENT_ID + 4, 1, 1);
	copy_open("transient", "transient-killed");
	scene_end();
	for (unsigned i = 0; i < 2; i++) {
		scene_open(i == 0 ? "transient" : "transient-killed", 1);
		scene_recover();
		CU_ASSERT_EQUAL(scene_n_seen, 2);
		CU_ASSERT_PTR_NOT_NULL(scene_find(1, 1));
		CU_ASSERT_PTR_NULL(scene_find(1, 2));
		CU_ASSERT_PTR_NOT_NULL(scene_find(1, 3));
		CU_ASSERT_EQUAL(stats().live_messages, 2);
		scene_end();
		CU_ASSERT_EQUAL(disk_reports.n, 0);
	}
}

static void elided_is_not_recovered(void)
{
	struct entry entry;
	uint32_t body;

	scene_begin("elided", 1);
	entry_begin(&entry);
	body = scene_publish(&entry, 42, 200);
	entry_enqueue(&entry, body, 1, 1, 0);
	entry_enqueue(&entry, body, 2, 1, 0);
	atomic_store(&entry.records[1].is_elided, true);
	CU_ASSERT_EQUAL(scene_do(&entry), STORE_DURABLE);
	scene_end();
	scene_open("elided", 1);
	scene_recover();
	CU_ASSERT_EQUAL(scene_n_seen, 1);
	CU_ASSERT_PTR_NOT_NULL(scene_find(2, 1));
	scene_end();
}

/* ---- When it is synced ---- */

static void other_sync(enum store_sync sync, const char *name, const char *killed)
{
	disk_options.sync = sync;
	disk_options.sync_interval_ms = 20;
	scene_begin(name, 1);
	for (uint64_t seq = 1; seq <= 40; seq++)
		scene_put(3, seq, 5000);
	write_something();
	copy_open(name, killed);
	scene_end();
	for (unsigned i = 0; i < 2; i++) {
		scene_open(i == 0 ? name : killed, 1);
		CU_ASSERT_EQUAL(store_is_clean(the_store), i == 0);
		scene_recover();
		CU_ASSERT_EQUAL(scene_n_seen, 15 + 40);
		scene_end();
		CU_ASSERT_EQUAL(disk_reports.n, 0);
	}
	disk_options.sync = STORE_SYNC_ALWAYS;
}

static void synced_at_intervals(void)
{
	other_sync(STORE_SYNC_INTERVAL, "interval", "interval-killed");
}

static void never_synced(void)
{
	other_sync(STORE_SYNC_NEVER, "never", "never-killed");
}

/* The clean end says that all is on disk, so all must have been synced before: also what was
 * closed. */
static void never_synced_but_at_the_end(void)
{
	unsigned n_segments;

	disk_options.sync = STORE_SYNC_NEVER;
	scene_begin("never", 1);
	for (uint64_t seq = 1; seq <= 40; seq++)
		scene_put(1, seq, 5000);
	n_segments = tree_count(disk_stage_path("never/log-1-0"), "0000");
	CU_ASSERT_TRUE(n_segments > 3);
	disk_fault_filter(DISK_SYNC);
	disk_fault_watch();
	scene_end();
	CU_ASSERT_EQUAL(disk_fault_count(), n_segments + 1); /* and its last record */
	disk_fault_off();
	for (unsigned i = 1; i <= n_segments; i++) {
		scene_begin("never", 1);
		for (uint64_t seq = 1; seq <= 40; seq++)
			scene_put(1, seq, 5000);
		disk_fault_filter(DISK_SYNC);
		disk_fault_at(i, EIO, false);
		scene_end();
		disk_fault_off();
		CU_ASSERT_TRUE(disk_reports.n_errors > 0);
		scene_open("never", 1);
		CU_ASSERT_FALSE(store_is_clean(the_store));
		scene_end();
	}
	disk_options.sync = STORE_SYNC_ALWAYS;
}

UNIT_MAIN("store/disk_recovery", UNIT_TEST(clean_end), UNIT_TEST(killed_and_then_clean),
	  UNIT_TEST(definitions_and_ids_stay), UNIT_TEST(large_bodies),
	  UNIT_TEST(body_of_many_queues_is_written_once), UNIT_TEST(ranges_over_segments),
	  UNIT_TEST(transient_is_not_recovered), UNIT_TEST(elided_is_not_recovered),
	  UNIT_TEST(synced_at_intervals), UNIT_TEST(never_synced),
	  UNIT_TEST(never_synced_but_at_the_end))
