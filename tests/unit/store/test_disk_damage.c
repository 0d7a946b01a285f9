/* SPDX-License-Identifier: MIT */
/* Bytes that have changed on the disk: what is lost by that, and that the operator hears of it. */
#include "disk_image.h"
#include "disk_scene.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#include "../unit.h"

#define SMALL 12 /* messages in the first segment, before the large ones */
#define LARGE 30

static struct image image;
static char segment_name[40]; /* below the data directory */

/* Message 4 is requeued and 5 settled, by records of their own behind the small messages. */
static void make(const char *name, bool has_more, uint64_t serial)
{
	char copy[64];

	scene_begin(name, 1);
	for (uint64_t seq = 1; seq <= SMALL; seq++)
		scene_put(1, seq, 80);
	scene_range(STORE_REQUEUE, 1, 4, 4);
	scene_range(STORE_SETTLE, 1, 5, 5);
	scene_put(2, 1, 80);
	for (uint64_t seq = 1; has_more && seq <= LARGE; seq++)
		scene_put(3, seq, 5000);
	snprintf(copy, sizeof(copy), "%s-killed", name);
	tree_copy(disk_stage_path(name), disk_stage_path(copy));
	scene_end();
	snprintf(segment_name, sizeof(segment_name), "log-1-0/%016" PRIx64 ".log", serial);
	snprintf(copy, sizeof(copy), "%s-killed/%s", name, segment_name);
	image_load(&image, disk_stage_path(copy));
}

static void flip(const char *from, uint64_t at)
{
	char path[80];

	tree_copy(disk_stage_path(from), disk_stage_path("flipped"));
	snprintf(path, sizeof(path), "flipped/%s", segment_name);
	struct tree_file file = tree_read(disk_stage_path(path));
	CU_ASSERT_TRUE_FATAL(at < file.size);
	file.bytes[at] ^= (uint8_t)(1 << at % 8);
	tree_write(disk_stage_path(path), file.bytes, file.size);
	mem_free(file.bytes);
}

static void check_others(bool has_more, uint64_t missing_queue, uint64_t missing_seq)
{
	for (uint64_t seq = 1; seq <= SMALL; seq++)
		if (seq != 5 && !(missing_queue == 1 && missing_seq == seq))
			CU_ASSERT_PTR_NOT_NULL(scene_find(1, seq));
	CU_ASSERT_PTR_NOT_NULL(scene_find(2, 1));
	for (uint64_t seq = 1; has_more && seq <= LARGE; seq++)
		if (!(missing_queue == 3 && missing_seq == seq))
			CU_ASSERT_PTR_NOT_NULL(scene_find(3, seq));
}

static void check_report(uint64_t offset, uint64_t size)
{
	CU_ASSERT_EQUAL(disk_reports.n, 1);
	CU_ASSERT_EQUAL(disk_reports.n_errors, 1);
	CU_ASSERT_EQUAL(disk_reports.offset, offset);
	CU_ASSERT_EQUAL(disk_reports.size, size);
	CU_ASSERT_PTR_NOT_NULL(strstr(disk_reports.path, segment_name));
}

/* Each byte of the record in turn; all else is there, and what is written then. */
static void flip_record(const char *from, bool has_more, const struct image_record *record)
{
	bool is_message = record->type == RECORD_MESSAGE;

	for (uint64_t at = record->offset; at < record->offset + record->size; at++) {
		flip(from, at);
		scene_open("flipped", 1);
		check_report(record->offset, record_padded(record->size));
		CU_ASSERT_EQUAL(tree_count(disk_stage_path("flipped/damaged"), "log-1-0-"), 1);
		scene_recover();
		check_others(has_more, is_message ? record->queue_id : 0, record->seq);
		if (is_message)
			CU_ASSERT_PTR_NULL(scene_find(record->queue_id, record->seq));
		CU_ASSERT_EQUAL(scene_find(1, 5) != NULL, record->type == RECORD_SETTLE);
		CU_ASSERT_EQUAL(scene_find(1, 4)->deliveries, record->type != RECORD_REQUEUE);
		scene_put(4, 1, 40);
		scene_end();
	}
	scene_open("flipped", 1);
	scene_recover();
	check_others(has_more, is_message ? record->queue_id : 0, record->seq);
	CU_ASSERT_PTR_NOT_NULL(scene_find(4, 1));
	scene_end();
}

static void flip_header(const char *from, bool has_more)
{
	for (uint64_t at = 0; at < SEGMENT_HEADER_SIZE; at++) {
		flip(from, at);
		scene_open("flipped", 1);
		check_report(0, SEGMENT_HEADER_SIZE);
		scene_recover();
		check_others(has_more, 0, 0);
		scene_end();
	}
}

static void in_a_segment_that_another_follows(void)
{
	make("followed", true, 1);
	CU_ASSERT_TRUE(tree_count(disk_stage_path("followed-killed/log-1-0"), "0000") >= 3);
	flip_record("followed-killed", true, image_nth(&image, RECORD_OPEN, 0));
	flip_record("followed-killed", true, image_nth(&image, RECORD_BATCH, 6));
	flip_record("followed-killed", true, image_message(&image, 1, 7));
	flip_record("followed-killed", true, image_nth(&image, RECORD_SETTLE, 0));
	flip_record("followed-killed", true, image_nth(&image, RECORD_REQUEUE, 0));
	flip_header("followed-killed", true);
	image_free(&image);
	/* the next one says where this one ends */
	make("followed", true, 2);
	flip_record("followed-killed", true, image_nth(&image, RECORD_OPEN, 0));
	flip_header("followed-killed", true);
	image_free(&image);
}

