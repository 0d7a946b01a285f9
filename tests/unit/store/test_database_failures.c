/* SPDX-License-Identifier: MIT */
#include "store/definitions/database.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
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

/*
 * SQLite's own calls come here. First some pass, then some fail; counted in all threads together.
 * Below zero: none fails.
 */
struct fault {
	_Atomic int n_passing;
	_Atomic int n_failing;
};
static struct fault syncs, writes;

static void set_fault(struct fault *fault, int n_passing, int n_failing)
{
	atomic_store(&fault->n_passing, n_passing);
	atomic_store(&fault->n_failing, n_failing);
}

static bool is_due(struct fault *fault)
{
	return atomic_fetch_sub(&fault->n_passing, 1) <= 0 &&
	       atomic_fetch_sub(&fault->n_failing, 1) > 0;
}

static bool has_happened(struct fault *fault)
{
	return atomic_load(&fault->n_failing) <= 0;
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	if (is_due(&syncs)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
	__attribute__((visibility("default")));
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	if (is_due(&writes)) {
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
	set_fault(&writes, 0, 1);
	CU_ASSERT_EQUAL(put_one("a", "2", STORE_ANY_REVISION, NULL), STORE_ERROR);
	CU_ASSERT_TRUE(has_happened(&writes));
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
	set_fault(&syncs, 0, 1);
	CU_ASSERT_EQUAL(put_one("a", "2", STORE_ANY_REVISION, NULL), STORE_ERROR);
	CU_ASSERT_TRUE(has_happened(&syncs));
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
	set_fault(&syncs, 0, 2);
	CU_ASSERT_EQUAL(put_one("a", "2", STORE_ANY_REVISION, NULL), STORE_UNKNOWN);
	CU_ASSERT_TRUE(has_happened(&syncs));
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
	set_fault(&syncs, 0, 2);
	CU_ASSERT_EQUAL(database_open(path, 1, &db, reason, sizeof(reason)), -EIO);
	CU_ASSERT_PTR_NULL(db);
	set_fault(&syncs, 0, 0);
	CU_ASSERT_EQUAL_FATAL(database_open(path, 1, &db, reason, sizeof(reason)), 0);
	CU_ASSERT_EQUAL(database_close(db, true), 0);
	remove_folder();
}

/* ---- every call ---- */

/* The thread is idle: the faults are not for this. */
static struct counted load_after_kill_in_peace(void)
{
	int n_writes = atomic_exchange(&writes.n_passing, INT_MAX),
	    n_syncs = atomic_exchange(&syncs.n_passing, INT_MAX);
	struct counted counted = load_after_kill(NULL);

	atomic_store(&writes.n_passing, n_writes);
	atomic_store(&syncs.n_passing, n_syncs);
	return counted;
}

/* Ten values for one key; the file must hold the last that was durable, now and after a kill. */
static void put_ten(void)
{
	char value[8], expected[16] = "";

	for (unsigned i = 0; i < 10; i++) {
		struct counted counted;
		enum store_result result;

		(void)snprintf(value, sizeof(value), "%u", i);
		result = put_one("k", value, STORE_ANY_REVISION, NULL);
		if (result == STORE_DURABLE)
			(void)snprintf(expected, sizeof(expected), "k=%u;", i);
		CU_ASSERT_STRING_EQUAL(load("").text, expected);
		if (result == STORE_UNKNOWN || result == STORE_FENCED)
			CU_FAIL("one failure is not so bad");
		counted = load_after_kill_in_peace();
		CU_ASSERT_STRING_EQUAL(counted.text, expected);
	}
}

/* The n-th of the calls since the file was opened fails, for each n. */
static void every_call_fails_once(void)
{
	struct fault *const faults[] = {&writes, &syncs};

	for (unsigned i = 0; i < 2; i++) {
		bool is_over = false;

		for (int n = 0; n < 100 && !is_over; n++) {
			stage_set(1);
			set_fault(faults[i], n, 1);
			put_ten();
			is_over = !has_happened(faults[i]);
			set_fault(faults[i], 0, 0);
			reopen();
			CU_ASSERT_EQUAL(load("").n, 1);
			stage_clear();
		}
		CU_ASSERT_TRUE(is_over);
	}
}

/* The n-th of the calls of opening a file fails, for each n: then it can be opened the next time.
 */
static void every_call_of_opening_fails_once(void)
{
	struct fault *const faults[] = {&writes, &syncs};

	for (unsigned i = 0; i < 2; i++) {
		bool is_over = false;
		unsigned n_failures = 0;

		for (int n = 0; n < 100 && !is_over; n++) {
			struct database *db = NULL;
			int r;

			make_folder();
			set_fault(faults[i], n, 1);
			r = database_open(path, 1, &db, reason, sizeof(reason));
			is_over = !has_happened(faults[i]);
			set_fault(faults[i], 0, 0);
			n_failures += r < 0;
			CU_ASSERT_EQUAL(r == 0, db != NULL);
			CU_ASSERT_EQUAL(database_close(db, false), 0);
			CU_ASSERT_EQUAL(database_open(path, 1, &db, reason, sizeof(reason)), 0);
			CU_ASSERT_EQUAL(database_close(db, true), 0);
			remove_folder();
		}
		CU_ASSERT_TRUE(is_over && n_failures > 5);
	}
}

UNIT_MAIN("store/database_failures", UNIT_TEST(set_up), UNIT_TEST(garbage_is_refused),
	  UNIT_TEST(database_of_others_is_refused), UNIT_TEST(later_version_is_refused),
	  UNIT_TEST(incomplete_tables_are_refused), UNIT_TEST(truncated_file_is_refused),
	  UNIT_TEST(log_without_its_file_is_refused), UNIT_TEST(missing_folder_is_an_error),
	  UNIT_TEST(half_made_file_does_no_harm), UNIT_TEST(full_disk_is_an_answer),
	  UNIT_TEST(failed_write_is_an_error), UNIT_TEST(failed_sync_is_undone_before_the_answer),
	  UNIT_TEST(failed_syncs_leave_it_unknown), UNIT_TEST(failed_start_is_told),
	  UNIT_TEST(every_call_fails_once), UNIT_TEST(every_call_of_opening_fails_once))
