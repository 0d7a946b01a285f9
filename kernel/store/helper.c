/* SPDX-License-Identifier: MIT */
#include "store/helper.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/bug.h"
#include "base/mem.h"
#include "store/thread.h"

struct jobs {
	struct helper_job *first, *last;
};

struct helper {
	void (*told)(void *context);
	void *context;
	pthread_t thread;
	bool is_running;

	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct jobs given, back;
	bool is_stopping, has_told;
};

static void add(struct jobs *jobs, struct helper_job *job)
{
	job->next = NULL;
	if (jobs->first)
		jobs->last->next = job;
	else
		jobs->first = job;
	jobs->last = job;
}

static struct helper_job *pop(struct jobs *jobs)
{
	struct helper_job *job = jobs->first;

	if (job)
		jobs->first = job->next;
	return job;
}

static void lock(struct helper *helper)
{
	bug_on(pthread_mutex_lock(&helper->lock) != 0);
}

static void unlock(struct helper *helper)
{
	bug_on(pthread_mutex_unlock(&helper->lock) != 0);
}

struct helper *helper_create(void (*told)(void *context), void *context)
{
	struct helper *helper = mem_zalloc(sizeof(*helper));

	helper->told = told;
	helper->context = context;
	bug_on(pthread_mutex_init(&helper->lock, NULL) != 0);
	bug_on(pthread_cond_init(&helper->wake, NULL) != 0);
	return helper;
}

static struct helper_job *wait_for_job(struct helper *helper)
{
	struct helper_job *job;

	lock(helper);
	while (!(job = pop(&helper->given)) && !helper->is_stopping)
		bug_on(pthread_cond_wait(&helper->wake, &helper->lock) != 0);
	unlock(helper);
	return job;
}

static void bring_back(struct helper *helper, struct helper_job *job)
{
	bool tells;

	lock(helper);
	add(&helper->back, job);
	tells = !helper->has_told;
	helper->has_told = true;
	unlock(helper);
	if (tells)
		helper->told(helper->context);
}

static void *run(void *argument)
{
	struct helper *helper = argument;
	struct helper_job *job;

	while ((job = wait_for_job(helper))) {
		job->run(job);
		bring_back(helper, job);
	}
	return NULL;
}

int helper_give(struct helper *helper, struct helper_job *job)
{
	if (!helper->is_running) {
		int r = thread_start(&helper->thread, run, helper);

		if (r < 0)
			return r;
		helper->is_running = true;
	}
	lock(helper);
	add(&helper->given, job);
	bug_on(pthread_cond_signal(&helper->wake) != 0);
	unlock(helper);
	return 0;
}

void helper_finish(struct helper *helper)
{
	struct helper_job *job;

	for (;;) {
		lock(helper);
		helper->has_told = false;
		job = pop(&helper->back);
		unlock(helper);
		if (!job)
			return;
		job->done(job);
	}
}

void helper_stop(struct helper *helper)
{
	if (!helper->is_running)
		return;
	lock(helper);
	helper->is_stopping = true;
	bug_on(pthread_cond_signal(&helper->wake) != 0);
	unlock(helper);
	bug_on(pthread_join(helper->thread, NULL) != 0);
	helper->is_running = false;
	helper->is_stopping = false;
}

void helper_destroy(struct helper *helper)
{
	if (!helper)
		return;
	helper_stop(helper);
	bug_on(helper->given.first || helper->back.first);
	(void)pthread_cond_destroy(&helper->wake);
	(void)pthread_mutex_destroy(&helper->lock);
	mem_free(helper);
}
