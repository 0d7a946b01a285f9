/* SPDX-License-Identifier: MIT */
#include "exchange_case.h"

#include "../unit/unit.h"

/* Keys mean nothing to it. */
static void make_binding(uint64_t *random, struct case_binding *binding)
{
	case_set_key(binding, case_random(random) % 2 ? "a" : "b");
}

static void make_message(uint64_t *random, struct case_message *message)
{
	case_message_set_key(message, case_random(random) % 2 ? "a" : "c");
}

static bool accepts(const struct exchange_case *c, const struct case_message *message, size_t count)
{
	size_t bound = 0;

	(void)message;
	for (size_t i = 0; i < c->count; i++)
		bound += c->bindings[i].bound;
	if (bound == 0)
		return count == 0;
	return count == 1 && ((const struct case_binding *)c->answer[0])->bound;
}

static const struct case_model model = {make_binding, make_message, NULL, accepts};

static void routes_to_one_binding(void)
{
	struct case_message message = {0};
	struct exchange_case c;

	case_open(&c, &model, 2);
	case_message_set_key(&message, "any");
	CU_ASSERT_EQUAL(case_route(&c, &message), 0);
	CU_ASSERT_EQUAL_FATAL(case_bind(&c, 0), 0);
	CU_ASSERT_EQUAL_FATAL(case_bind(&c, 1), 0);
	CU_ASSERT_EQUAL(case_route(&c, &message), 1);
	case_unbind(&c, 0);
	CU_ASSERT_EQUAL(case_route(&c, &message), 1);
	CU_ASSERT(case_answered(&c, 1, 1));
	case_close(&c);
}

/* 100 000 each, give or take 300 (one standard deviation). */
static void routes_evenly(void)
{
	struct case_message message = {0};
	struct exchange_case c;
	size_t got[10] = {0};

	case_open(&c, &model, 10);
	case_message_set_key(&message, "any");
	for (size_t i = 0; i < 10; i++)
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	for (size_t i = 0; i < 1000000; i++) {
		CU_ASSERT_EQUAL_FATAL(case_route(&c, &message), 1);
		got[(const struct case_binding *)c.answer[0] - c.bindings]++;
	}
	for (size_t i = 0; i < 10; i++)
		CU_ASSERT(got[i] > 98500 && got[i] < 101500);
	case_close(&c);
}

static void agrees_with_the_model(void)
{
	struct exchange_case c;

	case_open(&c, &model, 200);
	case_run_random(&c, 1, 4000);
	case_close(&c);
}

static void survives_failing_allocations(void)
{
	struct exchange_case c;

	case_open(&c, &model, 60);
	case_run_memory(&c, 2, 500);
	case_close(&c);
}

static void destroy_frees_what_is_bound(void)
{
	struct exchange_case c;

	case_open(&c, &model, 5000);
	for (size_t i = 0; i < 5000; i++)
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	case_close(&c);
}

static void routes_on_several_loops_at_once(void)
{
	struct exchange_case c;

	case_open(&c, &model, 100);
	case_run_threads(&c, 3, 2000);
	case_close(&c);
}

UNIT_MAIN("exchange-random", UNIT_TEST(routes_to_one_binding), UNIT_TEST(routes_evenly),
	  UNIT_TEST(agrees_with_the_model), UNIT_TEST(survives_failing_allocations),
	  UNIT_TEST(destroy_frees_what_is_bound), UNIT_TEST(routes_on_several_loops_at_once))
