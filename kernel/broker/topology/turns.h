/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_TOPOLOGY_TURNS_H
#define KERNEL_BROKER_TOPOLOGY_TURNS_H

/*
 * Changes to one name run in turn. While a change of an exchange or queue is under way (its
 * definition is on the way to the store, or its bindings are being taken away in slices), the
 * object is `pending` or `doomed` and keeps its name; others who want to change what has that name
 * wait here, in the object, and try anew, in order, when the change has ended.
 *
 * Nobody holds anything while waiting, so there is no deadlock. Everything here is part of the
 * topology's write side, but for turns_wake(), which comes after it.
 */

#include "base/list.h"
#include "loop/mailbox.h"

struct turns {
	struct list waiting; /* struct turn_waiter.link */
};

/* In the waiting operation's own memory. `again` runs on the loop that waits. */
struct turn_waiter {
	struct list link;
	struct letter letter;
	unsigned loop;
	void (*again)(struct turn_waiter *waiter);
};

void turns_init(struct turns *turns);

/* Nobody may be waiting any more. */
void turns_fini(struct turns *turns);

void turns_wait(struct turns *turns, struct turn_waiter *waiter,
		void (*again)(struct turn_waiter *waiter));

/* Moves all who wait to the end of `woken`. */
void turns_pass(struct turns *turns, struct list *woken);

/* Outside of the write side, on a loop: lets all in `woken` try again. */
void turns_wake(struct list *woken);

#endif
