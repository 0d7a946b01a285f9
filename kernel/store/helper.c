/* SPDX-License-Identifier: MIT */
#include "store/helper.h"

#include <pthread.h>

#include "base/bug.h"
#include "base/chain.h"
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
	size_t stack_bytes;
	size_t n_given; /* the loop's: jobs that are not back */

	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct jobs given, back;
	bool is_stopping, has_told;
};

static struct helper_job *pop(struct jobs *jobs)
{
	struct helper_job *job = jobs->first;

	if (job)
		chain_drop_first(jobs);
	return job;
}

struct helper *helper_create(void (*told)(void *context), void *context)
{
	struct helper *helper = mem_zalloc(sizeof(*helper));

	helper->told = told;
	helper->context = context;
	helper->stack_bytes = THREAD_STACK_BYTES;
	thread_init_lock(&helper->lock, &helper->wake);
	return helper;
}

static struct helper_job *wait_for_job(struct helper *helper)
{
	struct helper_job *job;

	thread_lock(&helper->lock);
	while (!(job = pop(&helper->given)) && !helper->is_stopping)
		bug_on(pthread_cond_wait(&helper->wake, &helper->lock) != 0);
	thread_unlock(&helper->lock);
	return job;
}

static void bring_back(struct helper *helper, struct helper_job *job)
{
	bool tells;

	thread_lock(&helper->lock);
	chain_add(&helper->back, job);
	tells = !helper->has_told;
	helper->has_told = true;
	thread_unlock(&helper->lock);
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

void helper_use_stack(struct helper *helper, size_t bytes)
{
	helper->stack_bytes = bytes;
}

int helper_give(struct helper *helper, struct helper_job *job)
{
	if (!helper->is_running) {
		int r = thread_start_sized(&helper->thread, run, helper, helper->stack_bytes);

		if (r < 0)
			return r;
		helper->is_running = true;
	}
	thread_lock(&helper->lock);
	chain_add(&helper->given, job);
	bug_on(pthread_cond_signal(&helper->wake) != 0);
	thread_unlock(&helper->lock);
	helper->n_given++;
	return 0;
}

void helper_finish(struct helper *helper)
{
	struct helper_job *job;

	for (;;) {
		thread_lock(&helper->lock);
		helper->has_told = false;
		job = pop(&helper->back);
		thread_unlock(&helper->lock);
		if (!job)
			return;
		helper->n_given--;
		job->done(job);
	}
}

bool helper_is_busy(const struct helper *helper)
{
	return helper->n_given > 0;
}

void helper_stop(struct helper *helper)
{
	if (!helper->is_running)
		return;
	thread_lock(&helper->lock);
	helper->is_stopping = true;
	bug_on(pthread_cond_signal(&helper->wake) != 0);
	thread_unlock(&helper->lock);
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
