/* SPDX-License-Identifier: MIT */
#include "broker/queue/queue.h"

#include "broker/queue/state.h"
#include "loop/counters.h"

/*
 * Time to live. Messages expire at the head of the queue only, as in RabbitMQ's classic queues: one
 * behind a longer-lived message waits for it. One timer serves messages and queue; it may fire too
 * early for what there is by then, and is never moved to a later time for that: firing once in vain
 * costs less than moving it with every message.
 */

#define EXPIRE_MAX 256u /* at one go; a turn has LOOP_TASK_ROUNDS of them */

bool queue_expire_head(struct queue *q, uint64_t until)
{
	struct slot *slot;
	uint64_t seq;
	unsigned n = 0;

	while ((slot = backlog_head(&q->backlog, &seq)) && slot_expires_at(slot) <= until &&
	       n < EXPIRE_MAX) {
		bool logged = slot_is_logged(slot);

		message_unref(backlog_shift(&q->backlog, seq, slot));
		queue_log_gone(q, seq, logged, STORE_EXPIRE);
		n++;
	}
	if (n > 0)
		counter_add(COUNTER_MESSAGES_EXPIRED, n);
	return n < EXPIRE_MAX;
}

static uint64_t unused_until(const struct queue *q)
{
	if (q->options.expires_ms == 0 || q->consumers.count > 0 || q->is_ending)
		return UINT64_MAX;
	return q->used_at_ms + q->options.expires_ms;
}

bool queue_is_unused(const struct queue *q)
{
	return unused_until(q) <= loop_now_ms();
}

void queue_expiry_arm(struct queue *q)
{
	uint64_t due = unused_until(q);
	uint64_t seq;
	const struct slot *slot = backlog_head(&q->backlog, &seq);

	if (slot && slot_expires_at(slot) != SLOT_NEVER && slot_expires_at(slot) < due)
		due = slot_expires_at(slot);
	if (due == UINT64_MAX)
		return;
	if (loop_timer_is_armed(&q->timer) && q->timer.deadline_ms <= due)
		return;
	uint64_t now = loop_now_ms();
	loop_timer_start_ms(&q->timer, due > now ? due - now : 0);
}

void queue_timer_fired(struct loop_timer *timer)
{
	struct queue *q = container_of(timer, struct queue, timer);

	loop_defer(&q->run);
}
