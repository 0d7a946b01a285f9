/* SPDX-License-Identifier: MIT */
#include "base/bug.h"
#include "broker/queue/log.h"
#include "broker/queue/log_state.h"

/*
 * Those who wait go on when half of the bound is left, all at once: so a connection stops and goes
 * on for some megabytes at a time, and the writer has something to write meanwhile.
 */

static uint64_t under_way(const struct queue_log *log)
{
	return log->added_bytes - log->done_bytes;
}

static bool has_caught_up(const struct queue_log *log)
{
	return under_way(log) <= QUEUE_LOG_UNDER_WAY_MAX / 2;
}

static void wake_all(struct queue_log *log)
{
	struct list *link;

	while ((link = list_pop(&log->waiters))) {
		struct queue_log_waiter *waiter = container_of(link, struct queue_log_waiter, link);

		waiter->caught_up(waiter);
	}
}

static void run_wake(struct loop_task *task)
{
	struct queue_log *log = container_of(task, struct queue_log, wake);

	if (has_caught_up(log))
		wake_all(log);
}

uint64_t queue_log_added(const struct queue_log *log)
{
	return log->added_bytes;
}

bool queue_log_is_behind(const struct queue_log *log)
{
	return under_way(log) > QUEUE_LOG_UNDER_WAY_MAX;
}

void queue_log_wait(struct queue_log *log, struct queue_log_waiter *waiter)
{
	bug_on(!queue_log_is_behind(log));
	list_init(&waiter->link);
	list_add_tail(&log->waiters, &waiter->link);
}

void queue_log_note_done(struct queue_log *log, struct log_batch *batch)
{
	log->done_bytes += batch->bytes;
	batch->bytes = 0;
	bug_on(log->done_bytes > log->added_bytes);
	if (!list_is_empty(&log->waiters) && has_caught_up(log))
		loop_defer(&log->wake);
}

void queue_log_pressure_init(struct queue_log *log)
{
	list_init(&log->waiters);
	loop_task_init(&log->wake, run_wake);
}

void queue_log_pressure_end(struct queue_log *log)
{
	loop_cancel(&log->wake);
	wake_all(log);
}
