/* SPDX-License-Identifier: MIT */
#include "loop/task.h"

#include "base/bug.h"
#include "base/clock.h"
#include "loop/pool.h"
#include "loop/state.h"

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *task))
{
	list_init(&task->link);
	task->run = run;
}

static void arm(struct loop_task *task, struct list *stage)
{
	if (loop_task_is_armed(task))
		return;
	loop_mark_awake(loop_current);
	list_add_tail(stage, &task->link);
}

void loop_defer(struct loop_task *task)
{
	bug_on(!loop_current);
	arm(task, &loop_current->tasks);
}

void loop_defer_late(struct loop_task *task)
{
	bug_on(!loop_current);
	arm(task, &loop_current->late_tasks);
}

void loop_defer_next(struct loop_task *task)
{
	bug_on(!loop_current);
	arm(task, &loop_current->next_tasks);
}

void loop_defer_background(struct loop_task *task)
{
	bug_on(!loop_current);
	arm(task, &loop_current->background);
}

void loop_cancel(struct loop_task *task)
{
	list_remove(&task->link);
}

/*
 * Those armed now; what they arm waits for the next round. A task of the round may still be
 * cancelled by one before it.
 */
static void run_round(struct list *tasks)
{
	struct list round, *link;

	list_init(&round);
	list_splice_tail(&round, tasks);
	while ((link = list_pop(&round)) != NULL) {
		struct loop_task *task = container_of(link, struct loop_task, link);

		task->run(task);
	}
}

static void run_background(struct list *tasks)
{
	uint64_t end_us = clock_monotonic_us() + LOOP_BACKGROUND_US;
	struct list *link;

	while ((link = list_pop(tasks)) != NULL) {
		struct loop_task *task = container_of(link, struct loop_task, link);

		task->run(task);
		if (clock_monotonic_us() >= end_us && !loop_pool_is_stopping())
			return;
	}
}

/*
 * Late tasks run when no ordinary task is left, and what they arm runs again, all within the rounds
 * of a turn. If ordinary tasks use the rounds up, late ones still get their turn: output must not
 * wait for an endless chain.
 */
void tasks_run(struct loop *loop)
{
	run_round(&loop->next_tasks);
	if (!list_is_empty(&loop->background))
		run_background(&loop->background);
	for (int rounds = 0; rounds < LOOP_TASK_ROUNDS; rounds++) {
		if (!list_is_empty(&loop->tasks))
			run_round(&loop->tasks);
		else if (!list_is_empty(&loop->late_tasks))
			run_round(&loop->late_tasks);
		else
			return;
	}
	run_round(&loop->late_tasks);
}
