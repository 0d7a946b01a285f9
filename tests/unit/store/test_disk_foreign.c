/* SPDX-License-Identifier: MIT */
/*
 * Folders whose parts do not belong together: they are refused, and stay as they are
 * (scene_refused() looks), so that they can be put right and opened.
 */
#include "disk_image.h"
#include "disk_scene.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "store/disk.h"

#include "../unit.h"

#define SEGMENT(serial) "log-1-0/000000000000000" serial ".log"

static const char *in(const char *folder, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return disk_stage_path(path);
}

static void make(const char *name, unsigned n_logs)
{
	scene_begin(name, n_logs);
	for (uint64_t queue_id = 1; queue_id <= 4; queue_id++)
		for (uint64_t seq = 1; seq <= 3; seq++)
			scene_put(queue_id, seq, 100);
	scene_end();
}

static void copy_file(const char *from, const char *to)
{
	struct tree_file file = tree_read(from);

	tree_write(to, file.bytes, file.size);
	free(file.bytes);
}

/* It was refused for this; and opens, clean and whole, when what was wrong has been put right. */
static void check_still_good(const char *name, unsigned n_logs)
{
	scene_open(name, n_logs);
	CU_ASSERT_TRUE(store_is_clean(the_store));
	scene_recover();
	CU_ASSERT_EQUAL(scene_n_seen, 12);
	scene_end();
}

static void segment_of_another_store(void)
{
	make("a", 1);
	make("b", 1);
	copy_file(in("b", SEGMENT("1")), in("a", SEGMENT("2")));
	CU_ASSERT_EQUAL(scene_refused("a", 1), -EUCLEAN);
	CU_ASSERT_PTR_NOT_NULL(strstr(scene_reason, SEGMENT("2")));
	CU_ASSERT_EQUAL(scene_refused("a", 2), -EUCLEAN);
	tree_remove(in("a", SEGMENT("2")));
	check_still_good("a", 1);
}

static void segment_of_another_log(void)
{
	make("a", 2);
	copy_file(in("a", "log-1-1/0000000000000001.log"), in("a", SEGMENT("2")));
	CU_ASSERT_EQUAL(scene_refused("a", 2), -EUCLEAN);
	CU_ASSERT_EQUAL(scene_refused("a", 3), -EUCLEAN);
	tree_remove(in("a", SEGMENT("2")));
	check_still_good("a", 2);
}

static void segment_of_a_later_version(void)
{
	struct tree_file file;

	make("a", 1);
	file = tree_read(in("a", SEGMENT("1")));
	put_le32(file.bytes + 8, RECORD_VERSION + 1);
	put_le64(file.bytes + 56, XXH3_64bits(file.bytes, 56));
	tree_write(in("a", SEGMENT("1")), file.bytes, file.size);
	CU_ASSERT_EQUAL(scene_refused("a", 1), -ENOTSUP);
	CU_ASSERT_PTR_NOT_NULL(strstr(scene_reason, "later version"));
	put_le32(file.bytes + 8, RECORD_VERSION);
	put_le64(file.bytes + 56, XXH3_64bits(file.bytes, 56));
	tree_write(in("a", SEGMENT("1")), file.bytes, file.size);
	free(file.bytes);
	check_still_good("a", 1);
}

static void serial_numbers_far_apart(void)
{
	make("a", 1);
	copy_file(in("a", SEGMENT("1")), in("a", "log-1-0/ffffffffffffffff.log"));
	CU_ASSERT_EQUAL(scene_refused("a", 1), -EUCLEAN);
	tree_remove(in("a", "log-1-0/ffffffffffffffff.log"));
	check_still_good("a", 1);
}

