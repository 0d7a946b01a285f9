/* SPDX-License-Identifier: MIT */
#include "broker/queue/consumer.h"

#include "../unit.h"
#include "base/mem.h"
#include "loop/loop.h"

static struct consumer_set set;

static const struct actor_ref endpoint = {.loop = 0, .slot = 1, .serial = 7};

static void setup(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	consumer_set_init(&set);
}

static void teardown(void)
{
	struct consumer *c;

	while ((c = consumer_any(&set)))
		consumer_remove(&set, c);
	CU_ASSERT_EQUAL(set.n_able, 0);
	consumer_set_fini(&set);
	loop_pool_destroy();
}

static struct consumer *add(uint32_t number, int32_t priority, uint32_t prefetch)
{
	const struct consumer_options options = {
		.prefetch = prefetch, .priority = priority, .tag = "t"};

	return consumer_add(&set, endpoint, number, &options);
}

/* Who takes the next message of that many bytes; 0: nobody. */
static uint64_t next(uint64_t bytes)
{
	struct consumer *c = consumer_next(&set);

	if (!c)
		return 0;
	uint64_t number = c->key.number;
	consumer_took(&set, c, bytes);
	return number;
}

static void each_in_turn(void)
{
	setup();
	add(1, 0, 0);
	add(2, 0, 0);
	add(3, 0, 0);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(next(10), 1);
		CU_ASSERT_EQUAL(next(10), 2);
		CU_ASSERT_EQUAL(next(10), 3);
	}
	consumer_remove(&set, consumer_find(&set, endpoint, 2));
	CU_ASSERT_EQUAL(next(10), 1);
	CU_ASSERT_EQUAL(next(10), 3);
	CU_ASSERT_EQUAL(next(10), 1);
	teardown();
}

static void higher_priority_first_while_it_can(void)
{
	setup();
	add(1, 0, 0);
	struct consumer *high = add(2, 10, 2);
	add(3, -5, 0);
	CU_ASSERT_EQUAL(next(10), 2);
	CU_ASSERT_EQUAL(next(10), 2);
	CU_ASSERT_EQUAL(next(10), 1);
	CU_ASSERT_TRUE(consumer_settled(&set, high, 1));
	CU_ASSERT_EQUAL(next(10), 2);
	CU_ASSERT_EQUAL(next(10), 1);
	consumer_remove(&set, consumer_find(&set, endpoint, 1));
	CU_ASSERT_EQUAL(next(10), 3);
	teardown();
}

static void prefetch_limits_what_is_unsettled(void)
{
	setup();
	struct consumer *c = add(1, 0, 3);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(next(10), 1);
	CU_ASSERT_EQUAL(next(10), 0);
	CU_ASSERT_TRUE(consumer_settled(&set, c, 2));
	CU_ASSERT_EQUAL(next(10), 1);
	CU_ASSERT_EQUAL(next(10), 1);
	CU_ASSERT_EQUAL(next(10), 0);
	CU_ASSERT_TRUE(consumer_settled(&set, c, 100)); /* never below none */
	CU_ASSERT_EQUAL(c->unsettled, 0);
	teardown();
}

static void prefetch_changes_at_once(void)
{
	setup();
	struct consumer *c = add(1, 0, 1);
	CU_ASSERT_EQUAL(next(10), 1);
	CU_ASSERT_EQUAL(next(10), 0);
	consumer_change_prefetch(&set, c, 3);
	CU_ASSERT_EQUAL(next(10), 1);
	consumer_change_prefetch(&set, c, 2);
	CU_ASSERT_EQUAL(next(10), 0);
	CU_ASSERT_FALSE(consumer_settled(&set, c, 0));
	CU_ASSERT_TRUE(consumer_settled(&set, c, 1));
	CU_ASSERT_EQUAL(next(10), 1);
	CU_ASSERT_EQUAL(next(10), 0);
	consumer_change_prefetch(&set, c, 0);
	CU_ASSERT_EQUAL(next(10), 1);
	consumer_change_prefetch(&set, c, 1);
	CU_ASSERT_EQUAL(set.n_able, 0);
	teardown();
}

static void no_ack_knows_no_prefetch(void)
{
	const struct consumer_options options = {
		.prefetch = 1, .no_ack = true, .needs_grants = true, .tag = "t"};

	setup();
	struct consumer *c = consumer_add(&set, endpoint, 1, &options);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(next(10), 1);
	CU_ASSERT_EQUAL(c->unsettled, 0);
	CU_ASSERT_PTR_NULL(consumer_asks(&set));
	teardown();
}

