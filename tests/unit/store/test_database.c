/* SPDX-License-Identifier: MIT */
#include "store/definitions/database.h"

#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "contract.h"
#include "database_stage.h"
#include "fixture.h"

#include "../unit.h"

/* ---- opening again ---- */

static void reopen_keeps_definitions_and_revisions(void)
{
	uint64_t first, second;

	stage_set(1);
	CU_ASSERT_EQUAL(put_one("a", "1", 0, &first), STORE_DURABLE);
	CU_ASSERT_EQUAL(put_one("b", "", 0, NULL), STORE_DURABLE);
	CU_ASSERT_EQUAL(put_one("c", "3", 0, NULL), STORE_DURABLE);
	CU_ASSERT_EQUAL(put_one("c", NULL, STORE_ANY_REVISION, &second), STORE_DURABLE);
	reopen();
	CU_ASSERT_STRING_EQUAL(load("").text, "a=1;b=;");
	CU_ASSERT_EQUAL(put_one("a", "2", first + 1, NULL), STORE_FENCED);
	CU_ASSERT_EQUAL(put_one("a", "2", first, &first), STORE_DURABLE);
	CU_ASSERT_TRUE(first > second);
	stage_clear();
}

static void keys_may_hold_any_bytes(void)
{
	static const char bytes[] = "\xff\xff\0k";
	struct committing c = {.is_done = false};

	stage_set(1);
	c.change = (struct store_change){.key = slice_make(bytes, 4), .value = SLICE_LITERAL("v")};
	c.commit = (struct store_commit){.changes = &c.change, .n_changes = 1, .done = done};
	store_commit(the_store, &c.commit);
	wait_for(&c.is_done);
	CU_ASSERT_EQUAL(c.result, STORE_DURABLE);
	CU_ASSERT_EQUAL(put_one("", "empty", 0, NULL), STORE_DURABLE);
	CU_ASSERT_EQUAL(put_one("\xff", "short", 0, NULL), STORE_DURABLE);
	CU_ASSERT_EQUAL(load("").n, 3);
	CU_ASSERT_EQUAL(load("\xff").n, 2);
	CU_ASSERT_EQUAL(load("\xff\xff").n, 1);
	CU_ASSERT_EQUAL(load("\xff\xff\xff").n, 0);
	stage_clear();
}

static void ids_go_on_after_a_reopen(void)
{
	uint64_t before, after;

	stage_set(1);
	CU_ASSERT_EQUAL(database_state(the_database())->next_id, 1);
	before = store_ids(the_store, 10);
	reopen();
	CU_ASSERT_EQUAL(database_state(the_database())->next_id, before + 10);
	after = store_ids(the_store, 1);
	CU_ASSERT_TRUE(after >= before + 10);
	stage_clear();
}

/* More than two blocks: the thread reserves more while they are taken. */
static void ids_are_reserved_ahead(void)
{
	uint64_t last = 0;

	stage_set(1);
	for (unsigned i = 0; i < 3 * 256; i++) {
		uint64_t id;
		struct committing c;

		/* a commit that is done says that the thread has been at work since */
		while ((id = store_ids(the_store, 4096)) == 0) {
			start(&c, "k", "v", STORE_ANY_REVISION);
			wait_for(&c.is_done);
		}
		CU_ASSERT_TRUE(id > last);
		last = id + 4095;
	}
	CU_ASSERT_TRUE(last > 2 * DATABASE_ID_BLOCK);
	CU_ASSERT_EQUAL(store_ids(the_store, 4 * DATABASE_ID_BLOCK), 0);
	stage_clear();
}

static void ids_end_before_the_transient_ones(void)
{
	struct database *db;

	make_folder();
	CU_ASSERT_EQUAL_FATAL(database_open(path, 1, &db, reason, sizeof(reason)), 0);
	CU_ASSERT_EQUAL(database_close(db, false), 0);
	run_sql("UPDATE meta SET value = 9223372036854775800 WHERE name = 'next_id'");
	CU_ASSERT_EQUAL_FATAL(database_open(path, 1, &db, reason, sizeof(reason)), 0);
	CU_ASSERT_EQUAL(database_ids(db, 1), 0);
	CU_ASSERT_EQUAL(database_close(db, false), 0);
	remove_folder();
}

static void state_is_kept(void)
{
	struct database *db;
	struct database_state state;

	make_folder();
	CU_ASSERT_EQUAL_FATAL(database_open(path, 1, &db, reason, sizeof(reason)), 0);
	state = *database_state(db);
	CU_ASSERT_TRUE(state.is_new && state.was_clean);
	CU_ASSERT_EQUAL(state.log_generation, 0);
	CU_ASSERT_EQUAL(database_set_clean(db, false), 0);
	CU_ASSERT_EQUAL(database_set_logs(db, 3, 7), 0);
	CU_ASSERT_EQUAL(database_close(db, false), 0);

	CU_ASSERT_EQUAL_FATAL(database_open(path, 1, &db, reason, sizeof(reason)), 0);
	CU_ASSERT_EQUAL(memcmp(state.store_id, database_state(db)->store_id, 16), 0);
	state = *database_state(db);
	CU_ASSERT_FALSE(state.is_new || state.was_clean);
	CU_ASSERT_EQUAL(state.log_generation, 3);
	CU_ASSERT_EQUAL(state.log_count, 7);
	CU_ASSERT_EQUAL(database_close(db, true), 0);

	CU_ASSERT_EQUAL_FATAL(database_open(path, 1, &db, reason, sizeof(reason)), 0);
	CU_ASSERT_TRUE(database_state(db)->was_clean);
	CU_ASSERT_EQUAL(database_close(db, true), 0);
	remove_folder();
}

