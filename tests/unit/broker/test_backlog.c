/* SPDX-License-Identifier: MIT */
#include "broker/queue/backlog.h"

#include <stdlib.h>

#include "../unit.h"
#include "backlog_case.h"
#include "base/mem.h"

static void first_in_first_out(void)
{
	struct backlog b;

	setup();
	backlog_init(&b, &pool);
	CU_ASSERT_EQUAL(shift(&b), 0);
	append(&b, 3 * CHUNK_SLOTS);
	CU_ASSERT_EQUAL(backlog_ready(&b), 3 * CHUNK_SLOTS);
	CU_ASSERT_EQUAL(b.all.body_bytes, 3 * CHUNK_SLOTS);
	for (uint64_t seq = 1; seq <= 3 * CHUNK_SLOTS; seq++)
		CU_ASSERT_EQUAL(shift(&b), seq);
	CU_ASSERT_EQUAL(shift(&b), 0);
	CU_ASSERT_EQUAL(b.n_chunks, 0);
	CU_ASSERT_EQUAL(b.all.body_bytes, 0);
	append(&b, 1);
	CU_ASSERT_EQUAL(shift(&b), 3 * CHUNK_SLOTS + 1);
	backlog_fini(&b);
	teardown();
}

static void unknown_numbers_are_not_found(void)
{
	struct backlog b;

	setup();
	backlog_init(&b, &pool);
	append(&b, 2);
	CU_ASSERT_EQUAL(take(&b), 1);
	CU_ASSERT_PTR_NULL(backlog_find_taken(&b, 0));
	CU_ASSERT_PTR_NULL(backlog_find_taken(&b, 2)); /* ready */
	CU_ASSERT_PTR_NULL(backlog_find_taken(&b, 3));
	CU_ASSERT_PTR_NULL(backlog_find_taken(&b, UINT64_MAX));
	CU_ASSERT_TRUE(settle(&b, 1));
	CU_ASSERT_FALSE(settle(&b, 1));
	backlog_fini(&b);
	teardown();
}

static void returned_ones_come_first_and_in_order(void)
{
	struct backlog b;

	setup();
	backlog_init(&b, &pool);
	append(&b, 10);
	for (int i = 0; i < 8; i++)
		(void)take(&b);
	CU_ASSERT_TRUE(give_back(&b, 5));
	CU_ASSERT_TRUE(give_back(&b, 2));
	CU_ASSERT_TRUE(give_back(&b, 7));
	CU_ASSERT_FALSE(give_back(&b, 7));
	CU_ASSERT_EQUAL(backlog_ready(&b), 5);
	CU_ASSERT_EQUAL(take(&b), 2);
	CU_ASSERT_EQUAL(take(&b), 5);
	CU_ASSERT_EQUAL(take(&b), 7);
	CU_ASSERT_EQUAL(take(&b), 9);
	backlog_fini(&b);
	teardown();
}

/* From the last to the first no heap is needed, and the chunk of the cursor changes backwards. */
static void runs_come_back_cheaply(void)
{
	struct backlog b;
	unsigned n = 2 * CHUNK_SLOTS + 10;

	setup();
	backlog_init(&b, &pool);
	append(&b, n);
	for (unsigned i = 0; i < n; i++)
		(void)take(&b);
	for (uint64_t seq = n; seq > 0; seq--)
		CU_ASSERT_TRUE(give_back(&b, seq));
	CU_ASSERT_EQUAL(heap_count(&b.returned), 0);
	for (uint64_t seq = 1; seq <= n; seq++)
		CU_ASSERT_EQUAL(shift(&b), seq);
	backlog_fini(&b);
	teardown();
}

