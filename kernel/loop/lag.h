/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_LAG_H
#define KERNEL_LOOP_LAG_H

#include <stdbool.h>
#include <stddef.h>

#include "loop/task.h"

/*
 * Deliveries that lag behind: a queue grows although its consumer acknowledges as fast as it gets
 * messages, because it gets one prefetch for each turn and each turn publishes more than that.
 *
 * So while acknowledgements come for a queue with a backlog, who publishes to it is *held* as soon
 * as it has published what was acknowledged (a little less, so that the backlog shrinks), and the
 * loop, with nothing else to do, blocks: the client that is to acknowledge may need this core.
 *
 * A slow consumer holds nobody up. Holding costs savings: what the loop holds somebody for is taken
 * off; added are 1/LAG_PART of all time, and LAG_WORTH_NS for each acknowledgement, which is nearly
 * nothing for a client that takes milliseconds, and plenty for one that is at work all the time, so
 * that it may be late for once. Without savings, publishing goes on as if nothing lagged. No hold
 * is longer than LAG_HOLD_NS; then something is published all the same.
 *
 * All are the calling thread's loop's; the queue is on it, publishers need not be.
 */
#define LAG_WORTH_NS   2500u
#define LAG_PART       32u
#define LAG_HOLD_NS    200000u
#define LAG_SAVINGS_NS 20000000u /* at most */

/* So many messages of a queue with a backlog were acknowledged; also a loop_shorten(). */
void loop_lag_settled(size_t n);

/* A message came to a queue of which some were acknowledged while it had a backlog. */
void loop_lag_fed(void);

/* The backlog is gone: nobody is held for it. */
void loop_lag_over(void);

/* How often loop_lag_fed() was called: tells whether an input feeds such a queue. */
size_t loop_lag_count_fed(void);

/* Who feeds such a queue is to stop. */
bool loop_lag_holds(void);

/* Runs the task when feeding may go on: soon, see above. loop_cancel() takes it back. */
void loop_lag_hold(struct loop_task *task);

#endif
