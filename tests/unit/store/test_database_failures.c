/* SPDX-License-Identifier: MIT */
#include "store/database.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "database_stage.h"
#include "fixture.h"

#include "../unit.h"

/* ---- files that are refused ---- */

static void refused_untouched(int expected, const char *word)
{
	struct file_bytes before = read_file(""), after;
	struct database *db = NULL;

	CU_ASSERT_EQUAL(database_open(path, 1, &db, reason, sizeof(reason)), expected);
	CU_ASSERT_PTR_NULL(db);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, word));
	CU_ASSERT_PTR_NULL(strchr(reason, '\n'));
	after = read_file("");
	CU_ASSERT_EQUAL(before.size, after.size);
	CU_ASSERT_EQUAL(memcmp(before.bytes, after.bytes, before.size), 0);
	mem_free(before.bytes);
	mem_free(after.bytes);
}

static void garbage_is_refused(void)
{
	uint8_t garbage[5000];

	make_folder();
	memset(garbage, 'x', sizeof(garbage));
	write_file("", garbage, sizeof(garbage));
	refused_untouched(-EUCLEAN, "not a database");
	write_file("", garbage, 5);
	refused_untouched(-EUCLEAN, "not a database");
	remove_folder();
}

static void database_of_others_is_refused(void)
{
	make_folder();
	run_sql("CREATE TABLE meta(name, value)");
	refused_untouched(-EUCLEAN, "another program");
	remove_folder();
}

static void later_version_is_refused(void)
{
	make_file();
	run_sql("PRAGMA user_version = 2");
	refused_untouched(-ENOTSUP, "later version");
	run_sql("PRAGMA user_version = 0");
	refused_untouched(-EUCLEAN, "damaged");
	remove_folder();
}

static void incomplete_tables_are_refused(void)
{
	static const char *const changes[] = {
		"DROP TABLE definition",
		"DROP TABLE meta",
		"DELETE FROM meta WHERE name = 'log_count'",
		"UPDATE meta SET value = 'x' WHERE name = 'next_id'",
		"UPDATE meta SET value = -1 WHERE name = 'revision'",
		"UPDATE meta SET value = 0 WHERE name = 'next_id'",
		"UPDATE meta SET value = x'00' WHERE name = 'store_id'",
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		make_file();
		run_sql(changes[i]);
		refused_untouched(-EUCLEAN, "damaged");
		remove_folder();
	}
}

static void truncated_file_is_refused(void)
{
	make_file();
	CU_ASSERT_EQUAL(truncate(path, 4096), 0);
	refused_untouched(-EUCLEAN, "damaged");
	remove_folder();
}

static void log_without_its_file_is_refused(void)
{
	struct database *db = NULL;

	make_folder();
	write_file("-wal", "something", 9);
	CU_ASSERT_EQUAL(database_open(path, 1, &db, reason, sizeof(reason)), -EUCLEAN);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "-wal"));
	CU_ASSERT_EQUAL(access(path, F_OK), -1);
	remove_folder();
}

static void missing_folder_is_an_error(void)
{
	struct database *db = NULL;

	CU_ASSERT_EQUAL(database_open("/nonexistent/x.db", 1, &db, reason, sizeof(reason)),
			-ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "cannot be created"));
}

/* What a killed process left of a file that it was making. */
static void half_made_file_does_no_harm(void)
{
	struct database *db;

	make_folder();
	write_file(".new", "half", 4);
	write_file(".new-journal", "half", 4);
	CU_ASSERT_EQUAL_FATAL(database_open(path, 1, &db, reason, sizeof(reason)), 0);
	CU_ASSERT_TRUE(database_state(db)->is_new);
	CU_ASSERT_EQUAL(database_close(db, true), 0);
	remove_folder();
}

/* ---- failures ---- */

/* SQLite's own calls come here; which of them fail is counted down in all threads together. */
static _Atomic int syncs_to_fail;
static _Atomic int writes_to_fail;

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	if (atomic_load(&syncs_to_fail) > 0) {
		(void)atomic_fetch_sub(&syncs_to_fail, 1);
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
	__attribute__((visibility("default")));
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	if (atomic_load(&writes_to_fail) > 0) {
		(void)atomic_fetch_sub(&writes_to_fail, 1);
		errno = ENOSPC;
		return -1;
	}
	return (ssize_t)syscall(SYS_pwrite64, fd, bytes, size, offset);
}

static void set_file_limit(rlim_t limit)
{
	struct rlimit limits;

	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &limits), 0);
	limits.rlim_cur = limit == RLIM_INFINITY ? limits.rlim_max : limit;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &limits), 0);
}

