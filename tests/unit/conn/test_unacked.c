/* SPDX-License-Identifier: MIT */
#include "conn/deliver/unacked.h"

#include <stdlib.h>

#include "../unit.h"
#include "base/account.h"
#include "base/mem.h"

/* All that it had counted for is given back. */
static void end(struct unacked *u)
{
	uint64_t bytes = (u->capacity + u->old_capacity) * sizeof(*u->entries) +
			 u->stragglers_capacity * sizeof(*u->stragglers);

	CU_ASSERT_EQUAL(account_total(), bytes);
	unacked_fini(u);
	CU_ASSERT_EQUAL(account_total(), 0);
}

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
	end(&u);
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
	end(&u);
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
	end(&u);
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
	end(&u);
	free(held);
}

/* A client that keeps some for long and settles the rest costs what it keeps, not all tags that
 * there were. */
static void the_ring_does_not_span_what_is_gone(void)
{
	enum { COUNT = 1000000, KEPT_EVERY = 20000 };
	struct unacked u;
	uint64_t tag = 0;
	size_t n = 0;

	unacked_init(&u, 1);
	for (uint64_t t = 1; t <= COUNT; t++) {
		CU_ASSERT_EQUAL_FATAL(unacked_add(&u, t, t * 2, 1), 0);
		if (t % KEPT_EVERY != 1)
			unacked_remove(&u, unacked_find(&u, t));
	}
	CU_ASSERT_EQUAL(u.held, COUNT / KEPT_EVERY);
	CU_ASSERT(u.capacity <= 4096 && u.stragglers_capacity <= 256);
	for (struct unacked_entry *entry; (entry = unacked_next(&u, &tag)) != NULL; tag++, n++) {
		CU_ASSERT_EQUAL(tag, n * KEPT_EVERY + 1);
		CU_ASSERT_EQUAL(entry->seq, tag * 2);
		CU_ASSERT_PTR_EQUAL(unacked_find(&u, tag), entry);
		unacked_remove(&u, entry);
		CU_ASSERT_PTR_NULL(unacked_find(&u, tag));
	}
	CU_ASSERT_EQUAL(n, COUNT / KEPT_EVERY);
	CU_ASSERT_EQUAL(u.held, 0);
	CU_ASSERT_PTR_NULL(u.stragglers);
	end(&u);
}

static void a_gap_needs_no_memory(void)
{
	struct unacked u;

	unacked_init(&u, 1);
	CU_ASSERT_EQUAL_FATAL(unacked_add(&u, 1, 1, 0), 0);
	CU_ASSERT_EQUAL_FATAL(unacked_add(&u, UINT64_C(1) << 40, 2, 0), 0);
	CU_ASSERT(u.capacity <= 1024);
	CU_ASSERT_PTR_NOT_NULL(unacked_find(&u, 1));
	CU_ASSERT_PTR_NOT_NULL(unacked_find(&u, UINT64_C(1) << 40));
	CU_ASSERT_PTR_NULL(unacked_find(&u, 2));
	end(&u);
}

/* Against an array again: mostly settled at once, and what is kept in any order. */
static void stragglers_in_any_order(void)
{
	enum { COUNT = 200000 };
	bool *held = calloc(COUNT + 1, sizeof(bool));
	struct unacked u;
	unsigned seed = 5;
	size_t n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(held);
	unacked_init(&u, 1);
	for (uint64_t t = 1; t <= COUNT; t++) {
		uint64_t other = (uint64_t)rand_r(&seed) % t;

		CU_ASSERT_EQUAL_FATAL(unacked_add(&u, t, t, 0), 0);
		held[t] = rand_r(&seed) % 50 == 0;
		if (!held[t])
			unacked_remove(&u, unacked_find(&u, t));
		n += held[t];
		CU_ASSERT_EQUAL_FATAL(unacked_find(&u, other) != NULL, held[other]);
		if (!held[other] || rand_r(&seed) % 2 == 0)
			continue;
		CU_ASSERT_EQUAL_FATAL(unacked_find(&u, other)->seq, other);
		unacked_remove(&u, unacked_find(&u, other));
		held[other] = false;
		n--;
	}
	CU_ASSERT_EQUAL(u.held, n);
	for (uint64_t t = 0; t <= COUNT; t++)
		CU_ASSERT_EQUAL(unacked_find(&u, t) != NULL, held[t]);
	end(&u);
	free(held);
}

