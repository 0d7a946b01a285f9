/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_WORKERS_H
#define KERNEL_LOOP_WORKERS_H

/*
 * A small pool of threads for what would hold up a loop: hashing of passwords, TLS handshakes.
 *
 * Work is submitted on a loop, run on some worker, and comes back to that loop in a letter. It runs
 * in the order of the calls; order among those that wait for fairness' sake is the caller's.
 */

#include "base/compiler.h"
#include "loop/mailbox.h"

struct workers;

/* The head of the caller's own struct, which is the worker's between the submit and done(). */
struct work {
	struct letter letter; /* how it comes back */
	struct work *next;
	void (*run)(struct work *work);	 /* on a worker */
	void (*done)(struct work *work); /* on the loop that submitted it; may free it */
	unsigned home;
};

/*
 * WORKERS_BEHIND: at a lower priority than the loops (nice 10), so that a core which a loop needs
 * is the loop's: beside busy loops they get a tenth of it. WORKERS_BESIDE: at the loops' priority,
 * for what is little and waited for.
 */
enum workers_priority { WORKERS_BEHIND, WORKERS_BESIDE };

/* n_threads from 1 on. `name`: of the threads, at most 12 characters. 0, or a negative errno. The
 * pool of loops exists. */
int workers_create(const char *name, enum workers_priority priority, unsigned n_threads,
		   struct workers **ret_workers) MUST_USE;

/* On a loop. */
void workers_submit(struct workers *workers, struct work *work);

/*
 * After the loops have stopped, and before their pool is destroyed: waits for what is running; what
 * has not begun is not run. done() of all of it is called, on this thread in the name of its loop.
 * Accepts NULL.
 */
void workers_destroy(struct workers *workers);

#endif
