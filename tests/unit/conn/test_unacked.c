/* SPDX-License-Identifier: MIT */
#include "conn/unacked.h"

#include <stdlib.h>

#include "../unit.h"
#include "base/mem.h"

static void a_tag_finds_its_entry(void)
{
	struct unacked u;
	struct unacked_entry *entry;

	unacked_init(&u, 1);
	CU_ASSERT_PTR_NULL(unacked_find(&u, 0));
	CU_ASSERT_PTR_NULL(unacked_find(&u, 1));
	CU_ASSERT_EQUAL_FATAL(unacked_add(&u, 1, 100, 7), 0);
	entry = unacked_find(&u, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	CU_ASSERT_EQUAL(entry->seq, 100);
	CU_ASSERT_EQUAL(entry->source, 7);
	unacked_remove(&u, entry);
	CU_ASSERT_PTR_NULL(unacked_find(&u, 1));
	CU_ASSERT_EQUAL(u.held, 0);
	unacked_fini(&u);
}

/* Tags of deliveries that need no acknowledgement are not in the ring. */
static void gaps_are_not_found(void)
{
	struct unacked u;

	unacked_init(&u, 1);
	CU_ASSERT_EQUAL_FATAL(unacked_add(&u, 3, 1, 0), 0);
	CU_ASSERT_EQUAL_FATAL(unacked_add(&u, 40, 2, 0), 0);
	for (uint64_t tag = 0; tag < 50; tag++)
		CU_ASSERT_EQUAL(unacked_find(&u, tag) != NULL, tag == 3 || tag == 40);
	CU_ASSERT_EQUAL(u.held, 2);
	unacked_fini(&u);
}

static void one_in_a_transaction_is_not_found(void)
{
	struct unacked u;

	unacked_init(&u, 1);
	CU_ASSERT_EQUAL_FATAL(unacked_add(&u, 1, 1, 0), 0);
	unacked_find(&u, 1)->state = UNACKED_IN_TX;
	CU_ASSERT_PTR_NULL(unacked_find(&u, 1));
	CU_ASSERT_PTR_NOT_NULL_FATAL(unacked_at(&u, 1));
	unacked_remove(&u, unacked_at(&u, 1));
	unacked_fini(&u);
}

/* Against an array of what is held. */
static void any_order_of_removal(void)
{
	enum { COUNT = 5000 };
	bool *held = calloc(COUNT + 1, sizeof(bool));
	struct unacked u;
	unsigned seed = 3;
	uint64_t next = 1;
	size_t n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(held);
	unacked_init(&u, 1);
	while (next <= COUNT) {
		if (rand_r(&seed) % 3 != 0) {
			CU_ASSERT_EQUAL_FATAL(unacked_add(&u, next, next * 2, 1), 0);
			held[next++] = true;
			n++;
		} else {
			uint64_t tag = (uint64_t)rand_r(&seed) % next;
			struct unacked_entry *entry = unacked_find(&u, tag);

			CU_ASSERT_EQUAL_FATAL(entry != NULL, held[tag]);
			if (entry == NULL)
				continue;
			CU_ASSERT_EQUAL(entry->seq, tag * 2);
			unacked_remove(&u, entry);
			held[tag] = false;
			n--;
		}
		CU_ASSERT_EQUAL_FATAL(u.held, n);
	}
	for (uint64_t tag = 1; tag <= COUNT; tag++)
		if (held[tag])
			unacked_remove(&u, unacked_find(&u, tag));
	CU_ASSERT_EQUAL(u.held, 0);
	CU_ASSERT_PTR_NULL(u.entries); /* a large ring is given back */
	unacked_fini(&u);
	free(held);
}

static void memory_may_be_out(void)
{
	struct unacked u;

	unacked_init(&u, 1);
	mem_fault_after(1);
	CU_ASSERT_TRUE(unacked_add(&u, 1, 1, 0) < 0);
	mem_fault_after(-1);
	CU_ASSERT_EQUAL(u.held, 0);
	CU_ASSERT_EQUAL(unacked_add(&u, 1, 1, 0), 0);
	unacked_fini(&u);
}

UNIT_MAIN("unacked", UNIT_TEST(a_tag_finds_its_entry), UNIT_TEST(gaps_are_not_found),
	  UNIT_TEST(one_in_a_transaction_is_not_found), UNIT_TEST(any_order_of_removal), UNIT_TEST(memory_may_be_out))
