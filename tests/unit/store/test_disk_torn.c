/* SPDX-License-Identifier: MIT */
/*
 * What a loss of power leaves of what was not synced: the file ends, or is zero, from anywhere on;
 * or each sector is as it was before, or as it should be.
 */
#include "disk_image.h"
#include "disk_scene.h"

#include <string.h>

#include "../unit.h"

#define SECTOR 512u

static struct image image;

/* The copy of the folder `from` with another newest segment. */
static void lay_out(const char *from, const char *to, const uint8_t *bytes, size_t size)
{
	tree_copy(disk_stage_path(from), disk_stage_path(to));
	tree_write(disk_stage_newest(disk_stage_path(to), 1, 0), bytes, size);
}

/* ---- The end ---- */

#define EQUAL_MESSAGES 14

static void check_cut(const uint8_t *bytes, size_t size)
{
	scene_recover();
	for (uint64_t seq = 1; seq <= EQUAL_MESSAGES; seq++) {
		bool is_there = image_is_intact(&image, image_message(&image, 1, seq), bytes, size);

		CU_ASSERT_EQUAL(scene_find(1, seq) != NULL, is_there);
	}
}

static void cut(uint64_t at, bool is_zeroed)
{
	size_t size = is_zeroed ? image.file.size : (size_t)at;
	uint8_t *bytes = malloc(image.file.size);

	memcpy(bytes, image.file.bytes, image.file.size);
	memset(bytes + at, 0, image.file.size - at);
	lay_out("equal-killed", "cut", bytes, size);
	scene_open("cut", 1);
	check_cut(bytes, size);
	scene_put(1, 100, 40);
	scene_end();
	CU_ASSERT_EQUAL(disk_reports.n_errors, 0);
	scene_open("cut", 1);
	check_cut(bytes, size);
	CU_ASSERT_PTR_NOT_NULL(scene_find(1, 100));
	scene_end();
	CU_ASSERT_EQUAL(disk_reports.n_errors, 0);
	free(bytes);
}

static void begin_cuts(void)
{
	scene_begin("equal", 1);
	for (uint64_t seq = 1; seq <= EQUAL_MESSAGES; seq++)
		scene_put(1, seq, 40);
	tree_copy(disk_stage_path("equal"), disk_stage_path("equal-killed"));
	scene_end();
	image_load(&image, disk_stage_newest(disk_stage_path("equal-killed"), 1, 0));
}

static void cut_off_anywhere(void)
{
	begin_cuts();
	for (uint64_t at = image.end - 600; at <= image.end; at++)
		cut(at, false);
	image_free(&image);
}

static void zero_from_anywhere(void)
{
	begin_cuts();
	for (uint64_t at = image.end - 600; at <= image.end; at++)
		cut(at, true);
	image_free(&image);
}

/* A segment of which there is nothing yet: the name only, or not all of the first records. */
static void cut_off_at_the_beginning(void)
{
	begin_cuts();
	for (uint64_t at = 0; at < SEGMENT_HEADER_SIZE + RECORD_OPEN_SIZE + RECORD_BATCH_SIZE;
	     at++) {
		cut(at, false);
		cut(at, true);
	}
	image_free(&image);
}

/* ---- Sectors ---- */

static uint32_t random_state;

static uint32_t next_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

#define COMPLETED 6

/* A transaction: three messages of queue 2 from seq on, and one of queue 1 is settled. */
static void put_transaction(uint64_t seq, uint64_t settled, size_t size)
{
	struct entry entry;

	entry_begin(&entry);
	entry.append.is_lazy = entry.append.is_atomic = true;
	for (uint64_t i = 0; i < 3; i++)
		entry_enqueue(&entry, scene_publish(&entry, 2000 + seq + i, size), 2, seq + i, 0);
	entry_add(&entry, STORE_SETTLE, 1, settled, settled);
	CU_ASSERT_EQUAL(scene_do(&entry), STORE_DURABLE);
}

static void put_lazily(uint64_t seq, size_t size)
{
	struct entry entry;

	entry_begin(&entry);
	entry.append.is_lazy = true;
	entry_enqueue(&entry, scene_publish(&entry, 3000 + seq, size), 3, seq, 0);
	CU_ASSERT_EQUAL(scene_do(&entry), STORE_DURABLE);
}

static void write_unsynced(void)
{
	put_lazily(1, 700);
	put_transaction(1, 2, 300);
	put_lazily(2, 40);
	put_lazily(3, 1500);
	put_transaction(4, 3, 30);
	put_transaction(7, 4, 900);
	put_lazily(4, 100);
}

#define N_PLAIN	       4
#define N_TRANSACTIONS 3

/* All that the transaction says, or nothing. */
static void check_transaction(uint64_t first, uint64_t settled)
{
	bool is_there = scene_find(2, first) != NULL;

	CU_ASSERT_EQUAL(scene_find(2, first + 1) != NULL, is_there);
	CU_ASSERT_EQUAL(scene_find(2, first + 2) != NULL, is_there);
	CU_ASSERT_EQUAL(scene_find(1, settled) == NULL, is_there);
}

