/* SPDX-License-Identifier: MIT */
#include "loop/budget.h"

#include "../unit.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

struct dear {
	struct letter letter;
	unsigned number;
};

static unsigned delivered, out_of_order;

static void deliver_dear(struct letter *letter)
{
	struct dear *dear = container_of(letter, struct dear, letter);

	out_of_order += dear->number != delivered;
	delivered++;
	loop_spend(LOOP_SHORT_UNITS / 2);
	mem_free(dear);
}

static void post(unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		struct dear *dear = mem_alloc(sizeof(*dear));

		*dear = (struct dear){.letter.deliver = deliver_dear, .number = i};
		loop_post(0, &dear->letter);
	}
}

static void setup(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	delivered = 0;
	out_of_order = 0;
}

static void letters_beyond_the_budget_wait_in_order(void)
{
	setup();
	post(0, 100);
	loop_run_once(true);
	CU_ASSERT_EQUAL(delivered, 2 * LOOP_LONG_UNITS / LOOP_SHORT_UNITS);
	post(100, 10); /* behind those that wait */
	while (delivered < 110) {
		unsigned before = delivered;

		loop_run_once(true); /* does not block while some wait */
		CU_ASSERT_TRUE_FATAL(delivered > before);
	}
	CU_ASSERT_EQUAL(out_of_order, 0);
	loop_pool_destroy();
}

static void short_turn_takes_fewer(void)
{
	setup();
	post(0, 100);
	loop_shorten();
	loop_run_once(true);
	CU_ASSERT_EQUAL(delivered, 2);
	loop_pool_destroy();
	CU_ASSERT_EQUAL(delivered, 100); /* none is lost at the end */
	CU_ASSERT_EQUAL(out_of_order, 0);
}

static void turns_are_short_for_a_while(void)
{
	setup();
	CU_ASSERT_EQUAL(loop_budget(), LOOP_LONG_UNITS);
	loop_shorten();
	for (unsigned i = 0; i < LOOP_SHORT_TURNS; i++) {
		loop_run_once(false);
		CU_ASSERT_EQUAL(loop_budget(), LOOP_SHORT_UNITS);
	}
	loop_run_once(false);
	CU_ASSERT_EQUAL(loop_budget(), LOOP_LONG_UNITS);
	loop_pool_destroy();
}

static void work_is_counted_by_the_turn(void)
{
	setup();
	loop_spend(7);
	loop_spend(3);
	CU_ASSERT_EQUAL(loop_spent(), 10);
	loop_run_once(false);
	CU_ASSERT_EQUAL(loop_spent(), 0);
	loop_pool_destroy();
}

UNIT_MAIN("budget", UNIT_TEST(letters_beyond_the_budget_wait_in_order),
	  UNIT_TEST(short_turn_takes_fewer), UNIT_TEST(turns_are_short_for_a_while),
	  UNIT_TEST(work_is_counted_by_the_turn))
