/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_TASK_H
#define KERNEL_LOOP_TASK_H

#include <stdbool.h>

#include "base/list.h"

/*
 * Something to be done once at the end of the loop's turn, however often it was asked for: a struct
 * inside the object it is for. Belongs to the loop it is armed on; init, defer and cancel there
 * only.
 */
struct loop_task {
	struct list link;
	void (*run)(struct loop_task *task);
};

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *task));

/*
 * Arms the task; no-op while armed. It is disarmed when it runs, so it may arm itself again, and
 * may free its object. Tasks run in the order of arming. One armed while tasks run runs in the same
 * turn, but for at most LOOP_TASK_ROUNDS rounds: then a poll that does not block comes between.
 */
void loop_defer(struct loop_task *task);

/*
 * The same for the later stage: runs when no ordinary task is left in this turn (for flushing what
 * all of them wrote).
 */
void loop_defer_late(struct loop_task *task);

/*
 * The same for the next turn, whose first tasks these are; its poll does not block. For what has
 * had its share of this one. No-op while armed in any way.
 */
void loop_defer_next(struct loop_task *task);

/*
 * For work that would be long, in steps of at most some 100 us: each run does one, and arms the
 * task again while there is more. In each turn, before its ordinary tasks, such steps run for about
 * LOOP_BACKGROUND_US in all, in the order of arming; the rest waits for the next turn, which comes
 * without waiting. While the loops stop, all of it is done.
 */
void loop_defer_background(struct loop_task *task);

/* Disarms; no-op if not armed. Before the object goes. */
void loop_cancel(struct loop_task *task);

static inline bool loop_task_is_armed(const struct loop_task *task)
{
	return list_is_linked(&task->link);
}

#define LOOP_TASK_ROUNDS   64
#define LOOP_BACKGROUND_US 500u

#endif
