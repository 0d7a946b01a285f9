/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_HELPER_H
#define KERNEL_STORE_HELPER_H

/*
 * A thread for what a log reads: jobs are run one after the other, and come back to the log's loop.
 * The thread begins with the first job.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct helper_job {
	/* On the helper's thread. */
	void (*run)(struct helper_job *job);
	/* On the loop, by helper_finish(). */
	void (*done)(struct helper_job *job);
	struct helper_job *next;
};

struct helper;

/* told: a job is back, for the first time since helper_finish(). On the helper's thread. */
struct helper *helper_create(void (*told)(void *context), void *context);

/* Before the first job: the thread's stack, if it is not to be a small one. */
void helper_use_stack(struct helper *helper, size_t bytes);

/* 0, or a negative errno value: there is no thread for it. Then the job is the caller's still. */
int helper_give(struct helper *helper, struct helper_job *job) MUST_USE;

/* Calls done() for what is back, in the order of the jobs. */
void helper_finish(struct helper *helper);

/* Jobs were given that are not back. On the loop. */
bool helper_is_busy(const struct helper *helper);

/* Runs what was given; done() is still to be called, by helper_finish(). */
void helper_stop(struct helper *helper);
void helper_destroy(struct helper *helper);

#endif