static void bytes_limit_what_is_under_way(void)
{
	setup();
	struct consumer *c = add(1, 0, 0);
	CU_ASSERT_TRUE(consumer_fits(c, UINT64_C(1) << 30)); /* one always fits */
	CU_ASSERT_EQUAL(next(UINT64_C(1) << 30), 1);
	CU_ASSERT_EQUAL(next(1), 0);
	CU_ASSERT_FALSE(consumer_credited(&set, c, 1000));
	CU_ASSERT_TRUE(consumer_credited(&set, c, UINT64_C(1) << 30));
	CU_ASSERT_EQUAL(c->debt, 0);
	CU_ASSERT_EQUAL(next(QUEUE_CREDIT_STEP - 1), 1);
	CU_ASSERT_TRUE(consumer_fits(
		c, UINT64_C(1) << 30)); /* what its channel may keep does not hinder */
	CU_ASSERT_EQUAL(next(1), 1);
	CU_ASSERT_TRUE(consumer_fits(c, CONSUMER_CREDIT_BYTES - QUEUE_CREDIT_STEP));
	CU_ASSERT_FALSE(consumer_fits(c, CONSUMER_CREDIT_BYTES - QUEUE_CREDIT_STEP + 1));
	consumer_block(&set, c);
	CU_ASSERT_EQUAL(next(1), 0);
	CU_ASSERT_TRUE(consumer_credited(&set, c, 50));
	CU_ASSERT_EQUAL(next(1), 1);
	teardown();
}

static void grants_are_asked_for_once(void)
{
	const struct consumer_options options = {.needs_grants = true, .tag = "t"};

	setup();
	struct consumer *c = consumer_add(&set, endpoint, 1, &options);
	CU_ASSERT_EQUAL(next(10), 0);
	CU_ASSERT_PTR_EQUAL(consumer_asks(&set), c);
	CU_ASSERT_PTR_NULL(consumer_asks(&set));
	CU_ASSERT_TRUE(consumer_granted(&set, c, 2));
	CU_ASSERT_PTR_NULL(consumer_asks(&set));
	CU_ASSERT_PTR_EQUAL(consumer_holder(&set, true), c);
	CU_ASSERT_PTR_NULL(consumer_holder(&set, false));
	CU_ASSERT_EQUAL(next(10), 1);
	CU_ASSERT_EQUAL(next(10), 1);
	CU_ASSERT_EQUAL(next(10), 0);
	CU_ASSERT_PTR_NULL(consumer_holder(&set, true));
	CU_ASSERT_PTR_EQUAL(consumer_asks(&set), c);
	teardown();
}

static void unused_grants_can_be_taken_back(void)
{
	const struct consumer_options options = {.needs_grants = true, .prefetch = 1, .tag = "t"};

	setup();
	struct consumer *c = consumer_add(&set, endpoint, 1, &options);
	CU_ASSERT_PTR_EQUAL(consumer_asks(&set), c);
	CU_ASSERT_TRUE(consumer_granted(&set, c, 5));
	CU_ASSERT_EQUAL(next(10), 1);
	CU_ASSERT_PTR_EQUAL(consumer_holder(&set, false), c); /* its own prefetch is full */
	CU_ASSERT_EQUAL(consumer_take_grants(&set, c), 4);
	CU_ASSERT_EQUAL(consumer_take_grants(&set, c), 0);
	CU_ASSERT_PTR_NULL(consumer_asks(&set)); /* could not use them */
	CU_ASSERT_FALSE(consumer_settled(&set, c, 1));
	CU_ASSERT_PTR_EQUAL(consumer_asks(&set), c);
	teardown();
}

static void found_by_endpoint_and_number(void)
{
	struct actor_ref other = {.loop = 1, .slot = 1, .serial = 7};
	const struct consumer_options options = {.tag = "other"};

	setup();
	struct consumer *a = add(1, 0, 0);
	struct consumer *b = consumer_add(&set, other, 1, &options);
	CU_ASSERT_PTR_EQUAL(consumer_find(&set, endpoint, 1), a);
	CU_ASSERT_PTR_EQUAL(consumer_find(&set, other, 1), b);
	CU_ASSERT_PTR_EQUAL(consumer_find(&set, other, 1), b);
	CU_ASSERT_PTR_NULL(consumer_find(&set, other, 2));
	consumer_remove(&set, b);
	CU_ASSERT_PTR_NULL(consumer_find(&set, other, 1));
	teardown();
}

static void out_of_memory_adds_nobody(void)
{
	const struct consumer_options options = {.tag = "t", .arguments = SLICE_LITERAL("\3key")};

	setup();
	mem_fault_after(1);
	CU_ASSERT_PTR_NULL(consumer_add(&set, endpoint, 1, &options));
	mem_fault_after(-1);
	CU_ASSERT_EQUAL(set.count, 0);
	CU_ASSERT_PTR_NULL(consumer_find(&set, endpoint, 1));
	struct consumer *c = consumer_add(&set, endpoint, 1, &options);
	CU_ASSERT_TRUE(slice_equal(c->arguments, options.arguments));
	teardown();
}

UNIT_MAIN("consumer", UNIT_TEST(each_in_turn), UNIT_TEST(higher_priority_first_while_it_can),
	  UNIT_TEST(prefetch_limits_what_is_unsettled), UNIT_TEST(prefetch_changes_at_once),
	  UNIT_TEST(no_ack_knows_no_prefetch), UNIT_TEST(bytes_limit_what_is_under_way),
	  UNIT_TEST(grants_are_asked_for_once), UNIT_TEST(unused_grants_can_be_taken_back),
	  UNIT_TEST(found_by_endpoint_and_number), UNIT_TEST(out_of_memory_adds_nobody))
