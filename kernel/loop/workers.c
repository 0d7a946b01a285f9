/* SPDX-License-Identifier: MIT */
#include "loop/workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"

/*
 * One list of what waits, under one lock, which is held for some instructions: work takes long
 * beside that. A finished one is posted at once, as a thread outside of the pool of loops has no
 * turn that ends.
 */

/* A handshake of OpenSSL with a long chain of certificates needs some 50 KiB. */
#define STACK_BYTES ((size_t)256 * 1024)

#define NICE 10 /* of WORKERS_BEHIND */

struct workers {
	enum workers_priority priority;
	pthread_mutex_t lock;
	pthread_cond_t has_work; /* or is stopping */
	struct work *first, **end;
	bool is_stopping;
	char name[16];
	unsigned n_threads;
	pthread_t threads[];
};

static void deliver(struct letter *letter)
{
	struct work *work = (struct work *)letter;

	work->done(work);
}

/* The next that waits, taken off the list. NULL: the pool stops. */
static struct work *take(struct workers *workers)
{
	struct work *work = NULL;

	(void)pthread_mutex_lock(&workers->lock);
	while (!workers->first && !workers->is_stopping)
		(void)pthread_cond_wait(&workers->has_work, &workers->lock);
	if (!workers->is_stopping) {
		work = workers->first;
		workers->first = work->next;
		if (!workers->first)
			workers->end = &workers->first;
	}
	(void)pthread_mutex_unlock(&workers->lock);
	return work;
}

static void *thread_main(void *arg)
{
	struct workers *workers = arg;
	struct work *work;

	/* 0 is the calling thread, not the process, on Linux. At another priority it works, too. */
	if (workers->priority == WORKERS_BEHIND)
		(void)setpriority(PRIO_PROCESS, 0, NICE);
	log_set_thread(-1);
	while ((work = take(workers)) != NULL) {
		unsigned home = work->home;

		work->run(work);
		loop_post_outside(home, &work->letter);
	}
	return NULL;
}

static int start_threads(struct workers *workers, unsigned n, const pthread_attr_t *attributes)
{
	for (; workers->n_threads < n; workers->n_threads++) {
		pthread_t *thread = &workers->threads[workers->n_threads];
		char name[28];
		int rc = pthread_create(thread, attributes, thread_main, workers);

		if (rc != 0)
			return -rc;
		(void)snprintf(name, sizeof(name), "%.12s-%u", workers->name, workers->n_threads);
		name[15] = '\0';
		(void)pthread_setname_np(*thread, name); /* only for people */
	}
	return 0;
}

/* Signals are for the main thread: the others are born with all of them blocked. */
static int start(struct workers *workers, unsigned n)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int rc = -pthread_attr_init(&attributes);

	if (rc != 0)
		return rc;
	rc = -pthread_attr_setstacksize(&attributes, STACK_BYTES);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	if (rc == 0)
		rc = start_threads(workers, n, &attributes);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attributes);
	return rc;
}

int workers_create(const char *name, enum workers_priority priority, unsigned n_threads,
		   struct workers **ret_workers)
{
	bug_on(n_threads == 0 || loop_count() == 0);
	struct workers *workers =
		mem_zalloc(sizeof(*workers) + n_threads * sizeof(workers->threads[0]));

	/* With default attributes neither can fail on Linux. */
	(void)pthread_mutex_init(&workers->lock, NULL);
	(void)pthread_cond_init(&workers->has_work, NULL);
	workers->end = &workers->first;
	workers->priority = priority;
	(void)snprintf(workers->name, sizeof(workers->name), "%s", name);
	int rc = start(workers, n_threads);
	if (rc != 0)
		workers_destroy(workers);
	else
		*ret_workers = workers;
	return rc;
}

/* False: the pool stops, and does not take it. */
static bool add(struct workers *workers, struct work *work)
{
	(void)pthread_mutex_lock(&workers->lock);
	bool may = !workers->is_stopping;
	if (may) {
		*workers->end = work;
		workers->end = &work->next;
		(void)pthread_cond_signal(&workers->has_work);
	}
	(void)pthread_mutex_unlock(&workers->lock);
	return may;
}

void workers_submit(struct workers *workers, struct work *work)
{
	bug_on(!loop_self());
	work->letter.deliver = deliver;
	work->next = NULL;
	work->home = loop_index(loop_self());
	if (!add(workers, work))
		loop_post(work->home, &work->letter);
}

static void stop_threads(struct workers *workers)
{
	(void)pthread_mutex_lock(&workers->lock);
	workers->is_stopping = true;
	(void)pthread_cond_broadcast(&workers->has_work);
	(void)pthread_mutex_unlock(&workers->lock);
	for (unsigned i = 0; i < workers->n_threads; i++) {
		int rc = pthread_join(workers->threads[i], NULL);
		bug_on(rc != 0);
	}
}

void workers_destroy(struct workers *workers)
{
	if (!workers)
		return;
	stop_threads(workers);
	while (workers->first) {
		struct work *work = workers->first;

		workers->first = work->next;
		loop_post_outside(work->home, &work->letter);
	}
	/* Also those that a done() submits now, which come back at once. */
	loop_pool_drain();
	(void)pthread_cond_destroy(&workers->has_work);
	(void)pthread_mutex_destroy(&workers->lock);
	mem_free(workers);
}