static void in_the_last_segment(void)
{
	make("last", false, 1);
	flip_record("last-killed", false, image_nth(&image, RECORD_OPEN, 0));
	flip_record("last-killed", false, image_nth(&image, RECORD_BATCH, 6));
	flip_record("last-killed", false, image_message(&image, 1, 7));
	flip_record("last-killed", false, image_nth(&image, RECORD_SETTLE, 0));
	flip_header("last-killed", false);
	image_free(&image);
}

/* The last record but for the BATCH that notes the end of a segment. */
static const struct image_record *last_message(bool has_end)
{
	const struct image_record *last = &image.records[image.n_records - 1];

	if (has_end) {
		CU_ASSERT_EQUAL_FATAL(last->type, RECORD_BATCH);
		last--;
	}
	CU_ASSERT_EQUAL_FATAL(last->type, RECORD_MESSAGE);
	return last;
}

/* The last record of a segment: that there is damage is known as the next one says where it ends.
 */
static void at_the_end_of_a_closed_segment(void)
{
	const struct image_record *last;

	make("followed", true, 1);
	last = last_message(true);
	flip("followed-killed", last->offset); /* its head */
	scene_open("flipped", 1);
	check_report(last->offset, record_padded(last->size));
	scene_recover();
	check_others(true, last->queue_id, last->seq);
	CU_ASSERT_PTR_NULL(scene_find(last->queue_id, last->seq));
	scene_end();
	image_free(&image);
}

/* Everything was synced then, so it is not what a crash leaves. */
static void at_the_end_after_a_clean_end(void)
{
	const struct image_record *last;

	make("last", false, 1);
	tree_copy(disk_stage_path("last"), disk_stage_path("last-clean"));
	last = last_message(false);
	for (unsigned in_head = 0; in_head < 2; in_head++) {
		flip("last-clean", last->offset + (in_head ? 0 : last->size - 1));
		scene_open("flipped", 1);
		check_report(last->offset, record_padded(last->size));
		scene_end();
	}
	flip("last-killed", last->offset + last->size - 1);
	scene_open("flipped", 1);
	CU_ASSERT_EQUAL(disk_reports.n, 1);
	CU_ASSERT_EQUAL(disk_reports.n_errors, 0);
	scene_end();
	image_free(&image);
}

/* A file that has lost its end, though another follows. */
static void closed_segment_is_cut_off(void)
{
	const struct image_record *last;
	uint64_t at;

	make("followed", true, 1);
	last = last_message(true);
	at = image_message(&image, 1, 9)->offset;
	tree_copy(disk_stage_path("followed-killed"), disk_stage_path("flipped"));
	tree_write(disk_stage_path("flipped/log-1-0/0000000000000001.log"), image.file.bytes,
		   (size_t)at);
	scene_open("flipped", 1);
	check_report(at, last->offset + record_padded(last->size) - at);
	scene_recover();
	for (uint64_t seq = 1; seq <= 8; seq++)
		CU_ASSERT_PTR_NOT_NULL(scene_find(1, seq));
	CU_ASSERT_PTR_NULL(scene_find(1, 9));
	CU_ASSERT_PTR_NOT_NULL(scene_find(3, LARGE));
	scene_end();
	image_free(&image);
}

static void whole_segment_is_missing(void)
{
	make("followed", true, 1);
	tree_copy(disk_stage_path("followed-killed"), disk_stage_path("flipped"));
	tree_remove(disk_stage_path("flipped/log-1-0/0000000000000001.log"));
	scene_open("flipped", 1);
	scene_recover();
	CU_ASSERT_PTR_NULL(scene_find(1, 1));
	CU_ASSERT_PTR_NOT_NULL(scene_find(3, LARGE));
	scene_end();
	image_free(&image);
}

static void add_segment(struct segment_folder *folder, uint64_t end)
{
	const struct record_open before = {.serial = 1, .end = end, .synced = end};
	struct segment *segment;

	CU_ASSERT_EQUAL_FATAL(segment_create(folder, 100, false, &before, &segment), 0);
	segment_free(segment);
}

/*
 * A segment that could not be made, and could not be removed either: what was written to the one
 * before it afterwards counts.
 */
static void next_segment_was_made_in_vain(void)
{
	struct segment_folder folder;

	make("last", false, 1);
	tree_copy(disk_stage_path("last-killed"), disk_stage_path("vain"));
	folder = image.folder;
	folder.path = mem_strdup(disk_stage_path("vain/log-1-0"));
	folder.segment_size = SEGMENT_SIZE_MIN;
	folder.last_serial = 1;
	folder.last_spare = 10;
	add_segment(&folder, image_message(&image, 1, 6)->offset);
	add_segment(&folder, image.end);
	segment_folder_fini(&folder);
	scene_open("vain", 1);
	scene_recover();
	check_others(false, 0, 0);
	scene_end();
	CU_ASSERT_EQUAL(disk_reports.n, 0);
	image_free(&image);
}

UNIT_MAIN("store/disk_damage", UNIT_TEST(in_a_segment_that_another_follows),
	  UNIT_TEST(in_the_last_segment), UNIT_TEST(at_the_end_of_a_closed_segment),
	  UNIT_TEST(at_the_end_after_a_clean_end), UNIT_TEST(closed_segment_is_cut_off),
	  UNIT_TEST(whole_segment_is_missing), UNIT_TEST(next_segment_was_made_in_vain))
