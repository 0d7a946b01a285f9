/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_CHANGE_REAPER_H
#define KERNEL_BROKER_CHANGE_REAPER_H

#include "base/list.h"

/*
 * Destroys instances of exchanges that others have replaced, or that were made in vain: on a thread
 * of its own, as they may be large. Bindings that they know stay in memory until then, in the limbo
 * of their exchange.
 */
struct reaper;
struct topology;

/* On loop 0's thread. The thread starts with the first that is to be destroyed. Never fails. */
struct reaper *reaper_create(struct topology *topology);

/* After the loops have ended, on loop 0's thread: on return all have been destroyed. NULL is fine.
 */
void reaper_destroy(struct reaper *reaper);

/* On loop 0, outside of the lock: takes all shadows of the list, each counted in its exchange's
 * n_dying. */
void reaper_take(struct reaper *reaper, struct list *dead);

#endif