/* An old message that nobody settles holds its own chunk and nothing else. */
static void gaps_are_given_back(void)
{
	struct backlog b;

	setup();
	backlog_init(&b, &pool);
	append(&b, 1);
	CU_ASSERT_EQUAL(take(&b), 1);
	for (unsigned i = 0; i < 100 * CHUNK_SLOTS; i++) {
		append(&b, 1);
		(void)shift(&b);
	}
	CU_ASSERT(b.n_chunks <= 2);
	CU_ASSERT(b.table.size <= 64);
	CU_ASSERT_TRUE(give_back(&b, 1));
	CU_ASSERT_EQUAL(take(&b), 1);
	CU_ASSERT_TRUE(settle(&b, 1));
	CU_ASSERT_EQUAL(b.n_chunks, 0);
	backlog_fini(&b);
	teardown();
}

static void purge_of_all(void)
{
	struct backlog b;

	setup();
	backlog_init(&b, &pool);
	append(&b, 1000);
	CU_ASSERT_EQUAL(backlog_purge(&b), 1000);
	CU_ASSERT_EQUAL(backlog_ready(&b), 0);
	CU_ASSERT_EQUAL(backlog_purge(&b), 0);
	append(&b, 1);
	CU_ASSERT_EQUAL(shift(&b), 1001);
	backlog_fini(&b);
	teardown();
}

static void purge_leaves_what_is_taken(void)
{
	struct backlog b;
	unsigned n = 10 * CHUNK_SLOTS + 5;

	setup();
	backlog_init(&b, &pool);
	append(&b, n);
	for (int i = 0; i < 200; i++)
		(void)take(&b);
	CU_ASSERT_TRUE(give_back(&b, 3));
	CU_ASSERT_TRUE(give_back(&b, 150));
	CU_ASSERT_EQUAL(backlog_purge(&b), n - 198);
	CU_ASSERT_EQUAL(backlog_ready(&b), 0);
	CU_ASSERT_EQUAL(b.all.count, 198);
	CU_ASSERT_EQUAL(b.all.body_bytes, 198);
	CU_ASSERT_FALSE(settle(&b, 3));
	append(&b, 300);
	CU_ASSERT_TRUE(give_back(&b, 200));
	CU_ASSERT_EQUAL(take(&b), 200);
	CU_ASSERT_EQUAL(take(&b), n + 1);
	for (uint64_t seq = 1; seq <= 200; seq++)
		CU_ASSERT_EQUAL(settle(&b, seq), seq != 3 && seq != 150);
	backlog_fini(&b);
	teardown();
}

/* Whether what stays is more or what goes. */
static void purge_behind_what_is_taken(void)
{
	unsigned n = 20 * CHUNK_SLOTS + 5;

	for (unsigned n_taken = 1; n_taken <= n; n_taken += CHUNK_SLOTS - 1) {
		struct backlog b;

		setup();
		backlog_init(&b, &pool);
		append(&b, n);
		for (unsigned i = 0; i < n_taken; i++)
			CU_ASSERT_EQUAL(take(&b), i + 1);
		CU_ASSERT_EQUAL(backlog_purge(&b), n - n_taken);
		CU_ASSERT_EQUAL(backlog_ready(&b), 0);
		CU_ASSERT_EQUAL(b.all.count, n_taken);
		CU_ASSERT_EQUAL(b.n_chunks, (n_taken + CHUNK_SLOTS) / CHUNK_SLOTS);
		append(&b, 300);
		for (unsigned i = 1; i <= 300; i++)
			CU_ASSERT_EQUAL(take(&b), n + i);
		for (unsigned i = 1; i <= n_taken; i++)
			CU_ASSERT_TRUE(settle(&b, i));
		backlog_fini(&b);
		teardown();
	}
}

/* A long backlog is dropped in steps of the pool's task, and all of it in the end. */
/* Every third message is persistent: 3, 6 and so on. */
static void append_mixed(struct backlog *b, unsigned n)
{
	while (n-- > 0) {
		uint64_t marks = b->next_seq % 3 == 0 ? SLOT_LOGGED | SLOT_PERSISTENT : 0;

		(void)backlog_append(b, make(10), SLOT_NEVER, marks);
		if (marks != 0)
			backlog_count_persistent(b, 10);
	}
}

