/* SPDX-License-Identifier: MIT */
#include "exchange_case.h"

#include "../unit/unit.h"

#include <stdio.h>

/* More names than one chunk of slots has. */
static void many_names(void)
{
	struct case_message message = {0};
	struct exchange_case c;
	char name[32];

	case_open(&c, NULL, 1000);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 1000; i++) {
			(void)snprintf(name, sizeof(name), "name-%u", i);
			fake_table_fini(&c.bindings[i].arguments);
			fake_table_put(&c.bindings[i].arguments, name, 'I', i);
			CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
		}
		for (unsigned i = 0; i < 1000; i++) {
			(void)snprintf(name, sizeof(name), "name-%u", i);
			fake_table_put(&message.headers, name, 'l', i % 10 ? i : i + 1);
		}
		CU_ASSERT_EQUAL(case_route(&c, &message), 900);
		for (unsigned i = 0; i < 1000; i++)
			case_unbind(&c, i);
		CU_ASSERT_EQUAL(case_route(&c, &message), 0);
		CU_ASSERT_EQUAL(c.host.live, c.live_empty);
		case_message_fini(&message);
	}
	case_close(&c);
}

/* More bindings than one block of probes has, which go in an order that is not theirs. */
static void many_bindings(void)
{
	struct case_message message = {0};
	struct exchange_case c;
	size_t bound = 5000;

	case_open(&c, NULL, bound);
	fake_table_put(&message.headers, "group", 'I', 7);
	for (unsigned round = 0; round < 2; round++) {
		size_t matching = 0;

		for (size_t i = 0; i < bound; i++) {
			fake_table_fini(&c.bindings[i].arguments);
			fake_table_put(&c.bindings[i].arguments, "group", 'I', (int64_t)i % 50);
			CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
			matching += i % 50 == 7;
			if (i % 100 == 0)
				CU_ASSERT_EQUAL(case_route(&c, &message), matching);
		}
		for (size_t i = 0; i < bound; i++) {
			size_t which = i * 7919 % bound;

			case_unbind(&c, which);
			matching -= which % 50 == 7;
			if (i % 100 == 0)
				CU_ASSERT_EQUAL(case_route(&c, &message), matching);
		}
		CU_ASSERT_EQUAL(c.host.live, c.live_empty);
	}
	case_message_fini(&message);
	case_close(&c);
}

UNIT_MAIN("exchange-headers, many", UNIT_TEST(many_names), UNIT_TEST(many_bindings))
