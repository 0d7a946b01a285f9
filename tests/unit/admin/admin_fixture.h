/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_ADMIN_ADMIN_FIXTURE_H
#define TESTS_UNIT_ADMIN_ADMIN_FIXTURE_H

/*
 * A broker with accounts and an administration on a store in memory, which can be begun anew on the
 * same store, and commits that fail: one of them, or all from one on, as if the process had ended.
 */

#include "../broker/restore_fixture.h"
#include "access/access.h"
#include "access/accounts.h"
#include "admin/admin.h"
#include "admin/export.h"
#include "admin/import.h"
#include "admin/parameters.h"
#include "base/clock.h"

#define WAIT_MS 60000u

static struct access *access_door;
static struct admin *admin;
static void (*next_commit)(struct store *store, struct store_commit *commit);
static size_t n_commits, failing_commit; /* which of them fails, from 1 on; 0: none */
static bool fails_from_there;
static const char *damaged_folder = "/no/such/folder";

static inline void failing_store_commit(struct store *s, struct store_commit *commit)
{
	n_commits++;
	store_fails = failing_commit != 0 && (fails_from_there ? n_commits >= failing_commit
							       : n_commits == failing_commit);
	next_commit(s, commit);
	store_fails = false;
}

static inline void fail_commit(size_t which, bool and_all_after)
{
	n_commits = 0;
	failing_commit = which;
	fails_from_there = and_all_after;
}

static inline void admin_start(void)
{
	static const char *const nobody[] = {NULL};
	static const struct access_config config = {.loopback_users = nobody};

	access_door = access_create(&config);
	CU_ASSERT_EQUAL_FATAL(accounts_restore(access_door, store, NULL, reason, sizeof(reason)), 0);
	CU_ASSERT_EQUAL_FATAL(admin_create(broker, access_door, store, damaged_folder, &admin, reason, sizeof(reason)), 0);
}

static inline void admin_begin(unsigned loops)
{
	begin(loops);
	next_commit = store_ops.commit;
	store_ops.commit = failing_store_commit;
	fail_commit(0, false);
	admin_start();
}

static inline void admin_stop(void)
{
	admin_end(admin);
	turn();
	access_end_edits(access_door);
	turn();
	broker_destroy(broker);
	broker = NULL;
	turn();
	admin_destroy(admin);
	turn();
	access_destroy(access_door);
	turn();
}

static inline void admin_restart(void)
{
	admin_stop();
	fail_commit(0, false);
	CU_ASSERT_EQUAL_FATAL(start("/"), 0);
	admin_start();
}

static inline void admin_finish(void)
{
	admin_stop();
	store_destroy(store);
	loop_pool_destroy();
	CU_ASSERT_EQUAL(fake_instances, 0);
	log_set_level(LOG_LEVEL_INFO);
}

/* A worker's part comes when it comes. */
static inline void wait_until(const bool *is_done)
{
	uint64_t deadline = clock_monotonic_ms() + WAIT_MS;

	while (!*is_done && clock_monotonic_ms() < deadline)
		turn();
	CU_ASSERT_TRUE_FATAL(*is_done);
}

/* ---- Import and export ---- */

static struct import imported;
static bool import_is_done;

static inline void import_done(struct import *import)
{
	CU_ASSERT_PTR_EQUAL(import, &imported);
	import_is_done = true;
}

static inline void prepare_import(void)
{
	import_is_done = false;
	imported = (struct import){
		.admin = admin,
		.actor = {SLICE_LITERAL("tester"), SLICE_LITERAL("test")},
		.done = import_done,
	};
}

static inline int finish_import(void)
{
	CU_ASSERT_FALSE(import_is_done); /* not inside the call */
	wait_until(&import_is_done);
	buffer_fini(&imported.warnings);
	return imported.result;
}

static inline int import_text(const char *text)
{
	prepare_import();
	imported.size = strlen(text);
	imported.text = mem_try_alloc(imported.size + 1);
	memcpy(imported.text, text, imported.size);
	import_submit(&imported);
	return finish_import();
}

static inline int import_again(void)
{
	prepare_import();
	import_resume(&imported);
	return finish_import();
}

static bool export_is_done;

static inline void export_done(struct export *export)
{
	(void)export;
	export_is_done = true;
}

/* All lines; the caller's. */
static inline char *export_text(void)
{
	struct export export = {.admin = admin, .done = export_done};
	char *text;

	export_is_done = false;
	export_submit(&export);
	CU_ASSERT_FALSE(export_is_done);
	wait_until(&export_is_done);
	CU_ASSERT_EQUAL(export.result, 0);
	text = mem_strdup(buffer_cstr(&export.lines));
	buffer_fini(&export.lines);
	buffer_fini(&export.warnings);
	return text;
}

static inline void assert_export(const char *expected)
{
	char *text = export_text();

	CU_ASSERT_STRING_EQUAL(text, expected);
	if (strcmp(text, expected) != 0)
		(void)printf("\n--- expected\n%s--- is\n%s", expected, text);
	mem_free(text);
}

/* ---- What the store has ---- */

static inline void count_one(void *context, struct slice key, struct slice value, uint64_t revision)
{
	(void)key;
	(void)value;
	(void)revision;
	++*(size_t *)context;
}

static inline size_t count_keys(const char *prefix)
{
	size_t n = 0;

	CU_ASSERT_EQUAL(store_definitions_load(store, slice_cstr(prefix), count_one, &n), 0);
	return n;
}

#endif