static void check_mix(const uint8_t *bytes)
{
	scene_recover();
	for (uint64_t i = 0; i < N_TRANSACTIONS; i++)
		check_transaction(1 + 3 * i, 2 + i);
	CU_ASSERT_PTR_NOT_NULL(scene_find(1, 1));
	CU_ASSERT_PTR_NOT_NULL(scene_find(1, 5));
	CU_ASSERT_PTR_NOT_NULL(scene_find(1, 6));
	for (uint64_t seq = 1; seq <= N_PLAIN; seq++) {
		bool is_there = image_is_intact(&image, image_message(&image, 3, seq), bytes,
						image.file.size);

		CU_ASSERT_EQUAL(scene_find(3, seq) != NULL, is_there);
	}
}

static struct scene_seen seen_first[SCENE_SEEN_MAX];

/* Opened, written to, and opened again: twice the same, and the second time what came, too. */
static void try_mix(const char *from, const uint8_t *bytes)
{
	size_t n;

	lay_out(from, "mix", bytes, image.file.size);
	scene_open("mix", 1);
	check_mix(bytes);
	n = scene_n_seen;
	memcpy(seen_first, scene_seen, n * sizeof(*scene_seen));
	scene_put(4, 1, 40);
	CU_ASSERT_EQUAL(disk_reports.n_errors, 0);
	scene_end();
	scene_open("mix", 1);
	check_mix(bytes);
	CU_ASSERT_EQUAL(scene_n_seen, n + 1);
	CU_ASSERT_PTR_NOT_NULL(scene_find(4, 1));
	for (size_t i = 0; i < n; i++)
		CU_ASSERT_PTR_NOT_NULL(scene_find(seen_first[i].queue_id, seen_first[i].seq));
	CU_ASSERT_EQUAL(disk_reports.n_errors, 0);
	scene_end();
}

static void mix(const char *from, const uint8_t *old, unsigned n_mixes)
{
	uint8_t *bytes = malloc(image.file.size);

	for (unsigned i = 0; i < n_mixes; i++) {
		uint32_t odds = next_random() % 7 + 1; /* of 8, that a sector is new */

		for (size_t at = 0; at < image.file.size; at += SECTOR) {
			const uint8_t *source = next_random() % 8 < odds ? image.file.bytes : old;

			memcpy(bytes + at, source + at, SECTOR);
		}
		try_mix(from, bytes);
	}
	free(bytes);
}

static void put_completed(void)
{
	for (uint64_t seq = 1; seq <= COMPLETED; seq++)
		scene_put(1, seq, 120);
}

/* Whether nothing was synced in between: it is, when the machine is slow. */
static bool is_unsynced(uint64_t from)
{
	for (size_t i = 0; i < image.n_records; i++)
		if (image.records[i].synced > from)
			return false;
	return true;
}

static void sectors_behind_the_last_sync(void)
{
	struct tree_file old;
	uint64_t end;

	do {
		scene_begin("sectors", 1);
		put_completed();
		image_load(&image, disk_stage_newest(disk_stage_path("sectors"), 1, 0));
		old = image.file;
		end = image.end;
		write_unsynced();
		tree_copy(disk_stage_path("sectors"), disk_stage_path("sectors-killed"));
		scene_end();
		image_load(&image, disk_stage_newest(disk_stage_path("sectors-killed"), 1, 0));
	} while (!is_unsynced(end));
	random_state = 1;
	mix("sectors-killed", old.bytes, 400);
	image_free(&image);
	free(old.bytes);
}

/* The segment is new: its header and first record are among what was not synced. */
static void sectors_of_a_new_segment(bool is_recycled)
{
	const char *name = "new-segment-killed";
	struct tree_file old;

	do {
		scene_begin("new-segment", 1);
		put_completed();
		scene_end();
		old = tree_read(disk_stage_newest(disk_stage_path("new-segment"), 1, 0));
		if (!is_recycled)
			memset(old.bytes, 0, old.size);
		scene_open("new-segment", 1);
		write_unsynced();
		tree_copy(disk_stage_path("new-segment"), disk_stage_path(name));
		scene_end();
		image_load(&image, disk_stage_newest(disk_stage_path(name), 1, 0));
		CU_ASSERT_EQUAL_FATAL(image.serial, 2);
		CU_ASSERT_EQUAL_FATAL(image.file.size, old.size);
	} while (!is_unsynced(0));
	random_state = 2;
	mix(name, old.bytes, 200);
	image_free(&image);
	free(old.bytes);
}

static void sectors_of_a_segment_from_nothing(void)
{
	sectors_of_a_new_segment(false);
}

/* What is old there are records of an earlier segment. */
static void sectors_of_a_recycled_segment(void)
{
	sectors_of_a_new_segment(true);
}

UNIT_MAIN("store/disk_torn", UNIT_TEST(cut_off_anywhere), UNIT_TEST(zero_from_anywhere),
	  UNIT_TEST(cut_off_at_the_beginning), UNIT_TEST(sectors_behind_the_last_sync),
	  UNIT_TEST(sectors_of_a_segment_from_nothing), UNIT_TEST(sectors_of_a_recycled_segment))
