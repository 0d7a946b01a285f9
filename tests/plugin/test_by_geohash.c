/* SPDX-License-Identifier: MIT */
#include "exchange_case.h"

#include "../unit/unit.h"

#include <string.h>

#define LETTERS "0123456789bcdefghjkmnpqrstuvwxyz"

/* Geohashes of few letters, so that areas lie in each other. */
static void make_binding(uint64_t *random, struct case_binding *binding)
{
	uint64_t r = case_random(random);
	char text[13] = {0};

	for (size_t i = 0; i < r % 13 && i < 12; i++)
		text[i] = i < 8 ? "u3"[r >> (i + 8) & 1] : LETTERS[r >> (i * 3 + 8) & 31];
	case_set_key(binding, text);
}

static void make_message(uint64_t *random, struct case_message *message)
{
	uint64_t r = case_random(random);
	char text[20] = {0};

	for (size_t i = 0; i < r % 18; i++)
		text[i] = i < 12 ? "u3"[r >> (i + 8) & 1] : '.';
	case_message_set_key(message, text);
}

static bool matches(const struct shunt_binding *binding, const struct case_message *message)
{
	struct shunt_bytes area = binding->routing_key, key = message->fake.message.routing_key;

	return area.size <= key.size &&
	       (area.size == 0 || memcmp(area.data, key.data, area.size) == 0);
}

static const struct case_model model = {
	.make_binding = make_binding,
	.make_message = make_message,
	.matches = matches,
};

static void routes_to_all_areas_around(void)
{
	static const char *const areas[] = {"", "u", "u33", "u33dc0", "u33e", "u33dc0hx8g4n"};
	struct case_message message = {0};
	struct exchange_case c;

	case_open(&c, NULL, 6);
	for (size_t i = 0; i < 6; i++) {
		case_set_key(&c.bindings[i], areas[i]);
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	}
	case_message_set_key(&message, "u33dc0.taxi.7");
	CU_ASSERT_EQUAL(case_route(&c, &message), 4);
	CU_ASSERT_FALSE(case_answered(&c, 4, 4));
	case_message_set_key(&message, "u33dc0hx8g4npp");
	CU_ASSERT_EQUAL(case_route(&c, &message), 5);
	case_message_set_key(&message, "");
	CU_ASSERT_EQUAL(case_route(&c, &message), 1);
	case_close(&c);
}

static void refuses_what_is_no_geohash(void)
{
	static const char *const wrong[] = {"a", "u3l", "U33", "u33.", "u33dc0hx8g4nx"};
	static const char *const right[] = {"", "0", "zzzzzzzzzzzz"};
	struct shunt_error error;
	struct exchange_case c;

	case_open(&c, NULL, 1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		error = (struct shunt_error){0};
		case_set_key(&c.bindings[0], wrong[i]);
		CU_ASSERT(c.host.type->validate_binding(c.state, &c.bindings[0].binding, &error) <
			  0);
		CU_ASSERT_EQUAL(error.code, SHUNT_PRECONDITION_FAILED);
		CU_ASSERT_STRING_EQUAL(error.text, "the key is no geohash");
	}
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		case_set_key(&c.bindings[0], right[i]);
		CU_ASSERT_EQUAL(
			c.host.type->validate_binding(c.state, &c.bindings[0].binding, &error), 0);
	}
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
	c.host.hash_mask = 0;
	case_run_random(&c, 2, 3000);
	case_close(&c);
}

static void survives_failing_allocations(void)
{
	struct exchange_case c;

	case_open(&c, &model, 100);
	case_run_memory(&c, 3, 600);
	case_close(&c);
}

static void routes_on_several_loops_at_once(void)
{
	struct exchange_case c;

	case_open(&c, &model, 300);
	case_run_threads(&c, 5, 3000);
	case_close(&c);
}

UNIT_MAIN("by-geohash", UNIT_TEST(routes_to_all_areas_around),
	  UNIT_TEST(refuses_what_is_no_geohash), UNIT_TEST(agrees_with_the_model),
	  UNIT_TEST(agrees_when_all_hashes_collide), UNIT_TEST(survives_failing_allocations),
	  UNIT_TEST(routes_on_several_loops_at_once))
