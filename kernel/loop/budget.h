/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_BUDGET_H
#define KERNEL_LOOP_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

/*
 * How much work a turn takes on. Work is counted, not timed: a frame that is handled, a message
 * that goes from one loop to another or to a consumer, and LOOP_UNIT_BYTES bytes of either are a
 * unit each, about 0.1 us. Who handles input says what it was (loop_spend()); who could go on and
 * need not looks here whether it should, and leaves the rest to the next turn.
 *
 * What is bounded, each by itself, and so the turn: what is read, what letters bring, what queues
 * hand out. Nothing is refused; it waits in its socket, in the mailbox, in the queue.
 *
 * A turn is *short* while somebody waits for the next one: a consumer whose prefetch is used up
 * gets no more than its prefetch in each turn, so while its queue has a backlog its
 * acknowledgements must be seen between small pieces of publishing. Who publishes to that queue may
 * be held altogether then: loop/lag.h.
 */
#define LOOP_UNIT_BYTES	   512u
#define LOOP_LONG_UNITS	   6144u /* 256 KiB of publishes of 100 bytes, about half a millisecond */
#define LOOP_SHORT_UNITS   384u	 /* 16 KiB of them */
#define LOOP_DELIVER_UNITS (3 * LOOP_LONG_UNITS) /* of all, after which deliveries wait */
#define LOOP_SHORT_TURNS   16u			 /* that follow, once one is to be short */

/* All are the calling thread's loop's. */

/* Work was done. */
void loop_spend(size_t units);
/* For bytes alone. */
static inline size_t loop_units_of(size_t bytes)
{
	return bytes / LOOP_UNIT_BYTES;
}

/* In this turn, so far. */
size_t loop_spent(void);

/* For what comes in: LOOP_SHORT_UNITS or LOOP_LONG_UNITS. */
size_t loop_budget(void);

/* This turn, from now on, and some that follow are short. */
void loop_shorten(void);

#endif
