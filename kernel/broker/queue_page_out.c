/* SPDX-License-Identifier: MIT */
#include "base/account.h"
#include "broker/alarm.h"
#include "broker/queue_state.h"

/*
 * Bodies leave memory, once they are in the log.
 *
 * Usually when their append completes: while the queue holds more than its budget, what has just
 * been stored goes at once, newest first. So the head stays, and each message is looked at once.
 * Messages that need not be in the log go there, too, while a queue holds very many of them.
 *
 * When the broker has used half of the memory that it may, budgets are small. Then the queues of
 * the loop are gone through, once a second, for what has been stored before.
 */

#define SWEEP_MS     1000u
#define SWEEP_QUEUES 64u /* in one go */

/* ---- Completed appends ---- */

static void failed(struct actor_ref ref, uint64_t seq)
{
	struct queue *q = slots_get(ref);
	struct slot *slot = q ? backlog_find(&q->backlog, seq) : NULL;

	if (slot)
		slot->marks |= SLOT_UNSTORED;
}

static void completed(struct actor_ref ref, uint64_t first)
{
	struct queue *q = slots_get(ref);

	if (!q)
		return;
	struct backlog *b = &q->backlog;
	uint64_t through = queue_log_completed(q->home->log, &q->log);

	if (through >= b->next_seq)
		through = b->next_seq - 1;
	if (through > b->stored_through)
		b->stored_through = through;
	queue_look_at_memory(q);
	backlog_trim_range(b, first, through, q->home->queue_budget);
}

static const struct queue_log_listener listener = {.failed = failed, .completed = completed};

/* ---- When memory is short ---- */

/* The next queue after one that has been done; NULL: it was the last, or has gone. */
static struct queue *sweep_next(struct broker_loop *part, const struct queue *q)
{
	struct list *link = q->on_loop.next;

	part->sweep_below = UINT64_MAX;
	part->sweep_queue = ACTOR_REF_NONE;
	if (link == &part->queues)
		return NULL;
	struct queue *next = container_of(link, struct queue, on_loop);
	part->sweep_queue = next->ref;
	return next;
}

static void sweep(struct loop_task *task)
{
	struct broker_loop *part = container_of(task, struct broker_loop, sweep);
	struct queue *q = slots_get(part->sweep_queue);

	for (unsigned i = 0; i < SWEEP_QUEUES && q; i++) {
		if (backlog_trim(&q->backlog, &part->sweep_below, part->queue_budget))
			break;
		q = sweep_next(part, q);
	}
	if (q)
		loop_defer(task);
}

static void begin_sweep(struct broker_loop *part, uint64_t now)
{
	struct list *link = list_first(&part->queues);

	if (!link || loop_task_is_armed(&part->sweep) ||
	    (part->swept_ms != 0 && now - part->swept_ms < SWEEP_MS))
		return;
	part->swept_ms = now;
	part->sweep_queue = container_of(link, struct queue, on_loop)->ref;
	part->sweep_below = UINT64_MAX;
	loop_defer(&part->sweep);
}

static bool is_short(const struct broker *broker)
{
	uint64_t limit = broker->alarms ? alarms_memory_limit(broker->alarms) : 0;

	return limit > 0 && account_total() > limit / 2;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void queue_look_at_memory(struct queue *q)
{
	const struct broker *broker = q->broker;
	struct broker_loop *part = q->home;
	uint64_t now = loop_now_ms();

	if (part->looked_ms == now)
		return;
	part->looked_ms = now;
	part->queue_budget = broker->queue_memory_max;
	part->transient_budget = broker->queue_transient_max;
	if (!is_short(broker))
		return;
	part->queue_budget = least(part->queue_budget, QUEUE_MEMORY_MIN);
	part->transient_budget = least(part->transient_budget, QUEUE_MEMORY_MIN);
	begin_sweep(part, now);
}

/* ---- Life ---- */

void queue_paging_init(struct broker_loop *part)
{
	/* Until the first look. */
	part->queue_budget = part->transient_budget = UINT64_MAX;
	part->looked_ms = part->swept_ms = 0;
	part->sweep_queue = ACTOR_REF_NONE;
	loop_task_init(&part->sweep, sweep);
	queue_log_listen(part->log, &listener);
}

void queue_paging_fini(struct broker_loop *part)
{
	loop_cancel(&part->sweep);
}
