/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "../unit.h"
#include "backlog_case.h"

/* ---- Not in memory ---- */

static void what_is_away_counts_but_not_in_memory(void)
{
	struct backlog b;
	uint64_t alloc;

	setup();
	backlog_init(&b, &pool);
	append_stored(&b, 10);
	alloc = b.all.alloc_bytes / 10;
	CU_ASSERT_EQUAL(take(&b), 1);
	CU_ASSERT_TRUE(page_out(&b, 1));
	CU_ASSERT_TRUE(page_out(&b, 7));
	CU_ASSERT_FALSE(page_out(&b, 7));
	CU_ASSERT_EQUAL(b.all.count, 10);
	CU_ASSERT_EQUAL(b.all.body_bytes, 10);
	CU_ASSERT_EQUAL(b.all.alloc_bytes, 8 * alloc);
	CU_ASSERT_EQUAL(b.all.away_count, 2);
	CU_ASSERT_EQUAL(b.all.away_bytes, 2);
	CU_ASSERT_EQUAL(b.taken.count, 1);
	CU_ASSERT_EQUAL(b.taken.body_bytes, 1);
	CU_ASSERT_EQUAL(b.taken.alloc_bytes, 0);
	CU_ASSERT_EQUAL(b.taken.away_count, 1);
	page_in(&b, 7);
	CU_ASSERT_EQUAL(b.all.alloc_bytes, 9 * alloc);
	CU_ASSERT_EQUAL(b.all.away_count, 1);
	CU_ASSERT_TRUE(settle(&b, 1));
	CU_ASSERT_EQUAL(b.all.away_count, 0);
	CU_ASSERT_EQUAL(b.taken.away_count, 0);
	CU_ASSERT_EQUAL(b.all.body_bytes, 9);
	backlog_fini(&b);
	teardown();
}

static void what_is_not_stored_stays(void)
{
	struct backlog b;

	setup();
	backlog_init(&b, &pool);
	append_stored(&b, 3);
	append(&b, 1);
	b.stored_through = 2;
	backlog_find(&b, 2)->marks |= SLOT_UNSTORED;
	CU_ASSERT_TRUE(page_out(&b, 1));
	CU_ASSERT_FALSE(page_out(&b, 2)); /* it failed */
	CU_ASSERT_FALSE(page_out(&b, 3)); /* not yet */
	b.stored_through = 4;
	CU_ASSERT_TRUE(page_out(&b, 3));
	CU_ASSERT_FALSE(page_out(&b, 4)); /* not logged */
	backlog_fini(&b);
	teardown();
}

/* The newest go first; taken ones may have half of the budget. */
static void trimming_keeps_the_head(void)
{
	struct backlog b;
	uint64_t below = UINT64_MAX, one;
	unsigned n = 500 * CHUNK_SLOTS;

	setup();
	backlog_init(&b, &pool);
	append_stored(&b, n);
	one = b.all.alloc_bytes / n;
	backlog_trim_range(&b, n - 9, n, (n - 5) * one);
	CU_ASSERT_EQUAL(b.all.away_count, 5);
	CU_ASSERT_TRUE(slot_is_away(backlog_find(&b, n - 4)));
	CU_ASSERT_FALSE(slot_is_away(backlog_find(&b, n - 5)));
	backlog_trim_range(&b, n - 9, n, 0);
	CU_ASSERT_EQUAL(b.all.away_count, 10);

	while (backlog_trim(&b, &below, 1000 * one))
		;
	CU_ASSERT_EQUAL(b.all.away_count, n - 1000);
	CU_ASSERT_FALSE(slot_is_away(backlog_find(&b, 1000)));
	for (int i = 0; i < 600; i++)
		(void)take(&b);
	CU_ASSERT_TRUE(backlog_is_above(&b, 1000 * one));
	backlog_trim_range(&b, 1, 1000, 1000 * one);
	CU_ASSERT_EQUAL(b.taken.away_count, 100);
	CU_ASSERT_EQUAL(b.all.away_count, n - 900);
	backlog_fini(&b);
	teardown();
}

