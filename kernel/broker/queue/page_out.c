/* SPDX-License-Identifier: MIT */
#include "base/account.h"
#include "broker/alarm.h"
#include "broker/queue/state.h"

/*
 * Bodies leave memory, once they are in the log.
 *
 * Usually when their append completes: while the queue holds more than its budget, what has just
 * been stored goes at once, newest first. So the head stays, and each message is looked at once.
 * Messages that need not be in the log go there, too, while a queue holds very many of them.
 *
 * When the broker has used half of the memory that it may, budgets are small. Then the queues of
 * the loop are gone through, once a second, for what has been stored before. From three quarters on
 * nothing that has been stored stays, or many short queues could set the memory alarm, and with
 * their publishers blocked nothing would clear it. When it is set all the same, every loop goes
 * through its queues, also one that has nothing to do.
 */

#define SWEEP_MS     1000u
#define SWEEP_QUEUES 2u /* in one step */

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

/* From its newest messages on. NULL: the last queue has been done. */
static struct queue *sweep_from(struct broker_loop *part, struct list *link)
{
	struct queue *q = link == &part->queues ? NULL : container_of(link, struct queue, on_loop);

	part->sweep_below = UINT64_MAX;
	part->sweep_queue = q ? q->ref : ACTOR_REF_NONE;
	return q;
}

/* If it has gone meanwhile, all begins anew; what has been done takes little time. */
static struct queue *sweep_go_on(struct broker_loop *part)
{
	struct queue *q = slots_get(part->sweep_queue);

	return q ? q : sweep_from(part, part->queues.next);
}

static void sweep(struct loop_task *task)
{
	struct broker_loop *part = container_of(task, struct broker_loop, sweep);
	struct queue *q = sweep_go_on(part);

	for (unsigned i = 0; i < SWEEP_QUEUES && q; i++) {
		if (backlog_trim(&q->backlog, &part->sweep_below, part->queue_budget))
			break;
		q = sweep_from(part, q->on_loop.next);
	}
	if (q)
		loop_defer_background(task);
}

static void begin_sweep(struct broker_loop *part)
{
	part->swept_ms = loop_now_ms();
	if (sweep_from(part, part->queues.next))
		loop_defer_background(&part->sweep);
}

static bool may_sweep(const struct broker_loop *part)
{
	return !loop_task_is_armed(&part->sweep) &&
	       (part->swept_ms == 0 || loop_now_ms() - part->swept_ms >= SWEEP_MS);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* True: memory is short. */
static bool set_budgets(const struct broker *broker, struct broker_loop *part)
{
	uint64_t limit = broker->alarms ? alarms_memory_limit(broker->alarms) : 0;
	uint64_t used = limit > 0 ? account_total() : 0;

	part->looked_ms = loop_now_ms();
	part->queue_budget = broker->queue_memory_max;
	part->transient_budget = broker->queue_transient_max;
	if (used <= limit / 2)
		return false;
	part->queue_budget =
		used <= limit / 4 * 3 ? least(part->queue_budget, QUEUE_MEMORY_MIN) : 0;
	part->transient_budget = least(part->transient_budget, QUEUE_MEMORY_MIN);
	return true;
}

void queue_look_at_memory(struct queue *q)
{
	struct broker_loop *part = q->home;

	if (part->looked_ms != loop_now_ms() && set_budgets(q->broker, part) && may_sweep(part))
		begin_sweep(part);
}

void queue_page_out_all(struct broker *broker)
{
	struct broker_loop *part = broker_loop_self(broker);

	if (set_budgets(broker, part))
		begin_sweep(part);
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
