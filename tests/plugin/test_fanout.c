/* SPDX-License-Identifier: MIT */
#include "exchange_case.h"

#include "../unit/unit.h"

/* Keys mean nothing to a fanout exchange. */
static void make_binding(uint64_t *random, struct case_binding *binding)
{
	case_set_key(binding, case_random(random) % 2 ? "a" : "b");
}

static void make_message(uint64_t *random, struct case_message *message)
{
	case_message_set_key(message, case_random(random) % 2 ? "a" : "c");
}

static bool matches(const struct shunt_binding *binding, const struct case_message *message)
{
	(void)binding;
	(void)message;
	return true;
}

static const struct case_model model = {make_binding, make_message, matches, NULL};

static void routes_to_every_binding(void)
{
	struct case_message message = {0};
	struct exchange_case c;

	case_open(&c, NULL, 3);
	case_message_set_key(&message, "any");
	CU_ASSERT_EQUAL(case_route(&c, &message), 0);
	for (size_t i = 0; i < 3; i++) {
		case_set_key(&c.bindings[i], "k");
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	}
	CU_ASSERT_EQUAL(case_route(&c, &message), 3);
	case_unbind(&c, 0);
	CU_ASSERT_EQUAL(case_route(&c, &message), 2);
	CU_ASSERT(case_answered(&c, 2, 1) && case_answered(&c, 2, 2));
	case_close(&c);
}

/* The array is in blocks of 4096. */
static void routes_to_very_many(void)
{
	struct case_message message = {0};
	struct exchange_case c;
	size_t bound = 10000;

	case_open(&c, NULL, bound);
	case_message_set_key(&message, "any");
	for (size_t i = 0; i < bound; i++)
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	CU_ASSERT_EQUAL(case_route(&c, &message), bound);
	for (size_t i = 0; i < bound; i += 2)
		case_unbind(&c, i);
	CU_ASSERT_EQUAL(case_route(&c, &message), bound / 2);
	for (size_t i = 0; i < bound / 2; i++)
		CU_ASSERT(((const struct case_binding *)c.answer[i])->bound);
	for (size_t i = 0; i < bound; i += 2)
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	CU_ASSERT_EQUAL(case_route(&c, &message), bound);
	for (size_t i = 0; i < bound; i++)
		case_unbind(&c, i);
	CU_ASSERT_EQUAL(case_route(&c, &message), 0);
	CU_ASSERT_EQUAL(c.host.live, c.live_empty);
	case_close(&c);
}

/* A block comes and goes, and so does room in the one before it. */
static void swings_around_a_full_block(void)
{
	struct case_message message = {0};
	struct exchange_case c;
	size_t full = 4096;

	case_open(&c, NULL, full + 2);
	case_message_set_key(&message, "any");
	for (size_t i = 0; i < full; i++)
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	for (size_t round = 0; round < 3; round++) {
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, full), 0);
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, full + 1), 0);
		CU_ASSERT_EQUAL(case_route(&c, &message), full + 2);
		case_unbind(&c, 7);
		case_unbind(&c, full);
		case_unbind(&c, full + 1);
		CU_ASSERT_EQUAL(case_route(&c, &message), full - 1);
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, 7), 0);
		CU_ASSERT_EQUAL(case_route(&c, &message), full);
	}
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

/* Or a message costs as much for each key of its CC and BCC headers, of which a frame holds 20 000. */
static void is_asked_once_for_all_keys(void)
{
	struct exchange_case c;

	case_open(&c, NULL, 1);
	CU_ASSERT(c.host.type->routes_by_first_key);
	case_close(&c);
}

UNIT_MAIN("exchange-fanout", UNIT_TEST(is_asked_once_for_all_keys), UNIT_TEST(routes_to_every_binding), UNIT_TEST(routes_to_very_many),
	  UNIT_TEST(swings_around_a_full_block), UNIT_TEST(agrees_with_the_model),
	  UNIT_TEST(survives_failing_allocations), UNIT_TEST(destroy_frees_what_is_bound),
	  UNIT_TEST(routes_on_several_loops_at_once))
