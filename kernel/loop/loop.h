/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_LOOP_H
#define KERNEL_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bug.h"
#include "loop/pool.h"
#include "loop/task.h"
#include "loop/timer.h"

/*
 * An event loop: one libevent event_base on one thread. What is on a loop is touched by its thread
 * only. A turn is:
 *
 *	1. poll, and the callbacks of events and timers
 *	2. letters from other loops, and to itself (loop/mailbox.h)
 *	3. some steps of background tasks (loop/task.h); tasks, then late tasks, till none is left
 *	4. outboxes are pushed: one push and at most one wake-up for each other loop
 *	5. retired objects are destroyed
 *	6. memory that other loops own is given back to them (base/slab.h)
 *
 * What comes in at once is bounded (loop/budget.h), the rest waits for the next turn. The poll does
 * not block if tasks or letters are left over. An idle loop is not woken but by
 * events and timers.
 */
struct loop;

/* The loop of the calling thread; NULL on a thread that has none. */
struct loop *loop_self(void);
unsigned loop_index(const struct loop *loop);
unsigned loop_count(void);
struct loop *loop_at(unsigned index);

/* For adding events, from the loop's own thread only: the base has no locks. */
struct event_base *loop_base(struct loop *loop);

/*
 * Monotonic milliseconds, read at its first use in a turn and then kept. On a thread without a
 * loop: the clock. A callback of an event that may take long begins with it, as that is where the
 * turn begins (loop/meter.h).
 */
uint64_t loop_now_ms(void);

/* The wall clock, kept like loop_now_ms(). */
uint64_t loop_now_wall_ms(void);

/*
 * Calls destroy(object) when the turn ends, so that callbacks and tasks of this turn may still look
 * at it.
 */
void loop_retire(void *object, void (*destroy)(void *object));

/*
 * One turn of the calling thread's loop. block: wait for an event, if nothing is left over from the
 * last turn.
 */
void loop_run_once(bool block);

/*
 * First line of every function that works on an owned object: stops the process on a wrong thread.
 */
#define OWN(index) bug_on(!loop_is_own(index))
bool loop_is_own(unsigned index);

#endif