/* An older database of the same store: it must not give the ids once more. */
static void queue_beyond_the_counter(bool is_clean, enum store_record_type type)
{
	struct entry entry;
	uint64_t first;

	make("a", 1);
	tree_copy(disk_stage_path("a"), disk_stage_path("older"));
	scene_open("a", 1);
	first = store_ids(the_store, 3);
	if (!is_clean) /* its counter is a block ahead; but the log gets further still */
		tree_copy(disk_stage_path("a"), disk_stage_path("older"));
	while (!is_clean && first < 3000000) {
		uint64_t next = store_ids(the_store, 500000);

		first = next > 0 ? next + 499999 : first;
	}
	entry_begin(&entry);
	if (type == STORE_ENQUEUE)
		entry_enqueue(&entry, scene_publish(&entry, 1, 20), first, 1, 0);
	else
		entry_add(&entry, type, first, 1, 1);
	CU_ASSERT_EQUAL(scene_do(&entry), STORE_DURABLE);
	scene_end();
	tree_copy(disk_stage_path("a"), disk_stage_path("mixed"));
	tree_remove(in("mixed", "definitions.db-wal"));
	tree_remove(in("mixed", "definitions.db-shm"));
	copy_file(in("older", "definitions.db"), in("mixed", "definitions.db"));
	if (tree_exists(in("older", "definitions.db-wal")))
		copy_file(in("older", "definitions.db-wal"), in("mixed", "definitions.db-wal"));
	for (unsigned i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(scene_refused("mixed", 1), -EUCLEAN);
	CU_ASSERT_EQUAL(scene_refused("mixed", 2), -EUCLEAN);
}

static void message_beyond_the_counter(void)
{
	queue_beyond_the_counter(true, STORE_ENQUEUE);
	queue_beyond_the_counter(false, STORE_ENQUEUE);
}

static void settle_beyond_the_counter(void)
{
	queue_beyond_the_counter(true, STORE_SETTLE);
	queue_beyond_the_counter(true, STORE_PURGE);
}

static void database_is_missing(void)
{
	make("a", 1);
	tree_copy(disk_stage_path("a"), disk_stage_path("good"));
	tree_remove(in("a", "definitions.db"));
	CU_ASSERT_EQUAL(scene_refused("a", 1), -EUCLEAN);
	CU_ASSERT_PTR_NOT_NULL(strstr(scene_reason, "definitions.db"));
	CU_ASSERT_FALSE(tree_exists(in("a", "definitions.db")));
	tree_write(in("a", "definitions.db"), NULL, 0);
	CU_ASSERT_EQUAL(scene_refused("a", 1), -EUCLEAN);
	copy_file(in("good", "definitions.db"), in("a", "definitions.db"));
	check_still_good("a", 1);
}

/* A database that knows of no logs yet, as after a first start that came no further. */
static void database_has_no_logs(void)
{
	make("a", 1);
	tree_remove(disk_stage_path("unborn"));
	CU_ASSERT_EQUAL_FATAL(mkdir(disk_stage_path("unborn"), 0700), 0);
	disk_fault_filter(DISK_MAKE_DIR);
	disk_fault_at(1, ENOSPC, true);
	CU_ASSERT_EQUAL(scene_refused("unborn", 1), -ENOSPC);
	disk_fault_off();
	tree_copy(in("a", "log-1-0"), in("unborn", "log-1-0"));
	CU_ASSERT_EQUAL(scene_refused("unborn", 1), -EUCLEAN);
	tree_copy(in("a", "log-1-0"), in("unborn", "log-7-3"));
	tree_remove(in("unborn", "log-1-0"));
	CU_ASSERT_EQUAL(scene_refused("unborn", 1), -EUCLEAN);
	/* that try may have made folders, and nothing in them */
	tree_remove(in("unborn", "log-7-3"));
	CU_ASSERT_EQUAL_FATAL(mkdir(in("unborn", "log-1-0"), 0700), 0);
	scene_open("unborn", 1);
	scene_recover();
	CU_ASSERT_EQUAL(scene_n_seen, 0);
	scene_end();
}

static void folder_of_a_log_is_missing(void)
{
	make("a", 2);
	tree_copy(in("a", "log-1-1"), disk_stage_path("kept"));
	tree_remove(in("a", "log-1-1"));
	CU_ASSERT_EQUAL(scene_refused("a", 2), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(scene_reason, "log-1-1"));
	CU_ASSERT_EQUAL(scene_refused("a", 1), -ENOENT);
	tree_copy(disk_stage_path("kept"), in("a", "log-1-1"));
	check_still_good("a", 2);
}

static void database_of_another_store(void)
{
	make("a", 1);
	make("b", 1);
	tree_copy(disk_stage_path("a"), disk_stage_path("mixed"));
	copy_file(in("b", "definitions.db"), in("mixed", "definitions.db"));
	CU_ASSERT_EQUAL(scene_refused("mixed", 1), -EUCLEAN);
	CU_ASSERT_EQUAL(scene_refused("mixed", 2), -EUCLEAN);
	copy_file(in("a", "definitions.db"), in("mixed", "definitions.db"));
	check_still_good("mixed", 1);
}

/* The other store's logs are of another generation, too; they must not be swept away. */
static void database_of_another_generation(void)
{
	make("a", 1);
	scene_open("a", 2); /* generation 2 */
	scene_end();
	make("b", 1);
	tree_copy(disk_stage_path("a"), disk_stage_path("mixed"));
	copy_file(in("b", "definitions.db"), in("mixed", "definitions.db"));
	CU_ASSERT_EQUAL(scene_refused("mixed", 1), -ENOENT);
	/* even where there is a log of that name */
	tree_copy(in("mixed", "log-2-0"), in("mixed", "log-1-0"));
	CU_ASSERT_EQUAL(scene_refused("mixed", 1), -EUCLEAN);
}

static void files_of_others_are_left_alone(void)
{
	make("a", 1);
	tree_write(in("a", "log-1-0/notes"), (const uint8_t *)"x", 1);
	tree_write(in("a", "log-1-0/ABCDEF0123456789.log"), (const uint8_t *)"x", 1);
	tree_write(in("a", "log-1-0/spare-.log"), (const uint8_t *)"x", 1);
	tree_write(in("a", "log-02-0"), (const uint8_t *)"x", 1);
	tree_write(in("a", "log-1-0.old"), (const uint8_t *)"x", 1);
	tree_write(in("a", "readme"), (const uint8_t *)"x", 1);
	check_still_good("a", 1);
	CU_ASSERT_TRUE(tree_exists(in("a", "log-1-0/notes")));
	CU_ASSERT_TRUE(tree_exists(in("a", "log-1-0/ABCDEF0123456789.log")));
	CU_ASSERT_TRUE(tree_exists(in("a", "log-02-0")));
	CU_ASSERT_TRUE(tree_exists(in("a", "log-1-0.old")));
	CU_ASSERT_TRUE(tree_exists(in("a", "readme")));
}

UNIT_MAIN("store/disk_foreign", UNIT_TEST(segment_of_another_store),
	  UNIT_TEST(segment_of_another_log), UNIT_TEST(segment_of_a_later_version),
	  UNIT_TEST(serial_numbers_far_apart), UNIT_TEST(message_beyond_the_counter),
	  UNIT_TEST(settle_beyond_the_counter), UNIT_TEST(database_is_missing),
	  UNIT_TEST(database_has_no_logs), UNIT_TEST(folder_of_a_log_is_missing),
	  UNIT_TEST(database_of_another_store), UNIT_TEST(database_of_another_generation),
	  UNIT_TEST(files_of_others_are_left_alone))