static void killed_process_leaves_enough(void)
{
	struct counted counted;
	uint64_t id, next_id;

	stage_set(1);
	CU_ASSERT_EQUAL(put_one("a", "1", 0, NULL), STORE_DURABLE);
	CU_ASSERT_EQUAL(put_one("b", "2", 0, NULL), STORE_DURABLE);
	id = store_ids(the_store, 5);
	counted = load_after_kill(&next_id);
	CU_ASSERT_STRING_EQUAL(counted.text, "a=1;b=2;");
	CU_ASSERT_TRUE(next_id >= id + 5);
	stage_clear();
}

/* ---- groups ---- */

/* The first keeps the thread busy, so that most of the others make one group. */
static void group_with_one_fenced(void)
{
	struct committing c[20];
	char keys[20][8];

	stage_set(1);
	n_done = 0;
	for (unsigned i = 0; i < 20; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "k%02u", i);
		start(&c[i], keys[i], "v", i == 10 ? 12345 : 0);
	}
	wait_for(&c[19].is_done);
	for (unsigned i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL(c[i].order, i);
		CU_ASSERT_EQUAL(c[i].result, i == 10 ? STORE_FENCED : STORE_DURABLE);
		CU_ASSERT_EQUAL(c[i].revision > 0, i != 10);
	}
	CU_ASSERT_EQUAL(load("").n, 19);
	CU_ASSERT_EQUAL(load("k10").n, 0);
	stage_clear();
}

#define N_MANY 100000

static char many_keys[N_MANY][16];
static struct store_change many[N_MANY];

static enum store_result commit_many(bool is_deletion)
{
	struct committing c = {.is_done = false};

	for (unsigned i = 0; i < N_MANY; i++) {
		/* in no order of the keys */
		(void)snprintf(many_keys[i], sizeof(many_keys[i]), "q/%08x", i * 2654435761U);
		many[i] = (struct store_change){.key = slice_cstr(many_keys[i]),
						.value = SLICE_LITERAL("some value"),
						.expected_revision = STORE_ANY_REVISION};
		if (is_deletion)
			many[i].value = SLICE_EMPTY;
	}
	c.commit = (struct store_commit){.changes = many, .n_changes = N_MANY, .done = done};
	store_commit(the_store, &c.commit);
	memset(many, 0, sizeof(many));
	wait_for(&c.is_done);
	return c.result;
}

static void many_changes_in_a_commit(void)
{
	stage_set(1);
	CU_ASSERT_EQUAL(put_one("a", "1", 0, NULL), STORE_DURABLE);
	CU_ASSERT_EQUAL(commit_many(false), STORE_DURABLE);
	CU_ASSERT_EQUAL(load("q/").n, N_MANY);
	reopen();
	CU_ASSERT_EQUAL(load("q/").n, N_MANY);
	CU_ASSERT_EQUAL(commit_many(true), STORE_DURABLE);
	CU_ASSERT_STRING_EQUAL(load("").text, "a=1;");
	stage_clear();
}

/* ---- the end ---- */

struct chained {
	struct committing c;
	unsigned n_left;
};

static void again(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct chained *chained =
		container_of(container_of(commit, struct committing, commit), struct chained, c);

	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	CU_ASSERT_TRUE(revision > 0);
	if (chained->n_left-- > 1)
		store_commit(the_store, commit);
}

static void close_completes_what_completions_ask_for(void)
{
	struct chained chained = {.n_left = 5};

	stage_set(1);
	chained.c.change = (struct store_change){.key = SLICE_LITERAL("k"),
						 .value = SLICE_LITERAL("v"),
						 .expected_revision = STORE_ANY_REVISION};
	chained.c.commit =
		(struct store_commit){.changes = &chained.c.change, .n_changes = 1, .done = again};
	store_commit(the_store, &chained.c.commit);
	stage_clear();
	CU_ASSERT_EQUAL(chained.n_left, 0);
}

UNIT_MAIN("store/database", UNIT_TEST(set_up), UNIT_TEST(contract_commit_compares_revisions),
	  UNIT_TEST(contract_commit_is_all_or_nothing), UNIT_TEST(contract_load_by_prefix_in_order),
	  UNIT_TEST(contract_watch_sees_later_commits), UNIT_TEST(contract_watch_from_every_loop),
	  UNIT_TEST(contract_unwatch_in_the_callback),
	  UNIT_TEST(contract_unwatch_another_in_the_callback), UNIT_TEST(contract_ids_are_unique),
	  UNIT_TEST(contract_destroy_completes_everything),
	  UNIT_TEST(contract_destroy_with_notices_under_way),
	  UNIT_TEST(reopen_keeps_definitions_and_revisions), UNIT_TEST(keys_may_hold_any_bytes),
	  UNIT_TEST(ids_go_on_after_a_reopen), UNIT_TEST(ids_are_reserved_ahead),
	  UNIT_TEST(ids_end_before_the_transient_ones), UNIT_TEST(state_is_kept),
	  UNIT_TEST(killed_process_leaves_enough), UNIT_TEST(group_with_one_fenced),
	  UNIT_TEST(many_changes_in_a_commit), UNIT_TEST(close_completes_what_completions_ask_for))
