/* SPDX-License-Identifier: MIT */

/* docs/store-format.md, "Recovery": what is damaged, cut off, or not ours. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "disk_stage.h"
#include "format_stage.h"

#include "../unit.h"

/* ---- Damage ---- */

static void check_copy(size_t offset, size_t size)
{
	uint8_t bytes[512];
	char name[128];
	FILE *file;

	snprintf(name, sizeof(name), "damaged/log-1-0-%016x-%zu.bin", 1, offset);
	file = fopen(format_path(name), "rb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(fread(bytes, 1, sizeof(bytes), file), size);
	CU_ASSERT_EQUAL(fclose(file), 0);
	CU_ASSERT_EQUAL(memcmp(bytes, the_image.bytes + offset, size), 0);
}

/* Of a later version, a record would be; this one reads what is around it. */
static void what_is_not_known_is_damage(void)
{
	const struct payload nothing = {.size = 24};
	size_t type, flag, head;

	format_begin();
	format_first();
	type = image_add(&the_image, 8, 0, &nothing);
	flag = image_add_message(&the_image, 16, 1, 1, "a");
	head = image_add_message(&the_image, 0, 1, 2, "b");
	the_image.bytes[head + 14] = 1;
	(void)image_add_message(&the_image, 0, 1, 3, "c");
	image_save(&the_image, format_segment(1, 0, 1));
	CU_ASSERT_EQUAL(format_start()->n_messages, 1);
	CU_ASSERT_EQUAL(disk_reports.n, 3);
	CU_ASSERT_EQUAL(disk_reports.offset, head);
	check_copy(type, 40);
	check_copy(flag, 48);
	check_copy(head, 48);
	stage_clear();
}

static void of_a_later_version_is_refused(void)
{
	format_begin();
	format_first();
	the_image.bytes[8] = 2;
	image_seal_header(&the_image);
	image_save(&the_image, format_segment(1, 0, 1));
	format_refused(-ENOTSUP);
}

static void of_another_log_is_refused(void)
{
	static const size_t places[] = {16, 40, 44}; /* store, generation, log */

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		format_begin();
		format_first();
		the_image.bytes[places[i]] ^= 0x40;
		image_seal_header(&the_image);
		image_save(&the_image, format_segment(1, 0, 1));
		format_refused(-EUCLEAN);
	}
}

static void a_queue_that_never_was_is_refused(void)
{
	format_begin();
	format_first();
	(void)image_add_message(&the_image, 0, 100, 1, "a");
	image_save(&the_image, format_segment(1, 0, 1));
	format_refused(-EUCLEAN);
}

static void a_serial_that_none_can_follow_is_refused(void)
{
	format_begin();
	image_begin(&the_image, 1, 0, UINT64_MAX);
	(void)image_add_message(&the_image, 0, 1, 1, "a");
	image_save(&the_image, format_path("log-1-0/ffffffffffffffff.log"));
	format_refused(-EUCLEAN);
}

static void without_its_database_a_log_is_refused_and_stays(void)
{
	format_begin();
	format_first();
	image_save(&the_image, format_segment(1, 0, 1));
	CU_ASSERT_EQUAL(truncate(format_path("definitions.db"), 0), 0);
	format_refused(-EUCLEAN);
	CU_ASSERT_EQUAL(unlink(format_path("definitions.db")), 0);
	format_refused(-EUCLEAN);
	CU_ASSERT_EQUAL(access(format_segment(1, 0, 1), R_OK), 0);
}

/* ---- Transactions ---- */

/* Two messages of a transaction; returns where the second one is. */
static size_t add_transaction(uint64_t queue_id)
{
	(void)image_add_pair(&the_image, T_BATCH, F_ATOMIC, 96, 0);
	(void)image_add_message(&the_image, F_ATOMIC, queue_id, 1, "first...");
	return image_add_message(&the_image, F_ATOMIC, queue_id, 2, "second..");
}

static void a_transaction_that_was_cut_off_never_comes_back(void)
{
	struct body body;
	size_t second;

	format_begin();
	format_first();
	second = add_transaction(1);
	memset(the_image.bytes + second, 0, 64);
	image_save(&the_image, format_segment(1, 0, 1));
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(format_start()->n_messages, i);
		CU_ASSERT_EQUAL(disk_reports.n_errors, 0);
		body_set(&body, i);
		put(&body, 2, i + 1);
		stage_clear();
	}
}

/* As the next segment says, or a later append in the same one. */
static void of_a_transaction_that_was_synced_what_is_left_is_read(void)
{
	for (unsigned i = 0; i < 2; i++) {
		size_t second;

		format_begin();
		format_first();
		second = add_transaction(1);
		the_image.bytes[second + 20] ^= 1;
		if (i == 0) {
			(void)image_add_pair(&the_image, T_BATCH, 0, 48, the_image.end);
			image_save(&the_image, format_segment(1, 0, 1));
		} else {
			size_t end = the_image.end;

			image_save(&the_image, format_segment(1, 0, 1));
			image_begin(&the_image, 1, 0, 2);
			format_add_open(1, end, end);
			image_save(&the_image, format_segment(1, 0, 2));
		}
		CU_ASSERT_EQUAL(format_start()->n_messages, 1);
		CU_ASSERT_EQUAL(disk_reports.n_errors, 1);
		stage_clear();
	}
}

UNIT_MAIN("store/format_damage", UNIT_TEST(what_is_not_known_is_damage),
	  UNIT_TEST(of_a_later_version_is_refused), UNIT_TEST(of_another_log_is_refused),
	  UNIT_TEST(a_queue_that_never_was_is_refused),
	  UNIT_TEST(a_serial_that_none_can_follow_is_refused),
	  UNIT_TEST(without_its_database_a_log_is_refused_and_stays),
	  UNIT_TEST(a_transaction_that_was_cut_off_never_comes_back),
	  UNIT_TEST(of_a_transaction_that_was_synced_what_is_left_is_read))
