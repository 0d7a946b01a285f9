/* SPDX-License-Identifier: MIT */
#include "loop/lag.h"

#include "../unit.h"
#include "loop/budget.h"
#include "loop/loop.h"
#include "loop/pool.h"

#define MANY 4000u

static struct loop_task task;
static unsigned n_runs;

static void run(struct loop_task *t)
{
	(void)t;
	n_runs++;
}

static void setup(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	loop_task_init(&task, run);
	n_runs = 0;
}

static void feed(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		loop_lag_fed();
}

static void who_feeds_more_than_was_settled_is_held(void)
{
	setup();
	feed(MANY);
	CU_ASSERT_FALSE(loop_lag_holds()); /* nobody acknowledges */
	CU_ASSERT_EQUAL(loop_lag_count_fed(), MANY);
	loop_lag_settled(MANY);
	CU_ASSERT_FALSE(loop_lag_holds());
	feed(MANY);
	CU_ASSERT_TRUE(loop_lag_holds());
	loop_lag_over();
	CU_ASSERT_FALSE(loop_lag_holds());
	loop_pool_destroy();
}

static void nobody_is_held_once_acknowledgements_stop(void)
{
	setup();
	loop_lag_settled(MANY);
	feed(2 * MANY);
	CU_ASSERT_TRUE(loop_lag_holds());
	for (unsigned i = 0; i <= LOOP_SHORT_TURNS; i++)
		loop_run_once(false);
	CU_ASSERT_FALSE(loop_lag_holds());
	loop_pool_destroy();
}

static void acknowledgements_let_go(void)
{
	setup();
	loop_lag_settled(MANY);
	feed(MANY);
	loop_lag_hold(&task);
	CU_ASSERT_EQUAL(n_runs, 0);
	loop_lag_settled(MANY);
	loop_run_once(false);
	CU_ASSERT_EQUAL(n_runs, 1);
	CU_ASSERT_FALSE(loop_task_is_armed(&task));
	loop_pool_destroy();
}

/* The loop has nothing else that would wake it. */
static void hold_ends_by_itself(void)
{
	setup();
	loop_lag_settled(MANY);
	feed(2 * MANY);
	loop_lag_hold(&task);
	for (unsigned i = 0; i < 2 && n_runs == 0; i++)
		loop_run_once(true);
	CU_ASSERT_EQUAL(n_runs, 1);
	CU_ASSERT_FALSE(loop_lag_holds()); /* in this turn */
	loop_pool_destroy();
}

static void cancelled_one_does_not_run(void)
{
	setup();
	loop_lag_settled(MANY);
	feed(MANY);
	loop_lag_hold(&task);
	loop_cancel(&task);
	loop_lag_settled(MANY);
	loop_run_once(false);
	CU_ASSERT_EQUAL(n_runs, 0);
	loop_pool_destroy();
}

/* A turn that holds for as long as it may, as with a client that does not acknowledge. */
static void hold_in_vain(void)
{
	unsigned before = n_runs;

	loop_shorten();
	feed(MANY);
	loop_lag_hold(&task);
	for (unsigned i = 0; i < 100 && n_runs == before; i++)
		loop_run_once(true);
	loop_run_once(false); /* a turn is open that lets go */
}

static void holds_in_vain_end_until_acknowledgements_come(void)
{
	unsigned n = 0;

	setup();
	loop_lag_settled(1000000);
	feed(1);
	do
		hold_in_vain();
	while (loop_lag_holds() && ++n < 100 * LAG_SAVINGS_NS / LAG_HOLD_NS);
	CU_ASSERT_FALSE(loop_lag_holds());
	loop_lag_settled(LAG_SAVINGS_NS / LAG_WORTH_NS);
	loop_run_once(false);
	feed(LAG_SAVINGS_NS / LAG_WORTH_NS + MANY);
	CU_ASSERT_TRUE(loop_lag_holds());
	loop_pool_destroy();
}

/* Whatever is held goes on before the loop ends. */
static void stopping_lets_go(void)
{
	setup();
	loop_lag_settled(MANY);
	feed(2 * MANY);
	loop_lag_hold(&task);
	loop_pool_destroy();
	CU_ASSERT_EQUAL(n_runs, 1);
}

UNIT_MAIN("lag", UNIT_TEST(who_feeds_more_than_was_settled_is_held),
	  UNIT_TEST(nobody_is_held_once_acknowledgements_stop), UNIT_TEST(acknowledgements_let_go),
	  UNIT_TEST(hold_ends_by_itself), UNIT_TEST(cancelled_one_does_not_run),
	  UNIT_TEST(holds_in_vain_end_until_acknowledgements_come), UNIT_TEST(stopping_lets_go))
