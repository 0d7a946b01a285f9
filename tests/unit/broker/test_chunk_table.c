/* SPDX-License-Identifier: MIT */
#include "broker/queue/chunk_table.h"

#include "../unit.h"
#include "base/account.h"
#include "broker/queue/backlog.h"

enum { COUNT = 20000 };

static struct chunk *chunks; /* whose numbers are far apart and near each other */
static struct chunk_table table;

static void begin(void)
{
	chunks = calloc(COUNT, sizeof(*chunks));
	CU_ASSERT_PTR_NOT_NULL_FATAL(chunks);
	for (unsigned i = 0; i < COUNT; i++)
		chunks[i].number = i % 3 == 0 ? (uint64_t)i << 20 : i;
	table = (struct chunk_table){.places = NULL};
}

static void end(void)
{
	chunk_table_clear(&table);
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_QUEUE), 0);
	CU_ASSERT_EQUAL(chunk_table_bytes(&table), 0);
	free(chunks);
}

static void check(unsigned first, unsigned last)
{
	unsigned n_wrong = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		const struct chunk *expected = i >= first && i < last ? &chunks[i] : NULL;

		n_wrong += chunk_table_find(&table, chunks[i].number) != expected;
	}
	CU_ASSERT_EQUAL(n_wrong, 0);
	CU_ASSERT_EQUAL(table.count, last - first);
}

/* As a queue does it: at one end they come, at the other they go. */
static void finds_what_is_there(void)
{
	unsigned first = 0, last = 0;

	begin();
	CU_ASSERT_PTR_NULL(chunk_table_find(&table, 1));
	while (last < COUNT) {
		for (unsigned n = 0; n < 1000; n++)
			chunk_table_put(&table, &chunks[last++]);
		check(first, last);
		for (unsigned n = 0; n < 300; n++)
			chunk_table_remove(&table, &chunks[first++]);
		check(first, last);
	}
	while (first < COUNT) {
		for (unsigned n = 0; n < 1000 && first < COUNT; n++)
			chunk_table_remove(&table, &chunks[first++]);
		check(first, last);
	}
	CU_ASSERT_TRUE(table.size <= 64);
	end();
}

/* What is there, and where it is found, while it is on its way from one table to the other. */
static void finds_all_in_the_midst_of_it(void)
{
	unsigned n_looks = 0;

	begin();
	for (unsigned i = 0; i < COUNT; i++) {
		chunk_table_put(&table, &chunks[i]);
		if (!table.old || table.old_size < 4096 || table.n_moved != table.old_size / 2)
			continue;
		check(0, i + 1);
		n_looks++;
		/* Some that have moved and some that have not go; and come back. */
		for (unsigned k = 0; k < 10; k++)
			chunk_table_remove(&table, &chunks[k]);
		check(10, i + 1);
		for (unsigned k = 0; k < 10; k++)
			chunk_table_put(&table, &chunks[k]);
		check(0, i + 1);
	}
	CU_ASSERT_TRUE(n_looks > 0);
	end();
}

/* Never more than a few places in one step, and all of them before it must grow again. */
static void moves_a_few_at_a_time(void)
{
	unsigned longest = 0, n_changes = 0;

	begin();
	for (unsigned i = 0; i < 2 * COUNT; i++) {
		struct chunk_table before = table;
		bool grows = i < COUNT;

		if (grows)
			chunk_table_put(&table, &chunks[i]);
		else
			chunk_table_remove(&table, &chunks[i - COUNT]);
		if (table.size != before.size) {
			n_changes++;
			CU_ASSERT_PTR_NULL(before.old); /* or all the rest would move at once */
		} else if (table.old) {
			unsigned moved = table.n_moved - before.n_moved;

			longest = moved > longest ? moved : longest;
		}
	}
	CU_ASSERT_EQUAL(longest, CHUNK_TABLE_STEP);
	CU_ASSERT_TRUE(n_changes > 15);
	end();
}

UNIT_MAIN("chunk_table", UNIT_TEST(finds_what_is_there), UNIT_TEST(finds_all_in_the_midst_of_it),
	  UNIT_TEST(moves_a_few_at_a_time))
