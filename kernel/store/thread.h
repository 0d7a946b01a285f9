/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_THREAD_H
#define KERNEL_STORE_THREAD_H

/* The store's threads, and what they share a log by. */

#include <pthread.h>
#include <stddef.h>

#include "base/bug.h"
#include "base/compiler.h"

#define THREAD_STACK_BYTES ((size_t)256 * 1024)

/* With a small stack, and no signals, which are for loop 0. 0, or a negative errno value. */
int thread_start(pthread_t *ret_thread, void *(*run)(void *argument), void *argument) MUST_USE;

/* With that much of it. */
int thread_start_sized(pthread_t *ret_thread, void *(*run)(void *argument), void *argument,
		       size_t stack_bytes) MUST_USE;

/* Waiting with a limit is by the monotonic clock. */
void thread_init_lock(pthread_mutex_t *ret_lock, pthread_cond_t *ret_wake);

static inline void thread_lock(pthread_mutex_t *mutex)
{
	bug_on(pthread_mutex_lock(mutex) != 0);
}

static inline void thread_unlock(pthread_mutex_t *mutex)
{
	bug_on(pthread_mutex_unlock(mutex) != 0);
}

#endif
