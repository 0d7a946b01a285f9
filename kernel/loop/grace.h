/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_GRACE_H
#define KERNEL_LOOP_GRACE_H

#include "loop/mailbox.h"
#include "loop/task.h"

/*
 * A grace period: what was taken out of where all loops look is used by none of them once each has
 * ended a turn. So who takes something out that is read without a lock (a table of functions, a
 * plugin's code) waits for that before freeing it.
 *
 * Belongs to the loop that begins it, in place until done() runs, there. One at a time.
 */
struct loop_grace {
	struct letter letter;
	struct loop_task next_turn;
	unsigned home, at;
	void (*done)(struct loop_grace *grace);
};

void loop_grace_begin(struct loop_grace *grace, void (*done)(struct loop_grace *grace));

#endif
