/* SPDX-License-Identifier: MIT */
/*
 * Jobs of plugins on another thread. While home finishes one, the next may come back and tell home, and after it another:
 * each time that is a letter of its own, or the mailbox would have one twice.
 */
#include "fixture.h"

#include <sched.h>
#include <stdatomic.h>

#include "base/list.h"
#include "loop/loop.h"
#include "loop/state.h"
#include "plugin/plugin.h"

#define N_JOBS 9

struct counted_job {
	struct helper_job job;
	atomic_bool has_run;
};

static struct counted_job jobs[N_JOBS];
static unsigned n_given, n_done;

static void run(struct helper_job *job)
{
	atomic_store(&container_of(job, struct counted_job, job)->has_run, true);
}

static void give(void (*done)(struct helper_job *job))
{
	struct counted_job *next = &jobs[n_given++];

	next->job = (struct helper_job){ .run = run, .done = done };
	plugins_help(plugins, PLUGIN_HELP_FILES, &next->job);
}

static void count(struct helper_job *job)
{
	(void)job;
	n_done++;
}

/* The second job begins when the first is back and home was told. */
static void give_more(struct helper_job *job)
{
	(void)job;
	n_done++;
	if (n_given + 2 > N_JOBS)
		return;
	give(give_more);
	give(count);
	while (!atomic_load(&jobs[n_given - 1].has_run))
		(void)sched_yield();
}

static void comes_back_while_others_are_finished(void)
{
	(void)alarm(120); /* a letter that is in the mailbox twice comes for ever */
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	plugins_begin(0);
	give(give_more);
	while (n_done < N_JOBS)
		loop_run_once(true);
	for (int i = 0; i < 5 && loop_has_work(loop_self()); i++)
		loop_run_once(false);
	CU_ASSERT_FALSE_FATAL(loop_has_work(loop_self()));
	(void)plugins_end();
	loop_pool_destroy();
}

UNIT_MAIN("help", UNIT_TEST(comes_back_while_others_are_finished))
