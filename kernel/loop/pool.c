/* SPDX-License-Identifier: MIT */
#include "loop/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/mem.h"
#include "loop/loop.h"
#include "loop/state.h"

/* Letters that bring forth letters without end must not keep the process from stopping. */
#define DRAIN_ROUNDS_MAX 1000

/* Of a loop's thread, whatever limit the process has: plugins and scripts run on it. */
#define STACK_BYTES ((size_t)8 << 20)

/*
 * The one pool: set up before its threads start and not changed while they run, but for `stopping`.
 * It is found through no argument, as everything that posts a letter would have to carry it.
 */
static struct {
	unsigned count;
	struct loop **loops;
	pthread_t *threads; /* [0] is unused */
	unsigned n_running; /* threads[1] up to threads[n_running] run */
	_Atomic bool stopping;
} pool;

unsigned loop_count(void)
{
	return pool.count;
}

struct loop *loop_at(unsigned index)
{
	bug_on(index >= pool.count);
	return pool.loops[index];
}

static void free_loops(void)
{
	for (unsigned i = 0; i < pool.count; i++) {
		loop_fini(pool.loops[i]);
		mem_free(pool.loops[i]);
	}
	mem_free(pool.loops);
	mem_free(pool.threads);
	pool.loops = NULL;
	pool.threads = NULL;
	pool.count = 0;
}

int loop_pool_create(unsigned count)
{
	bug_on(pool.count != 0 || count == 0 || count > LOOP_COUNT_MAX);
	atomic_store(&pool.stopping, false);
	pool.loops = mem_zalloc(count * sizeof(pool.loops[0]));
	pool.threads = mem_zalloc(count * sizeof(pool.threads[0]));
	for (; pool.count < count; pool.count++) {
		struct loop *loop = mem_zalloc_aligned(_Alignof(struct loop), sizeof(struct loop));
		int rc = loop_init(loop, pool.count, count);

		if (rc != 0) {
			loop_fini(loop);
			mem_free(loop);
			free_loops();
			return rc;
		}
		pool.loops[pool.count] = loop;
	}
	loop_enter(pool.loops[0]);
	return 0;
}

bool loop_pool_is_stopping(void)
{
	return atomic_load_explicit(&pool.stopping, memory_order_acquire);
}

void loop_pool_stop(void)
{
	int saved_errno = errno; /* of what a signal handler interrupted */

	atomic_store(&pool.stopping, true);
	for (unsigned i = 0; i < pool.count; i++)
		mailbox_wake(pool.loops[i]);
	errno = saved_errno;
}

static void turn_until_stopped(void)
{
	while (!loop_pool_is_stopping())
		loop_run_once(true);
}

static void *thread_main(void *arg)
{
	loop_enter(arg);
	turn_until_stopped();
	return NULL;
}

static void join_threads(void)
{
	for (; pool.n_running > 0; pool.n_running--) {
		int rc = pthread_join(pool.threads[pool.n_running], NULL);
		bug_on(rc != 0);
	}
}

static int start_thread(unsigned index)
{
	char name[16];
	pthread_attr_t attributes;
	int rc;

	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
	rc = pthread_create(&pool.threads[index], &attributes, thread_main, pool.loops[index]);
	(void)pthread_attr_destroy(&attributes);
	if (rc != 0)
		return -rc;
	(void)snprintf(name, sizeof(name), "loop-%u", index);
	(void)pthread_setname_np(pool.threads[index], name); /* only for people */
	return 0;
}

/* Signals are for the main thread: the others are born with all of them blocked. */
int loop_pool_start(void)
{
	sigset_t all, before;
	int rc = 0;

	bug_on(pool.count == 0 || pool.n_running != 0);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 1; i < pool.count && rc == 0; i++) {
		rc = start_thread(i);
		if (rc == 0)
			pool.n_running = i;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		loop_pool_stop();
		join_threads();
	}
	return rc;
}

void loop_pool_visit(unsigned index, void (*visit)(void *arg), void *arg)
{
	struct loop *before = loop_self();

	bug_on(pool.n_running != 0 || !before);
	loop_enter(loop_at(index));
	visit(arg);
	loop_enter(before);
}

static void finish_own_turn(void *arg)
{
	struct loop *self = loop_self();

	(void)arg;
	self->short_turns = 0; /* nobody is held any more */
	do
		loop_finish_turn(self);
	while (self->waiting);
}

static bool any_has_work(void)
{
	for (unsigned i = 0; i < pool.count; i++) {
		if (loop_has_work(pool.loops[i]))
			return true;
	}
	return false;
}

void loop_pool_drain(void)
{
	OWN(0);
	bug_on(pool.n_running != 0);
	for (int round = 0; round < DRAIN_ROUNDS_MAX && any_has_work(); round++) {
		for (unsigned i = 0; i < pool.count; i++)
			loop_pool_visit(i, finish_own_turn, NULL);
	}
}

void loop_run(void)
{
	OWN(0);
	turn_until_stopped();
	join_threads();
	loop_pool_drain();
}

void loop_pool_destroy(void)
{
	if (pool.count == 0)
		return;
	OWN(0);
	bug_on(pool.n_running != 0);
	loop_pool_drain();
	loop_enter(NULL);
	free_loops();
}
