/* SPDX-License-Identifier: MIT */
#include "broker/topology/turns.h"

#include "../unit.h"
#include "loop/loop.h"

static int order[8], n_ran;

struct waiting {
	struct turn_waiter waiter;
	int number;
	unsigned ran_on;
};

static void again(struct turn_waiter *waiter)
{
	struct waiting *w = container_of(waiter, struct waiting, waiter);

	w->ran_on = loop_index(loop_self());
	order[n_ran++] = w->number;
}

static void turn_one(void *arg)
{
	(void)arg;
	loop_run_once(false);
}

static void turn(void)
{
	for (int i = 0; i < 4; i++) {
		for (unsigned loop = 0; loop < loop_count(); loop++)
			loop_pool_visit(loop, turn_one, NULL);
	}
}

static struct turns turns;
static struct waiting waiting[4];

static void wait_as(void *arg)
{
	struct waiting *w = arg;

	turns_wait(&turns, &w->waiter, again);
}

static void begin(unsigned n_loops)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(n_loops), 0);
	turns_init(&turns);
	n_ran = 0;
	for (int i = 0; i < 4; i++)
		waiting[i].number = i;
}

static void end(void)
{
	turns_fini(&turns);
	loop_pool_destroy();
}

static void nobody_waits(void)
{
	struct list woken;

	begin(1);
	list_init(&woken);
	turns_pass(&turns, &woken);
	CU_ASSERT_TRUE(list_is_empty(&woken));
	turns_wake(&woken);
	end();
}

static void all_try_again_in_order(void)
{
	struct list woken;

	begin(1);
	for (int i = 0; i < 3; i++)
		wait_as(&waiting[i]);
	turn();
	CU_ASSERT_EQUAL(n_ran, 0);
	list_init(&woken);
	turns_pass(&turns, &woken);
	wait_as(&waiting[3]); /* the next turn's */
	turns_wake(&woken);
	CU_ASSERT_EQUAL(n_ran, 0); /* never inside the call */
	turn();
	CU_ASSERT_EQUAL_FATAL(n_ran, 3);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(order[i], i);
	turns_pass(&turns, &woken);
	turns_wake(&woken);
	turn();
	CU_ASSERT_EQUAL(n_ran, 4);
	end();
}

static void each_on_its_loop(void)
{
	struct list woken;

	begin(2);
	loop_pool_visit(1, wait_as, &waiting[1]);
	wait_as(&waiting[0]);
	list_init(&woken);
	turns_pass(&turns, &woken);
	turns_wake(&woken);
	turn();
	CU_ASSERT_EQUAL(n_ran, 2);
	CU_ASSERT_EQUAL(waiting[0].ran_on, 0);
	CU_ASSERT_EQUAL(waiting[1].ran_on, 1);
	end();
}

UNIT_MAIN("turns", UNIT_TEST(nobody_waits), UNIT_TEST(all_try_again_in_order),
	  UNIT_TEST(each_on_its_loop))