/* Downwards and upwards there are the same ones, of the ring and of the stragglers. */
static void downwards_as_upwards(void)
{
	enum { COUNT = 20000 };
	uint64_t tags[COUNT], n = 0, t;
	struct unacked_entry *entry;
	struct unacked u;

	unacked_init(&u, 1);
	for (t = 1; t <= COUNT; t++) {
		CU_ASSERT_EQUAL_FATAL(unacked_add(&u, t, t, 0), 0);
		if (t % 37 != 0 && t < COUNT - 500)
			unacked_remove(&u, unacked_find(&u, t));
	}
	CU_ASSERT_TRUE(u.n_stragglers > 0);
	for (t = 0; (entry = unacked_next(&u, &t)) != NULL; t++)
		tags[n++] = t;
	CU_ASSERT_EQUAL(n, u.held);
	for (t = UINT64_MAX; (entry = unacked_prev(&u, &t)) != NULL; t--) {
		CU_ASSERT_FATAL(n > 0);
		CU_ASSERT_EQUAL(t, tags[--n]);
		CU_ASSERT_EQUAL(entry->seq, t);
		unacked_remove(&u, entry);
	}
	CU_ASSERT_EQUAL(n, 0);
	CU_ASSERT_EQUAL(u.held, 0);
	CU_ASSERT_EQUAL(u.base, u.end);
	CU_ASSERT_EQUAL(unacked_add(&u, COUNT + 1, 1, 0), 0);
	CU_ASSERT_PTR_NOT_NULL(unacked_find(&u, COUNT + 1));
	end(&u);
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
	end(&u);
}

static bool is_there(const struct unacked *u, uint64_t tag)
{
	const struct unacked_entry *entry = unacked_find(u, tag);

	return entry != NULL && entry->seq == 2 * tag;
}

/* However many there are, one that is added moves a few. */
static void the_ring_grows_in_steps(void)
{
	struct unacked u;
	unsigned n_growing = 0;
	uint64_t tag = 1;

	unacked_init(&u, 1);
	for (; tag <= 22000; tag++) {
		uint64_t before = u.old_end;

		CU_ASSERT_EQUAL_FATAL(unacked_add(&u, tag, 2 * tag, 0), 0);
		if (before == 0 && u.old_end != 0)
			before = tag;
		CU_ASSERT_FATAL(u.old_end == 0 || before - u.old_end <= 4);
		n_growing += u.old_end != 0;
		CU_ASSERT_FATAL(is_there(&u, 1) && is_there(&u, tag) && is_there(&u, tag / 2 + 1));
	}
	CU_ASSERT(n_growing > 22000 / 8);
	for (uint64_t i = 1; i < tag; i++)
		CU_ASSERT_FATAL(is_there(&u, i));
	CU_ASSERT_EQUAL(u.old_capacity, 0);
	end(&u);
}

/* All that can happen in the midst of it. */
static void settling_while_the_ring_grows(void)
{
	for (uint64_t first = 1; first <= 4097; first += 64) {
		struct unacked u;

		unacked_init(&u, 1);
		for (uint64_t tag = 1; tag <= 4100; tag++)
			CU_ASSERT_EQUAL_FATAL(unacked_add(&u, tag, 2 * tag, 0), 0);
		CU_ASSERT_FATAL(u.old_capacity != 0);
		for (uint64_t tag = 1; tag < first; tag++)
			unacked_remove(&u, unacked_find(&u, tag));
		for (uint64_t tag = 4101; tag <= 4200; tag++)
			CU_ASSERT_EQUAL_FATAL(unacked_add(&u, tag, 2 * tag, 0), 0);
		for (uint64_t tag = 1; tag <= 4200; tag++)
			CU_ASSERT_FATAL(is_there(&u, tag) == (tag >= first));
		for (uint64_t tag = 4200; tag >= first; tag--)
			unacked_remove(&u, unacked_find(&u, tag));
		CU_ASSERT_EQUAL(u.held, 0);
		end(&u);
	}
}

UNIT_MAIN("unacked", UNIT_TEST(a_tag_finds_its_entry), UNIT_TEST(gaps_are_not_found),
	  UNIT_TEST(one_in_a_transaction_is_not_found), UNIT_TEST(any_order_of_removal),
	  UNIT_TEST(the_ring_does_not_span_what_is_gone), UNIT_TEST(a_gap_needs_no_memory),
	  UNIT_TEST(stragglers_in_any_order), UNIT_TEST(downwards_as_upwards),
	  UNIT_TEST(the_ring_grows_in_steps), UNIT_TEST(settling_while_the_ring_grows),
	  UNIT_TEST(memory_may_be_out))
