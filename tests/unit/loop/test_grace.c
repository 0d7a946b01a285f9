/* SPDX-License-Identifier: MIT */
#include "loop/grace.h"

#include "../unit.h"
#include "loop/loop.h"

static unsigned n_done, turns_at_done;

static void is_done(struct loop_grace *grace)
{
	n_done++;
	turns_at_done = grace->at;
	CU_ASSERT_EQUAL(loop_index(loop_self()), grace->home);
}

static void run_once(void *arg)
{
	(void)arg;
	loop_run_once(false);
}

static void turn(unsigned loop)
{
	if (loop == 0)
		loop_run_once(false);
	else
		loop_pool_visit(loop, run_once, NULL);
}

/* Turns all loops but one, many times. */
static void turn_all_but(unsigned resting)
{
	for (unsigned round = 0; round < 10; round++)
		for (unsigned i = 0; i < loop_count(); i++)
			if (i != resting)
				turn(i);
}

static void every_loop_must_end_a_turn(void)
{
	for (unsigned resting = 0; resting < 3; resting++) {
		struct loop_grace grace;

		CU_ASSERT_EQUAL_FATAL(loop_pool_create(3), 0);
		n_done = 0;
		loop_grace_begin(&grace, is_done);
		CU_ASSERT_EQUAL(n_done, 0);
		turn_all_but(resting);
		CU_ASSERT_EQUAL(n_done, 0);
		for (unsigned i = 0; i < 10; i++)
			turn(resting);
		turn_all_but(3);
		CU_ASSERT_EQUAL(n_done, 1);
		CU_ASSERT_EQUAL(turns_at_done, 3);
		loop_pool_destroy();
	}
}

static void one_loop_alone_ends_its_turn_first(void)
{
	struct loop_grace grace;

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	n_done = 0;
	loop_grace_begin(&grace, is_done);
	loop_run_once(false);
	CU_ASSERT_EQUAL(n_done, 0);
	turn_all_but(1);
	CU_ASSERT_EQUAL(n_done, 1);
	loop_pool_destroy();
}

/* As all letters, when the loops stop. */
static void it_comes_when_the_loops_end(void)
{
	struct loop_grace grace;

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(2), 0);
	n_done = 0;
	loop_grace_begin(&grace, is_done);
	loop_pool_destroy();
	CU_ASSERT_EQUAL(n_done, 1);
}

UNIT_MAIN("loop/grace",
	  UNIT_TEST(every_loop_must_end_a_turn),
	  UNIT_TEST(one_loop_alone_ends_its_turn_first),
	  UNIT_TEST(it_comes_when_the_loops_end))
