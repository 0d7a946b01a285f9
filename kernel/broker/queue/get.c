/* SPDX-License-Identifier: MIT */
#include "broker/queue/state.h"
#include "loop/counters.h"

/*
 * basic.get. When the message at the head is not in memory the request waits in the queue, and all
 * that come after it behind it. They are answered in this order as soon as the body is there, or
 * when there is no message any more, or no queue. So it does while the queue is held.
 */

/* False: the message is not in memory, or the queue is held. */
static bool answer(struct queue *q, struct queue_request *r)
{
	uint64_t seq;
	struct slot *slot;

	if (UNLIKELY(q->n_holds > 0))
		return false;
	slot = backlog_head(&q->backlog, &seq);
	if (!slot)
		return true;
	if (slot_is_away(slot))
		return false;

	r->get.delivery = (struct delivery){.message = slot_message_there(slot),
					    .seq = seq,
					    .redelivered = slot_is_redelivered(slot)};
	if (r->get.delivery.redelivered)
		counter_add(COUNTER_MESSAGES_REDELIVERED, 1);
	if (r->get.no_ack) {
		bool logged = slot_is_logged(slot);

		(void)backlog_shift(&q->backlog, seq, slot);
		queue_log_gone(q, seq, logged, STORE_SETTLE);
	} else {
		(void)queue_take(q, seq, slot);
	}
	queue_set_counts(q, r);
	r->get.ready_count = r->message_count;
	queue_wake(q);
	return true;
}

static void wait(struct queue *q, struct queue_request *r)
{
	r->next = NULL;
	if (q->gets)
		q->last_get->next = r;
	else
		q->gets = r;
	q->last_get = r;
	queue_read_ahead(q);
}

bool queue_get(struct queue *q, struct queue_request *r)
{
	r->get.delivery = (struct delivery){.message = NULL};
	r->get.ready_count = 0;
	q->used_at_ms = loop_now_ms();
	if (!q->gets && answer(q, r))
		return true;
	wait(q, r);
	return false;
}

void queue_answer_gets(struct queue *q)
{
	struct queue_request *r;

	/* Who gets an answer may do anything, also end the queue; that answers the others. */
	while ((r = q->gets) && answer(q, r)) {
		q->gets = r->next;
		queue_request_answer(r);
	}
	if (q->gets)
		queue_read_ahead(q);
}

void queue_end_gets(struct queue *q)
{
	struct queue_request *r;

	while ((r = q->gets)) {
		q->gets = r->next;
		queue_request_fail_not_found(r);
		queue_request_answer(r);
	}
}