/* Nothing can be written behind what SQLite's log holds. */
static void full_disk_is_an_answer(void)
{
	static char large[200000];
	struct file_bytes log;
	uint64_t revision, later;

	stage_set(1);
	memset(large, 'v', sizeof(large) - 1);
	CU_ASSERT_EQUAL(put_one("a", "1", 0, &revision), STORE_DURABLE);
	log = read_file("-wal");
	mem_free(log.bytes);
	set_file_limit(log.size);
	CU_ASSERT_EQUAL(put_one("a", "small", revision, NULL), STORE_ERROR);
	CU_ASSERT_EQUAL(put_one("a", large, revision, NULL), STORE_ERROR);
	CU_ASSERT_EQUAL(put_one("a", "small", revision + 1000, NULL), STORE_FENCED);
	CU_ASSERT_STRING_EQUAL(load("").text, "a=1;");
	set_file_limit(RLIM_INFINITY);
	CU_ASSERT_EQUAL(put_one("a", "2", revision, &later), STORE_DURABLE);
	CU_ASSERT_TRUE(later > revision);
	reopen();
	CU_ASSERT_STRING_EQUAL(load("").text, "a=2;");
	stage_clear();
}

static void failed_write_is_an_error(void)
{
	stage_set(1);
	CU_ASSERT_EQUAL(put_one("a", "1", 0, NULL), STORE_DURABLE);
	atomic_store(&writes_to_fail, 1);
	CU_ASSERT_EQUAL(put_one("a", "2", STORE_ANY_REVISION, NULL), STORE_ERROR);
	CU_ASSERT_EQUAL(atomic_load(&writes_to_fail), 0);
	CU_ASSERT_STRING_EQUAL(load("").text, "a=1;");
	CU_ASSERT_EQUAL(put_one("a", "3", STORE_ANY_REVISION, NULL), STORE_DURABLE);
	stage_clear();
}

/* A transaction that was written and not synced must not come back once it was answered for. */
static void failed_sync_is_undone_before_the_answer(void)
{
	struct counted counted;

	stage_set(1);
	CU_ASSERT_EQUAL(put_one("a", "1", 0, NULL), STORE_DURABLE);
	atomic_store(&syncs_to_fail, 1);
	CU_ASSERT_EQUAL(put_one("a", "2", STORE_ANY_REVISION, NULL), STORE_ERROR);
	CU_ASSERT_EQUAL(atomic_load(&syncs_to_fail), 0);
	counted = load_after_kill(NULL);
	CU_ASSERT_STRING_EQUAL(counted.text, "a=1;");
	CU_ASSERT_STRING_EQUAL(load("").text, "a=1;");
	CU_ASSERT_EQUAL(put_one("a", "3", STORE_ANY_REVISION, NULL), STORE_DURABLE);
	stage_clear();
}

static void failed_syncs_leave_it_unknown(void)
{
	struct counted counted;

	stage_set(1);
	CU_ASSERT_EQUAL(put_one("a", "1", 0, NULL), STORE_DURABLE);
	atomic_store(&syncs_to_fail, 2);
	CU_ASSERT_EQUAL(put_one("a", "2", STORE_ANY_REVISION, NULL), STORE_UNKNOWN);
	CU_ASSERT_EQUAL(atomic_load(&syncs_to_fail), 0);
	CU_ASSERT_STRING_EQUAL(load("").text, "a=1;");
	CU_ASSERT_EQUAL(put_one("b", "1", 0, NULL), STORE_DURABLE);
	counted = load_after_kill(NULL);
	CU_ASSERT_STRING_EQUAL(counted.text, "a=1;b=1;");
	stage_clear();
}

static void failed_start_is_told(void)
{
	struct database *db = NULL;

	make_file();
	atomic_store(&syncs_to_fail, 2);
	CU_ASSERT_EQUAL(database_open(path, 1, &db, reason, sizeof(reason)), -EIO);
	CU_ASSERT_PTR_NULL(db);
	atomic_store(&syncs_to_fail, 0);
	CU_ASSERT_EQUAL_FATAL(database_open(path, 1, &db, reason, sizeof(reason)), 0);
	CU_ASSERT_EQUAL(database_close(db, true), 0);
	remove_folder();
}

UNIT_MAIN("store/database_failures", UNIT_TEST(set_up), UNIT_TEST(garbage_is_refused),
	  UNIT_TEST(database_of_others_is_refused), UNIT_TEST(later_version_is_refused),
	  UNIT_TEST(incomplete_tables_are_refused), UNIT_TEST(truncated_file_is_refused),
	  UNIT_TEST(log_without_its_file_is_refused), UNIT_TEST(missing_folder_is_an_error),
	  UNIT_TEST(half_made_file_does_no_harm), UNIT_TEST(full_disk_is_an_answer),
	  UNIT_TEST(failed_write_is_an_error), UNIT_TEST(failed_sync_is_undone_before_the_answer),
	  UNIT_TEST(failed_syncs_leave_it_unknown), UNIT_TEST(failed_start_is_told))