static void pieces_to_be_read_are_in_order(void)
{
	struct backlog b;
	uint64_t seqs[100];

	setup();
	backlog_init(&b, &pool);
	append_stored(&b, 10 * CHUNK_SLOTS);
	CU_ASSERT_EQUAL(backlog_find_away(&b, seqs, 100, UINT64_MAX), 0);
	for (uint64_t seq = 500; seq <= 600; seq++)
		CU_ASSERT_TRUE(page_out(&b, seq));
	CU_ASSERT_EQUAL(b.away_from, 500);
	CU_ASSERT_EQUAL_FATAL(backlog_find_away(&b, seqs, 100, UINT64_MAX), 100);
	CU_ASSERT_EQUAL(seqs[0], 500);
	CU_ASSERT_EQUAL(seqs[99], 599);
	CU_ASSERT_EQUAL(b.away_from, 600);
	CU_ASSERT_EQUAL_FATAL(backlog_find_away(&b, seqs, 100, 1), 1);
	CU_ASSERT_EQUAL(seqs[0], 600);
	CU_ASSERT_EQUAL(backlog_find_away(&b, seqs, 100, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(b.away_from, UINT64_MAX);

	/* One that comes back away is before them; taken ones are not read. */
	for (int i = 0; i < 3; i++)
		(void)take(&b);
	for (uint64_t seq = 1; seq <= 3; seq++)
		CU_ASSERT_TRUE(page_out(&b, seq));
	CU_ASSERT_EQUAL(b.away_from, UINT64_MAX);
	CU_ASSERT_TRUE(give_back(&b, 2));
	CU_ASSERT_EQUAL(b.away_from, 2);
	CU_ASSERT_EQUAL(backlog_find_away(&b, seqs, 100, UINT64_MAX), 100);
	CU_ASSERT_EQUAL(seqs[0], 2);
	CU_ASSERT_EQUAL(seqs[1], 500);
	backlog_fini(&b);
	teardown();
}

/* ---- Gaps, and after a restart ---- */

static void one_may_leave_from_within(void)
{
	struct backlog b;

	setup();
	backlog_init(&b, &pool);
	append_stored(&b, 3 * CHUNK_SLOTS);
	for (uint64_t seq = 100; seq < 300; seq++) {
		CU_ASSERT_TRUE(page_out(&b, seq));
		backlog_drop_away(&b, seq, backlog_find(&b, seq));
	}
	CU_ASSERT_EQUAL(backlog_ready(&b), 3 * CHUNK_SLOTS - 200);
	for (uint64_t seq = 1; seq < 100; seq++)
		CU_ASSERT_EQUAL(take(&b), seq);
	/* One that waits in the heap, too. */
	CU_ASSERT_TRUE(give_back(&b, 7));
	CU_ASSERT_TRUE(give_back(&b, 9));
	CU_ASSERT_TRUE(page_out(&b, 7));
	backlog_drop_away(&b, 7, backlog_find(&b, 7));
	CU_ASSERT_EQUAL(take(&b), 9);
	for (uint64_t seq = 300; seq <= 3 * CHUNK_SLOTS; seq++)
		CU_ASSERT_EQUAL(shift(&b), seq);
	CU_ASSERT_EQUAL(shift(&b), 0);
	append(&b, 1);
	CU_ASSERT_EQUAL(shift(&b), 3 * CHUNK_SLOTS + 1);
	backlog_fini(&b);
	teardown();
}

static void restored_ones_come_in_order(void)
{
	static uint64_t seqs[2000];
	struct backlog b;

	setup();
	backlog_init(&b, &pool);
	backlog_restore_begin(&b, 1000000);
	for (uint64_t i = 0; i < 2000; i++) /* every 251st, in no order */
		CU_ASSERT_EQUAL(backlog_restore(&b, (i * 7 % 2000 + 1) * 251, 10, SLOT_NEVER,
						SLOT_LOGGED | SLOT_REDELIVERED),
				0);
	CU_ASSERT_EQUAL(backlog_restore(&b, 251, 10, SLOT_NEVER, 0), -EEXIST);
	CU_ASSERT_EQUAL(backlog_restore(&b, 0, 10, SLOT_NEVER, 0), -ERANGE);
	CU_ASSERT_EQUAL(backlog_restore(&b, 1000001, 10, SLOT_NEVER, 0), -ERANGE);
	backlog_restore_end(&b);
	CU_ASSERT_EQUAL(backlog_ready(&b), 2000);
	CU_ASSERT_EQUAL(b.all.body_bytes, 20000);
	CU_ASSERT_EQUAL(b.all.away_count, 2000);
	CU_ASSERT_EQUAL(heap_count(&b.returned), 0);

	size_t n = 0;
	while (n < 2000) {
		size_t more = backlog_find_away(&b, seqs + n, 2000 - n, UINT64_MAX);

		CU_ASSERT_FATAL(more > 0);
		for (size_t i = n; i < n + more; i++)
			page_in(&b, seqs[i]);
		n += more;
	}
	append(&b, 1);
	for (uint64_t i = 1; i <= 2000; i++) {
		CU_ASSERT_EQUAL(seqs[i - 1], i * 251);
		CU_ASSERT_EQUAL(take(&b), i * 251);
	}
	CU_ASSERT_TRUE(slot_is_redelivered(backlog_find(&b, 251)));
	CU_ASSERT_TRUE(page_out(&b, 251));
	CU_ASSERT_EQUAL(take(&b), 1000001);
	backlog_fini(&b);
	teardown();
}

static void a_restored_queue_without_messages(void)
{
	struct backlog b;

	setup();
	backlog_init(&b, &pool);
	backlog_restore_begin(&b, 7);
	backlog_restore_end(&b);
	CU_ASSERT_EQUAL(take(&b), 0);
	append(&b, 1);
	CU_ASSERT_EQUAL(take(&b), 8);
	backlog_fini(&b);
	teardown();
}

/* A purge of what has gaps, and around what is taken. */
static void purge_over_gaps(void)
{
	struct backlog b;

	setup();
	backlog_init(&b, &pool);
	backlog_restore_begin(&b, 5000);
	for (uint64_t seq = 3; seq <= 5000; seq += 3)
		CU_ASSERT_EQUAL(backlog_restore(&b, seq, 1, SLOT_NEVER, SLOT_LOGGED), 0);
	backlog_restore_end(&b);
	for (uint64_t seq = 3; seq < 1000; seq += 3) {
		page_in(&b, seq);
		CU_ASSERT_EQUAL(take(&b), seq);
	}
	CU_ASSERT_TRUE(page_out(&b, 3));
	CU_ASSERT_EQUAL(backlog_purge(&b), 1666 - 333);
	CU_ASSERT_EQUAL(b.all.count, 333);
	CU_ASSERT_EQUAL(b.all.away_count, 1);
	append(&b, 1);
	CU_ASSERT_TRUE(give_back(&b, 3));
	CU_ASSERT_EQUAL(take(&b), 3);
	CU_ASSERT_EQUAL(take(&b), 5001);
	backlog_fini(&b);
	teardown();
}

UNIT_MAIN("backlog_paging", UNIT_TEST(what_is_away_counts_but_not_in_memory),
	  UNIT_TEST(what_is_not_stored_stays), UNIT_TEST(trimming_keeps_the_head),
	  UNIT_TEST(pieces_to_be_read_are_in_order), UNIT_TEST(one_may_leave_from_within),
	  UNIT_TEST(restored_ones_come_in_order), UNIT_TEST(a_restored_queue_without_messages),
	  UNIT_TEST(purge_over_gaps))
