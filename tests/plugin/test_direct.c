/* SPDX-License-Identifier: MIT */
#include "exchange_case.h"

#include "../../plugins/exchange-direct/keys.h"
#include "../unit/unit.h"

#include <stdio.h>
#include <string.h>

/* Keys of few values, so that several bindings share one. */
static const char *random_key(uint64_t *random, char *text, size_t size)
{
	uint64_t r = case_random(random);

	if (r % 16 == 0)
		return "";
	(void)snprintf(text, size, r % 3 == 0 ? "key.%u" : "a much longer routing key, number %u",
		       (unsigned)(r / 64 % 50));
	return text;
}

static void make_binding(uint64_t *random, struct case_binding *binding)
{
	char text[100];

	case_set_key(binding, random_key(random, text, sizeof(text)));
}

static void make_message(uint64_t *random, struct case_message *message)
{
	char text[100];

	case_message_set_key(message, random_key(random, text, sizeof(text)));
}

static bool matches(const struct shunt_binding *binding, const struct case_message *message)
{
	struct shunt_bytes key = message->fake.message.routing_key;

	return binding->routing_key.size == key.size &&
	       memcmp(binding->routing_key.data, key.data, key.size) == 0;
}

static const struct case_model model = {make_binding, make_message, matches, NULL};

static size_t route_key(struct exchange_case *c, const char *key)
{
	struct case_message message = {0};

	case_message_set_key(&message, key);
	return case_route(c, &message);
}

static void routes_by_the_whole_key(void)
{
	static const char *const keys[] = {"a", "ab", "", "*", "a.b"};
	struct exchange_case c;

	case_open(&c, NULL, 5);
	CU_ASSERT_EQUAL(route_key(&c, "a"), 0);
	for (size_t i = 0; i < 5; i++) {
		case_set_key(&c.bindings[i], keys[i]);
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	}
	for (size_t i = 0; i < 5; i++) {
		CU_ASSERT_EQUAL(route_key(&c, keys[i]), 1);
		CU_ASSERT(case_answered(&c, 1, i));
	}
	CU_ASSERT_EQUAL(route_key(&c, "A"), 0);
	CU_ASSERT_EQUAL(route_key(&c, "abc"), 0);
	case_close(&c);
}

/* More than fit into one call of emit. */
static void routes_to_all_bindings_of_a_key(void)
{
	struct exchange_case c;

	case_open(&c, NULL, 200);
	for (size_t i = 0; i < 200; i++) {
		case_set_key(&c.bindings[i], "k");
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	}
	CU_ASSERT_EQUAL(route_key(&c, "k"), 200);
	for (size_t i = 0; i < 200; i++)
		CU_ASSERT(case_answered(&c, 200, i));
	for (size_t i = 1; i < 200; i++)
		case_unbind(&c, i);
	CU_ASSERT_EQUAL(route_key(&c, "k"), 1);
	CU_ASSERT(case_answered(&c, 1, 0));
	case_close(&c);
}

static void agrees_with_the_model(void)
{
	struct exchange_case c;

	case_open(&c, &model, 300);
	case_run_random(&c, 1, 6000);
	case_close(&c);
}

static void agrees_when_all_hashes_collide(void)
{
	struct exchange_case c;

	case_open(&c, &model, 100);
	((struct keys *)c.state)->seeds[2] = 0;
	case_run_random(&c, 2, 3000);
	case_close(&c);
}

static void route_number(struct exchange_case *c, size_t i, bool bound)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "key.%zu", i);
	CU_ASSERT_EQUAL(route_key(c, text), bound);
	CU_ASSERT(!bound || case_answered(c, 1, i));
}

/* So many that segments of the largest size come and go, in an order that is not theirs. */
static void grows_and_shrinks(void)
{
	struct exchange_case c;
	char text[64];
	size_t bound = 60000;

	case_open(&c, NULL, bound);
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < bound; i++) {
			(void)snprintf(text, sizeof(text), "key.%zu", i);
			case_set_key(&c.bindings[i], text);
			CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
			route_number(&c, i / 2, true);
		}
		for (size_t i = 0; i < bound; i++) {
			case_unbind(&c, i * 7919 % bound);
			route_number(&c, i * 7919 % bound, false);
			if (i + 1 < bound)
				route_number(&c, (bound + i) / 2 * 7919 % bound,
					     (bound + i) / 2 > i);
		}
		CU_ASSERT_EQUAL(c.host.live, c.live_empty);
	}
	case_close(&c);
}

static void survives_failing_allocations(void)
{
	struct exchange_case c;

	case_open(&c, &model, 100);
	case_run_memory(&c, 3, 600);
	case_close(&c);
}

static void destroy_frees_what_is_bound(void)
{
	struct exchange_case c;
	uint64_t random = 4;

	case_open(&c, &model, 500);
	for (size_t i = 0; i < 500; i++) {
		make_binding(&random, &c.bindings[i]);
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	}
	case_close(&c);
}

static void routes_on_several_loops_at_once(void)
{
	struct exchange_case c;

	case_open(&c, &model, 300);
	case_run_threads(&c, 5, 3000);
	case_close(&c);
}

UNIT_MAIN("exchange-direct", UNIT_TEST(routes_by_the_whole_key),
	  UNIT_TEST(routes_to_all_bindings_of_a_key), UNIT_TEST(agrees_with_the_model),
	  UNIT_TEST(agrees_when_all_hashes_collide), UNIT_TEST(grows_and_shrinks),
	  UNIT_TEST(survives_failing_allocations), UNIT_TEST(destroy_frees_what_is_bound),
	  UNIT_TEST(routes_on_several_loops_at_once))
