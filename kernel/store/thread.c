/* SPDX-License-Identifier: MIT */
#include "store/thread.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

int thread_start_sized(pthread_t *ret_thread, void *(*run)(void *argument), void *argument,
		       size_t stack_bytes)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int r;

	if (pthread_attr_init(&attributes) != 0)
		return -ENOMEM;
	(void)pthread_attr_setstacksize(&attributes, stack_bytes);
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(ret_thread, &attributes, run, argument);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attributes);
	return r;
}

int thread_start(pthread_t *ret_thread, void *(*run)(void *argument), void *argument)
{
	return thread_start_sized(ret_thread, run, argument, THREAD_STACK_BYTES);
}

void thread_init_lock(pthread_mutex_t *ret_lock, pthread_cond_t *ret_wake)
{
	pthread_condattr_t attributes;

	bug_on(pthread_mutex_init(ret_lock, NULL) != 0);
	bug_on(pthread_condattr_init(&attributes) != 0);
	bug_on(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0);
	bug_on(pthread_cond_init(ret_wake, &attributes) != 0);
	(void)pthread_condattr_destroy(&attributes);
}