static void has_persistent(const struct backlog *b, uint64_t count)
{
	CU_ASSERT_EQUAL(b->persistent_count, count);
	CU_ASSERT_EQUAL(b->persistent_bytes, 10 * count);
}

static void persistent_ones_are_counted(void)
{
	struct backlog b;

	setup();
	backlog_init(&b, &pool);
	append_mixed(&b, 900);
	has_persistent(&b, 300);
	for (unsigned i = 0; i < 9; i++)
		(void)take(&b);
	has_persistent(&b, 300); /* of all, delivered or not */
	CU_ASSERT_TRUE(settle(&b, 3));
	CU_ASSERT_TRUE(settle(&b, 4));
	has_persistent(&b, 299);
	CU_ASSERT_TRUE(give_back(&b, 6));
	CU_ASSERT_EQUAL(shift(&b), 6);
	has_persistent(&b, 298);
	(void)backlog_purge(&b);
	has_persistent(&b, 1); /* 9 is taken */
	append_mixed(&b, 3);
	has_persistent(&b, 2);
	for (uint64_t seq = 1; seq <= 9; seq++)
		(void)settle(&b, seq);
	has_persistent(&b, 1);
	(void)backlog_purge(&b);
	has_persistent(&b, 0);
	backlog_fini(&b);
	teardown();
}

static void long_ones_are_dropped_in_the_background(void)
{
	struct backlog b;
	uint64_t messages = account_kind_total(ACCOUNT_MESSAGE);

	setup();
	backlog_init(&b, &pool);
	append(&b, 400 * CHUNK_SLOTS);
	backlog_fini(&b);
	CU_ASSERT(account_kind_total(ACCOUNT_MESSAGE) > messages);
	for (int i = 0; i < 10000 && loop_task_is_armed(&pool.reap); i++)
		loop_run_once(false);
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_MESSAGE), messages);
	CU_ASSERT_FALSE(loop_task_is_armed(&pool.reap));
	teardown();
}

/* ---- Against a model: an array of states ---- */

#define MODEL_SIZE 20000u
static enum slot_state model[MODEL_SIZE];
static bool model_away[MODEL_SIZE];

static uint64_t model_head(uint64_t next)
{
	for (uint64_t seq = 1; seq < next; seq++)
		if (model[seq] == SLOT_READY)
			return seq;
	return 0;
}

static void model_leave(uint64_t seq)
{
	model[seq] = SLOT_GONE;
	model_away[seq] = false;
}

/* What is away in memory again, or the other way round; sometimes it goes instead. */
static void model_turn_over(struct backlog *b, uint64_t seq)
{
	struct slot *slot = backlog_find(b, seq);

	CU_ASSERT_EQUAL_FATAL(slot != NULL, model[seq] != SLOT_GONE);
	if (!slot)
		return;
	CU_ASSERT_EQUAL_FATAL(slot_is_away(slot), model_away[seq]);
	if (!model_away[seq]) {
		CU_ASSERT_TRUE_FATAL(page_out(b, seq));
		model_away[seq] = true;
	} else if (model[seq] == SLOT_READY && rand() % 4 == 0) {
		backlog_drop_away(b, seq, slot);
		model_leave(seq);
	} else {
		page_in(b, seq);
		model_away[seq] = false;
	}
}

/* Where the model has an away one that is ready, the search has found or will find it. */
static void model_read(struct backlog *b)
{
	uint64_t seqs[20], expected = model_head(b->next_seq);
	size_t n = backlog_find_away(b, seqs, 20, UINT64_MAX);

	for (size_t i = 0; i < n; i++) {
		CU_ASSERT_FATAL(model[seqs[i]] == SLOT_READY && model_away[seqs[i]]);
		CU_ASSERT_FATAL(i == 0 || seqs[i] > seqs[i - 1]);
		page_in(b, seqs[i]);
		model_away[seqs[i]] = false;
	}
	for (; expected < b->away_from && expected < b->next_seq; expected++)
		CU_ASSERT_FALSE_FATAL(model[expected] == SLOT_READY && model_away[expected]);
}

