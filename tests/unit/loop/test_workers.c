/* SPDX-License-Identifier: MIT */
#include "loop/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "../unit.h"
#include "base/list.h"
#include "loop/loop.h"

struct job {
	struct work work;
	unsigned ran_as; /* the how manieth that ran */
	bool ran_without_loop;
	int nice;
	bool signals_are_blocked;
	char thread[16];
	struct workers *workers;
};

#define N_MANY 1000

static _Atomic unsigned n_ran;
static unsigned n_done;
static struct job *done_job;

/* Until the test lets it go. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void run(struct work *work)
{
	struct job *job = (struct job *)work;
	sigset_t blocked;

	job->ran_without_loop = !loop_self();
	job->nice = getpriority(PRIO_PROCESS, 0);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	job->signals_are_blocked = sigismember(&blocked, SIGTERM) == 1;
	(void)pthread_getname_np(pthread_self(), job->thread, sizeof(job->thread));
	job->ran_as = atomic_fetch_add(&n_ran, 1) + 1;
}

static void run_behind_gate(struct work *work)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	run(work);
}

static void done(struct work *work)
{
	CU_ASSERT_EQUAL(loop_index(loop_self()), work->home);
	done_job = (struct job *)work;
	n_done++;
}

static void begin(unsigned n_loops, unsigned n_threads, struct workers **ret_workers)
{
	atomic_store(&n_ran, 0);
	n_done = 0;
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(n_loops), 0);
	CU_ASSERT_EQUAL_FATAL(workers_create("test", WORKERS_BEHIND, n_threads, ret_workers), 0);
}

static void submit(struct workers *workers, struct job *job, void (*how)(struct work *work))
{
	*job = (struct job){.work = {.run = how, .done = done}};
	workers_submit(workers, &job->work);
}

static void work_runs_elsewhere_and_comes_back(void)
{
	struct workers *workers;
	struct job job;

	begin(1, 1, &workers);
	submit(workers, &job, run);
	CU_ASSERT_EQUAL(n_done, 0);
	while (n_done == 0)
		loop_run_once(true);
	CU_ASSERT_PTR_EQUAL(done_job, &job);
	CU_ASSERT_TRUE(job.ran_without_loop);
	CU_ASSERT_TRUE(job.signals_are_blocked);
	CU_ASSERT_STRING_EQUAL(job.thread, "test-0");
	workers_destroy(workers);
	loop_pool_destroy();
}

static void workers_have_a_lower_priority_than_the_loops(void)
{
	int own = getpriority(PRIO_PROCESS, 0);
	struct workers *workers;
	struct job job;

	begin(1, 1, &workers);
	submit(workers, &job, run);
	while (n_done == 0)
		loop_run_once(true);
	CU_ASSERT_EQUAL(job.nice, own > 10 ? own : 10);
	CU_ASSERT_EQUAL(getpriority(PRIO_PROCESS, 0), own);
	workers_destroy(workers);
	loop_pool_destroy();
}

static void one_worker_keeps_the_order(void)
{
	enum { N = 1000 };
	static struct job jobs[N];
	struct workers *workers;

	begin(1, 1, &workers);
	for (unsigned i = 0; i < N; i++)
		submit(workers, &jobs[i], run);
	while (n_done < N)
		loop_run_once(true);
	for (unsigned i = 0; i < N; i++)
		CU_ASSERT_EQUAL(jobs[i].ran_as, i + 1);
	workers_destroy(workers);
	loop_pool_destroy();
}

struct rally {
	struct workers *workers;
	struct work work;
	unsigned left;
};
static _Atomic unsigned n_rallies;

static void rally_run(struct work *work)
{
	(void)work;
	atomic_fetch_add(&n_ran, 1);
}

static void rally_done(struct work *work)
{
	struct rally *rally = container_of(work, struct rally, work);

	CU_ASSERT_EQUAL(loop_index(loop_self()), work->home);
	if (--rally->left > 0)
		workers_submit(rally->workers, work);
	else if (atomic_fetch_sub(&n_rallies, 1) == 1)
		loop_pool_stop();
}

struct rallies {
	struct rally *items;
	unsigned n;
	struct workers *workers;
	unsigned rounds;
};

static void start_rallies(void *arg)
{
	struct rallies *rallies = arg;

	for (unsigned i = 0; i < rallies->n; i++) {
		struct rally *rally = &rallies->items[loop_index(loop_self()) * rallies->n + i];

		*rally = (struct rally){.workers = rallies->workers,
					.work = {.run = rally_run, .done = rally_done},
					.left = rallies->rounds};
		workers_submit(rallies->workers, &rally->work);
	}
}

static void many_loops_and_many_workers(void)
{
	enum { LOOPS = 3, EACH = 20, ROUNDS = 100 };
	static struct rally items[LOOPS * EACH];
	struct rallies rallies = {.items = items, .n = EACH, .rounds = ROUNDS};

	begin(LOOPS, 4, &rallies.workers);
	atomic_store(&n_rallies, LOOPS * EACH);
	for (unsigned i = 0; i < LOOPS; i++)
		loop_pool_visit(i, start_rallies, &rallies);
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();
	CU_ASSERT_EQUAL(atomic_load(&n_ran), LOOPS * EACH * ROUNDS);
	workers_destroy(rallies.workers);
	loop_pool_destroy();
}

/* It waits for what runs; the rest is not run, but comes back, too. */
static unsigned ran_of_many(void)
{
	static struct job jobs[N_MANY];
	struct workers *workers;
	unsigned n;

	begin(1, 1, &workers);
	pthread_mutex_lock(&gate);
	for (unsigned i = 0; i < N_MANY; i++)
		submit(workers, &jobs[i], run_behind_gate);
	pthread_mutex_unlock(&gate);
	workers_destroy(workers);
	CU_ASSERT_EQUAL(n_done, N_MANY);
	n = atomic_load(&n_ran);
	for (unsigned i = 0; i < N_MANY; i++)
		CU_ASSERT_EQUAL(jobs[i].ran_as, i < n ? i + 1 : 0);
	loop_pool_destroy();
	return n;
}

static void what_has_not_begun_is_not_run(void)
{
	unsigned rounds = 0;

	/* The worker may be quicker, now and then. */
	while (ran_of_many() == N_MANY && rounds < 100)
		rounds++;
	CU_ASSERT(rounds < 100);
}

static void submit_again(struct work *work)
{
	struct job *job = (struct job *)work;

	done(work);
	work->done = done;
	workers_submit(job->workers, work);
}

static void done_may_submit_while_it_ends(void)
{
	struct workers *workers;
	struct job job;

	begin(1, 1, &workers);
	job = (struct job){.work = {.run = run, .done = submit_again}, .workers = workers};
	workers_submit(workers, &job.work);
	workers_destroy(workers);
	CU_ASSERT_EQUAL(n_done, 2);
	CU_ASSERT(atomic_load(&n_ran) <= 1);
	loop_pool_destroy();
}

static void nothing_to_destroy(void)
{
	workers_destroy(NULL);
}

UNIT_MAIN("loop/workers",
	  UNIT_TEST(work_runs_elsewhere_and_comes_back),
	  UNIT_TEST(workers_have_a_lower_priority_than_the_loops),
	  UNIT_TEST(one_worker_keeps_the_order),
	  UNIT_TEST(many_loops_and_many_workers),
	  UNIT_TEST(what_has_not_begun_is_not_run),
	  UNIT_TEST(done_may_submit_while_it_ends),
	  UNIT_TEST(nothing_to_destroy))
