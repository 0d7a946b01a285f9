/* SPDX-License-Identifier: MIT */
#include "loop/pool.h"

#include <signal.h>
#include <stdatomic.h>

#include "../unit.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

static _Atomic unsigned ran_on[4];

/* The last loop to have got its letter ends the pool. */
static void note_and_stop(struct letter *letter)
{
	unsigned sum = 0;

	mem_free(letter);
	atomic_fetch_add(&ran_on[loop_index(loop_self())], 1);
	for (int i = 0; i < 4; i++)
		sum += atomic_load(&ran_on[i]);
	if (sum == loop_count())
		loop_pool_stop();
}

static void post_to_all(void)
{
	for (unsigned i = 0; i < loop_count(); i++) {
		struct letter *letter = mem_alloc(sizeof(*letter));

		letter->deliver = note_and_stop;
		loop_post(i, letter);
	}
}

static void every_loop_runs(void)
{
	for (unsigned count = 1; count <= 4; count++) {
		for (int i = 0; i < 4; i++)
			atomic_store(&ran_on[i], 0);
		CU_ASSERT_EQUAL_FATAL(loop_pool_create(count), 0);
		post_to_all();
		CU_ASSERT_FALSE(loop_pool_is_stopping());
		CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
		loop_run();
		CU_ASSERT_TRUE(loop_pool_is_stopping());
		for (unsigned i = 0; i < 4; i++)
			CU_ASSERT_EQUAL(atomic_load(&ran_on[i]), i < count ? 1 : 0);
		loop_pool_destroy();
	}
}

static void stop_before_run(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(2), 0);
	loop_pool_stop();
	loop_pool_stop();
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();
	loop_pool_destroy();
}

static void on_signal(int number)
{
	(void)number;
	loop_pool_stop();
}

static void raise_here(struct loop_task *task)
{
	(void)task;
	(void)raise(SIGUSR1);
}

static void stop_from_a_signal_handler(void)
{
	struct sigaction action = { .sa_handler = on_signal }, before;
	struct loop_task task;

	CU_ASSERT_EQUAL_FATAL(sigaction(SIGUSR1, &action, &before), 0);
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(2), 0);
	loop_task_init(&task, raise_here);
	loop_defer(&task);
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();
	loop_pool_destroy();
	(void)sigaction(SIGUSR1, &before, NULL);
}

static void tear_down(void *arg)
{
	++*(unsigned *)arg;
	post_to_all(); /* arrives during loop_pool_destroy() at the latest */
}

static void visit_after_run(void)
{
	unsigned visits = 0;

	for (int i = 0; i < 4; i++)
		atomic_store(&ran_on[i], 0);
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(3), 0);
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_pool_stop();
	loop_run();
	for (unsigned i = 0; i < 3; i++)
		loop_pool_visit(i, tear_down, &visits);
	CU_ASSERT_EQUAL(visits, 3);
	loop_pool_destroy();
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(atomic_load(&ran_on[i]), 3);
}

UNIT_MAIN("pool", UNIT_TEST(every_loop_runs), UNIT_TEST(stop_before_run),
	  UNIT_TEST(stop_from_a_signal_handler), UNIT_TEST(visit_after_run))
