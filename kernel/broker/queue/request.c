/* SPDX-License-Identifier: MIT */
#include "broker/queue/queue.h"

#include "broker/endpoint_post.h"
#include "broker/queue/state.h"
#include "loop/counters.h"
#include "loop/mailbox.h"

/*
 * Requests travel as letters to the queue's loop and back; on the same loop both ways are calls.
 * What was published before the request has been delivered when it is looked at, as in RabbitMQ: so
 * a purge takes no message that a consumer waits for.
 */

#define NO_QUEUE_TEXT "no queue '" SLICE_FMT "' in vhost '" SLICE_FMT "'"
#define IN_USE_TEXT   "queue '" SLICE_FMT "' in vhost '%s' in exclusive use"
#define LOCKED_TEXT                                                                                \
	"cannot obtain exclusive access to locked queue '" SLICE_FMT                               \
	"' in vhost '%s'. It could be originally "                                                 \
	"declared on another connection or the exclusive property value does not match that of "   \
	"the original "                                                                            \
	"declaration."

void queue_set_counts(const struct queue *q, struct queue_request *r)
{
	uint64_t ready = backlog_ready(&q->backlog);

	r->message_count = ready < UINT32_MAX ? (uint32_t)ready : UINT32_MAX;
	r->consumer_count = q->consumers.count;
}

static void consume(struct queue *q, struct queue_request *r)
{
	const struct consumer_options options = {
		.prefetch = r->consume.prefetch,
		.priority = r->consume.priority,
		.no_ack = r->consume.no_ack,
		.exclusive = r->consume.exclusive,
		.needs_grants = r->consume.needs_grants,
		.tag = r->consume.tag,
		.arguments = r->consume.arguments,
	};

	if (q->consumers.is_exclusive || (options.exclusive && q->consumers.count > 0)) {
		(void)amqp_error_set(&r->error, AMQP_ACCESS_REFUSED, IN_USE_TEXT,
				     SLICE_ARG(q->entry->node.key), q->entry->vhost->name);
		return;
	}
	if (!consumer_add(&q->consumers, r->asker, r->consume.consumer, &options)) {
		(void)amqp_error_set(&r->error, AMQP_RESOURCE_ERROR, "out of memory");
		return;
	}
	counter_add(COUNTER_CONSUMERS_ADDED, 1);
	q->is_forsaken = false;
	if (!queue_is_empty(q))
		queue_wake(q);
	queue_set_counts(q, r);
}

/* All that was delivered is on its way before the answer. */
static void cancel(struct queue *q, struct queue_request *r)
{
	struct consumer *c = consumer_find(&q->consumers, r->asker, r->cancel.consumer);

	if (!c)
		return;
	queue_flush_consumer(q, c);
	if (!q->is_gone)
		queue_remove_consumer(q, c);
}

/*
 * Messages that are delivered and not settled stay, so the log is told of what goes and not of all.
 */
static void log_purge_around_taken(struct queue *q)
{
	const struct backlog *b = &q->backlog;

	for (size_t i = 0; i < heap_count(&b->returned); i++)
		queue_log_settle_range(q->home->log, &q->log, STORE_SETTLE, b->returned.values[i],
				       b->returned.values[i]);
	queue_log_settle_range(q->home->log, &q->log, STORE_SETTLE, b->cursor, b->next_seq - 1);
}

static void purge(struct queue *q, struct queue_request *r)
{
	queue_set_counts(q, r);
	if (queue_is_empty(q))
		return;
	if (queue_is_in_log(q) && q->backlog.taken.count == 0)
		queue_log_purge(q->home->log, &q->log, q->backlog.next_seq - 1);
	else if (queue_is_in_log(q))
		log_purge_around_taken(q);
	counter_add(COUNTER_MESSAGES_DROPPED, backlog_purge(&q->backlog));
	queue_serve_gets(q);
	if (!q->is_gone)
		queue_wake(q);
}

static void touch(struct queue *q, struct queue_request *r)
{
	q->used_at_ms = loop_now_ms();
	queue_set_counts(q, r);
}

/* False: it is answered later. */
static bool handle(struct queue *q, struct queue_request *r)
{
	uint64_t owner = q->options.owner;

	if (owner != 0 && owner != r->connection && r->operation != QUEUE_CANCEL) {
		(void)amqp_error_set(&r->error, AMQP_RESOURCE_LOCKED, LOCKED_TEXT,
				     SLICE_ARG(q->entry->node.key), q->entry->vhost->name);
		return true;
	}
	switch (r->operation) {
	case QUEUE_CONSUME:
		consume(q, r);
		break;
	case QUEUE_CANCEL:
		cancel(q, r);
		break;
	case QUEUE_GET:
		return queue_get(q, r);
	case QUEUE_PURGE:
		purge(q, r);
		break;
	case QUEUE_TOUCH:
		touch(q, r);
		break;
	}
	return true;
}

void queue_request_fail_not_found(struct queue_request *r)
{
	(void)amqp_error_set(&r->error, AMQP_NOT_FOUND, NO_QUEUE_TEXT, SLICE_ARG(r->queue_name),
			     SLICE_ARG(r->vhost_name));
}

/* On the queue's loop. False: it is answered later. */
static bool look_up_and_handle(struct queue_request *r)
{
	struct queue *q = slots_get(r->queue);

	r->error.code = 0;
	r->message_count = r->consumer_count = 0;
	if (r->operation == QUEUE_GET)
		r->get.delivery = (struct delivery){.message = NULL};
	if (q)
		queue_refresh(q);
	if (q && !q->is_gone)
		return handle(q, r);
	if (r->operation != QUEUE_CANCEL)
		queue_request_fail_not_found(r);
	return true;
}

static void request_answered(struct letter *letter)
{
	struct queue_request *r = container_of(letter, struct queue_request, letter);

	r->done(r);
}

void queue_request_answer(struct queue_request *r)
{
	if (r->asker.loop == loop_index(loop_self())) {
		r->done(r);
		return;
	}
	r->letter.deliver = request_answered;
	loop_post(r->asker.loop, &r->letter);
}

static void request_arrived(struct letter *letter)
{
	struct queue_request *r = container_of(letter, struct queue_request, letter);

	if (look_up_and_handle(r))
		queue_request_answer(r);
}

void queue_request_submit(struct queue_request *r)
{
	if (r->queue.loop == loop_index(loop_self())) {
		if (look_up_and_handle(r))
			r->done(r);
		return;
	}
	r->letter.deliver = request_arrived;
	loop_post(r->queue.loop, &r->letter);
}
