/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_POOL_H
#define KERNEL_LOOP_POOL_H

#include <stdbool.h>

#include "base/compiler.h"

/*
 * All loops of the process. The thread that creates the pool is loop 0's thread from then on:
 * loop_self() and all functions of the loop work on it at once, so a server can set up loop 0
 * before anything runs, and a unit test can drive it with loop_run_once().
 *
 *	loop_pool_create(n)	the loops are there
 *	loop_pool_start()	threads for loops 1..n-1; those begin to turn
 *	loop_run()		loop 0 turns here, until loop_pool_stop()
 *	loop_pool_visit(...)	tear down what is on each loop
 *	loop_pool_destroy()
 */
#define LOOP_COUNT_MAX 256

/*
 * count is 1..LOOP_COUNT_MAX. 0, or a negative errno (file descriptors, mostly). One pool at a
 * time.
 */
int loop_pool_create(unsigned count) MUST_USE;

/*
 * 0, or a negative errno; then those that were started have been ended again. Nothing to do for one
 * loop.
 */
int loop_pool_start(void) MUST_USE;

/*
 * Turns loop 0 until loop_pool_stop(); then waits for the other threads to end, and delivers, on
 * this thread in the name of each loop, all letters that are still under way and runs all tasks, so
 * that none leaks. On return nothing runs.
 */
void loop_run(void);

/*
 * Asks all loops to leave after their turn. Any thread, also a signal handler; may come before
 * loop_run(), and again.
 */
void loop_pool_stop(void);

/* True once loop_pool_stop() was called. */
bool loop_pool_is_stopping(void);

/*
 * Calls visit(arg) on this thread in the name of loop `index` (loop_self() is that loop). Only from
 * loop 0's thread while no other thread of the pool runs: before loop_pool_start() or after
 * loop_run(). For setting up, for tearing down, and for tests that drive several loops by hand with
 * loop_run_once().
 */
void loop_pool_visit(unsigned index, void (*visit)(void *arg), void *arg);

/*
 * Delivers what was posted, runs all tasks, and destroys what is retired, in the name of each loop,
 * until nothing is left of that. As loop_pool_visit().
 */
void loop_pool_drain(void);

/*
 * Only from loop 0's thread, when no other thread of the pool runs. Delivers what was posted
 * meanwhile, destroys what is retired, frees the loops. Objects and timers of the loops must be
 * gone. No-op without a pool.
 */
void loop_pool_destroy(void);

#endif