static void model_step(struct backlog *b)
{
	uint64_t some = (uint64_t)rand() % b->next_seq;
	/* Mostly near the end, where the action is. */
	if (rand() % 4 > 0 && b->next_seq > 300)
		some = b->next_seq - 1 - (uint64_t)rand() % 300;

	switch (rand() % 10) {
	case 0:
	case 1:
	case 2:
		if (b->next_seq < MODEL_SIZE) {
			model[b->next_seq] = SLOT_READY;
			append_stored(b, 1);
		}
		break;
	case 3:
	case 4: {
		uint64_t head = model_head(b->next_seq);

		CU_ASSERT_EQUAL_FATAL(take(b), head);
		if (head > 0)
			model[head] = SLOT_TAKEN;
		break;
	}
	case 5: {
		uint64_t head = model_head(b->next_seq);

		CU_ASSERT_EQUAL_FATAL(shift(b), head);
		if (head > 0)
			model_leave(head);
		break;
	}
	case 8:
		model_turn_over(b, some);
		break;
	case 9:
		if (rand() % 4 == 0)
			model_read(b);
		break;
	case 6:
		CU_ASSERT_EQUAL_FATAL(settle(b, some), model[some] == SLOT_TAKEN);
		if (model[some] == SLOT_TAKEN)
			model_leave(some);
		break;
	default:
		CU_ASSERT_EQUAL_FATAL(give_back(b, some), model[some] == SLOT_TAKEN);
		if (model[some] == SLOT_TAKEN)
			model[some] = SLOT_READY;
		break;
	}
}

static void model_purge(struct backlog *b)
{
	uint64_t n = 0;

	for (uint64_t seq = 1; seq < b->next_seq; seq++) {
		if (model[seq] != SLOT_READY)
			continue;
		model_leave(seq);
		n++;
	}
	CU_ASSERT_EQUAL_FATAL(backlog_purge(b), n);
}

static void like_the_model(void)
{
	struct backlog b;

	setup();
	srand(1);
	backlog_init(&b, &pool);
	for (unsigned i = 0; i < 50000; i++) {
		model_step(&b);
		if (i % 7919 == 7918)
			model_purge(&b);
	}
	uint64_t live = 0, away = 0, taken_away = 0;
	for (uint64_t seq = 1; seq < b.next_seq; seq++) {
		live += model[seq] != SLOT_GONE;
		away += model_away[seq];
		taken_away += model_away[seq] && model[seq] == SLOT_TAKEN;
	}
	CU_ASSERT_EQUAL(b.all.count, live);
	CU_ASSERT_EQUAL(b.all.body_bytes, live);
	CU_ASSERT_EQUAL(b.all.away_count, away);
	CU_ASSERT_EQUAL(b.taken.away_count, taken_away);
	CU_ASSERT(away > 0);
	backlog_fini(&b);
	teardown();
}

UNIT_MAIN("backlog", UNIT_TEST(first_in_first_out), UNIT_TEST(unknown_numbers_are_not_found),
	  UNIT_TEST(returned_ones_come_first_and_in_order), UNIT_TEST(runs_come_back_cheaply),
	  UNIT_TEST(gaps_are_given_back), UNIT_TEST(purge_of_all),
	  UNIT_TEST(purge_leaves_what_is_taken), UNIT_TEST(purge_behind_what_is_taken),
	  UNIT_TEST(persistent_ones_are_counted),
	  UNIT_TEST(long_ones_are_dropped_in_the_background), UNIT_TEST(like_the_model))
