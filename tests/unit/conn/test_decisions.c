/* SPDX-License-Identifier: MIT */
#include "conn/decisions.h"

#include <stdio.h>

#include "../unit.h"
#include "base/account.h"
#include "base/clock.h"
#include "base/mem.h"

static struct decision write_to(const char *exchange)
{
	return (struct decision){
		.operation = ACCESS_WRITE,
		.resource = ACCESS_RESOURCE_EXCHANGE,
		.name = slice_cstr(exchange),
	};
}

static struct decision topic(const char *exchange, const char *key)
{
	struct decision d = write_to(exchange);

	d.operation = ACCESS_WRITE_TOPIC;
	d.routing_key = slice_cstr(key);
	return d;
}

static bool have(struct decisions *decisions, uint64_t generation, struct decision d)
{
	return decisions_have(decisions, generation, &d);
}

static void add(struct decisions *decisions, uint64_t generation, struct decision d)
{
	decisions_add(decisions, generation, &d);
}

static void nothing_at_first(void)
{
	struct decisions *decisions = decisions_create();

	CU_ASSERT_FALSE(have(NULL, 1, write_to("e")));
	CU_ASSERT_FALSE(have(decisions, 1, write_to("e")));
	CU_ASSERT_FALSE(have(decisions, 0, write_to("")));
	decisions_destroy(decisions);
	decisions_destroy(NULL);
}

static void all_of_it_counts(void)
{
	struct decisions *decisions = decisions_create();
	struct decision read = write_to("e"), queue = write_to("e");

	read.operation = ACCESS_READ;
	queue.resource = ACCESS_RESOURCE_QUEUE;
	add(decisions, 1, write_to("e"));
	add(decisions, 1, topic("ab", "c"));
	CU_ASSERT_TRUE(have(decisions, 1, write_to("e")));
	CU_ASSERT_TRUE(have(decisions, 1, topic("ab", "c")));
	CU_ASSERT_FALSE(have(decisions, 1, read));
	CU_ASSERT_FALSE(have(decisions, 1, queue));
	CU_ASSERT_FALSE(have(decisions, 1, write_to("f")));
	CU_ASSERT_FALSE(have(decisions, 1, write_to("e2")));
	CU_ASSERT_FALSE(have(decisions, 1, topic("a", "bc")));
	CU_ASSERT_FALSE(have(decisions, 1, topic("ab", "")));
	decisions_destroy(decisions);
}

static void next_generation_forgets(void)
{
	struct decisions *decisions = decisions_create();

	add(decisions, 1, write_to("e"));
	CU_ASSERT_FALSE(have(decisions, 2, write_to("e")));
	add(decisions, 2, write_to("f"));
	CU_ASSERT_FALSE(have(decisions, 2, write_to("e")));
	CU_ASSERT_TRUE(have(decisions, 2, write_to("f")));
	decisions_destroy(decisions);
}

/* However many there are, it stays small, and those that it has are right. */
static void bounded(void)
{
	struct decisions *decisions;
	unsigned n_kept = 0;
	char key[16];
	int64_t before = (int64_t)account_kind_total(ACCOUNT_CONNECTION), most;

	decisions = decisions_create();
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "key-%u", i);
		add(decisions, 1, topic("e", key));
		CU_ASSERT_TRUE(have(decisions, 1, topic("e", key)));
	}
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "key-%u", i);
		n_kept += have(decisions, 1, topic("e", key));
	}
	CU_ASSERT_EQUAL(n_kept, DECISION_SETS * DECISION_WAYS);
	most = (int64_t)account_kind_total(ACCOUNT_CONNECTION) - before;
	CU_ASSERT_TRUE(most > 0 && most < 8192);
	decisions_destroy(decisions);
	CU_ASSERT_EQUAL((int64_t)account_kind_total(ACCOUNT_CONNECTION), before);
}

static void long_names_are_not_kept(void)
{
	static char name[300];
	struct decisions *decisions = decisions_create();

	memset(name, 'x', sizeof(name) - 1);
	add(decisions, 1, topic("e", name));
	CU_ASSERT_FALSE(have(decisions, 1, topic("e", name)));
	name[255] = '\0';
	add(decisions, 1, topic(name, name));
	CU_ASSERT_TRUE(have(decisions, 1, topic(name, name)));
	decisions_destroy(decisions);
}

/* Then it is asked again, and nothing else. */
static void short_of_memory(void)
{
	struct decisions *decisions;

	mem_fault_after(1);
	CU_ASSERT_PTR_NULL(decisions_create());
	decisions = decisions_create();
	mem_fault_after(1);
	add(decisions, 1, write_to("e"));
	CU_ASSERT_FALSE(have(decisions, 1, write_to("e")));
	add(decisions, 1, write_to("e"));
	CU_ASSERT_TRUE(have(decisions, 1, write_to("e")));
	decisions_destroy(decisions);
}

/* Told, not asserted: the machine may be busy. */
static void what_it_costs(void)
{
	struct decisions *decisions = decisions_create();
	uint64_t began;
	char keys[4][32]; /* a set has room for them all */
	bool all = true;

	for (unsigned i = 0; i < 4; i++) {
		snprintf(keys[i], sizeof(keys[i]), "sensors.hall-%u.temperature", i);
		add(decisions, 1, topic("measurements", keys[i]));
	}
	began = clock_monotonic_ns();
	for (unsigned i = 0; i < 1000000; i++)
		all &= have(decisions, 1, topic("measurements", keys[i % 4]));
	printf("%.1f ns ", (double)(clock_monotonic_ns() - began) / 1e6);
	CU_ASSERT_TRUE(all);
	decisions_destroy(decisions);
}

UNIT_MAIN("conn/decisions", UNIT_TEST(nothing_at_first), UNIT_TEST(all_of_it_counts),
	  UNIT_TEST(next_generation_forgets), UNIT_TEST(bounded),
	  UNIT_TEST(long_names_are_not_kept), UNIT_TEST(short_of_memory),
	  UNIT_TEST(what_it_costs))
