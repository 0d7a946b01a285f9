/* SPDX-License-Identifier: MIT */
#include "conn/deliver/delivery.h"

#include "base/bug.h"
#include "base/log.h"
#include "broker/queue/queue.h"
#include "broker/router/router.h"
#include "conn/channel.h"
#include "conn/publish/content.h"
#include "conn/hooks/hooked.h"
#include "conn/method/tx.h"
#include "conn/placement/move.h"
#include "conn/placement/pressure.h"
#include "conn/publish/publish.h"
#include "conn/deliver/settle.h"
#include "conn/deliver/source.h"

static void channel_return_delivery(struct channel *ch, struct source *source,
				    const struct delivery *d)
{
	queue_settle(source->queue, ch->endpoint.ref, source->number, QUEUE_RETURN, &d->seq, 1);
	message_unref(d->message);
	connection_break(ch->connection);
}

/* bytes: what it counts with the queue. */
static inline void channel_deliver_one(struct channel *ch, struct source *source,
				       const struct delivery *d, uint64_t bytes)
{
	struct amqp_basic_deliver m = {
		.consumer_tag = {(const uint8_t *)source->tag, source->tag_size},
		.delivery_tag = ch->next_tag,
		.redelivered = d->redelivered,
		.exchange = message_exchange(d->message),
		.routing_key = message_routing_key(d->message),
	};

	if (!source->no_ack) {
		if (unacked_add(&ch->unacked, ch->next_tag, d->seq, source->index) != 0) {
			channel_return_delivery(ch, source, d);
			return;
		}
		source->n_unacked++;
	}
	ch->next_tag++;
	source_add_debt(source, bytes);
	content_deliver(ch, &m, d->message);
}

/* What the hooks keep from the client has no tag, and its bytes have come all the same. */
static NO_INLINE void channel_deliver_hooked(struct channel *ch, struct source *source,
					     const struct hook_list *hooks,
					     const struct delivery *deliveries, size_t count)
{
	struct slice tag = slice_make(source->tag, source->tag_size);
	struct hooked_settles settles;

	hooked_settles_init(&settles, ch, source);
	for (size_t i = 0; i < count; i++) {
		struct delivery d = deliveries[i];
		uint64_t bytes = queue_delivery_bytes(d.message);
		enum shunt_decision decision;

		if (hooked_deliver(ch, hooks, source_queue_name(source), tag, &d, &decision) != 0) {
			channel_return_delivery(ch, source, &d);
		} else if (decision == SHUNT_PASS) {
			channel_deliver_one(ch, source, &d, bytes);
		} else {
			source_add_debt(source, bytes);
			if (!source->no_ack)
				hooked_settle(&settles, decision, d.seq);
		}
	}
	hooked_settles_flush(&settles);
}

static void channel_deliver(struct endpoint *endpoint, uint32_t consumer,
			    const struct delivery *deliveries, size_t count)
{
	struct channel *ch = container_of(endpoint, struct channel, endpoint);
	struct source *source = source_find_number(ch, consumer);
	const struct hook_list *hooks = hooks_on_deliver(ch->connection->service->hooks);

	if (source == NULL) { /* cancelled by the queue's end, and nothing of it is kept any more */
		for (size_t i = 0; i < count; i++)
			message_unref(deliveries[i].message);
		return;
	}
	if (source->needs_grants) {
		uint32_t used = count < source->n_granted ? (uint32_t)count : source->n_granted;

		source->n_granted -= used; /* they go on counting in n_limited as unacknowledged */
		ch->n_limited += (uint32_t)count - used;
	}
	if (UNLIKELY(hooks != NULL)) {
		channel_deliver_hooked(ch, source, hooks, deliveries, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		channel_deliver_one(ch, source, &deliveries[i],
				    queue_delivery_bytes(deliveries[i].message));
}

static void channel_published(struct endpoint *endpoint, const struct publish_outcome *outcomes,
			      size_t count, uint64_t taken_bytes)
{
	struct channel *ch = container_of(endpoint, struct channel, endpoint);

	ch->inflight_bytes -= taken_bytes;
	pressure_sub_inflight(ch->connection, taken_bytes);
	if (tx_is_on(ch)) {
		tx_published(ch, outcomes, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		confirms_settle(&ch->confirms, outcomes[i].seq, outcomes[i].rejected);
	if (count != 0)
		publish_mark_dirty(ch);
	move_note(ch->connection);
}

/* The queue has gone: the client is told, if it understands that. What it holds unacknowledged
 * stays its to acknowledge. */
static void channel_cancelled(struct endpoint *endpoint, uint32_t consumer)
{
	struct channel *ch = container_of(endpoint, struct channel, endpoint);
	struct source *source = source_find_number(ch, consumer);
	struct amqp_method m = {.id = AMQP_BASIC_CANCEL};

	if (source == NULL || !source->is_consuming)
		return;
	if (ch->connection->capabilities.consumer_cancel_notify && !source->is_cancelling) {
		m.basic_cancel.consumer_tag = slice_make(source->tag, source->tag_size);
		m.basic_cancel.no_wait = true;
		connection_send(ch->connection, ch->number, &m);
	}
	source_end_consuming(source);
	settle_grant(ch);
}

static void channel_want(struct endpoint *endpoint, uint32_t consumer)
{
	struct channel *ch = container_of(endpoint, struct channel, endpoint);
	struct source *source = source_find_number(ch, consumer);

	if (source == NULL || !source->is_consuming || !source->needs_grants ||
	    list_is_linked(&source->wanting))
		return;
	list_add_tail(&ch->wanting, &source->wanting);
	settle_grant(ch);
}

static void channel_grants_returned(struct endpoint *endpoint, uint32_t consumer, uint32_t count)
{
	struct channel *ch = container_of(endpoint, struct channel, endpoint);
	struct source *source = source_find_number(ch, consumer);

	if (source == NULL || !source->is_consuming)
		return;
	if (count > source->n_granted) /* the limit changed while they were under way */
		count = source->n_granted;
	source->n_granted -= count;
	ch->n_limited -= count;
	settle_grant(ch);
}

/* Without a queue, "as if rejected" and "as if acknowledged" are one: NULL. */
static NO_INLINE struct message *
channel_reply_hooked(struct channel *ch, const struct hook_list *hooks, struct message *message)
{
	struct slice tag = slice_make(ch->reply_tag, ch->reply_tag_size);
	struct delivery d = {.message = message};
	enum shunt_decision decision;

	if (hooked_deliver(ch, hooks, SLICE_LITERAL(ROUTER_REPLY_PREFIX), tag, &d, &decision) == 0)
		return d.message;
	message_unref(d.message);
	connection_break(ch->connection);
	return NULL;
}

/*
 * There is no queue that could keep it, nor a way to slow down whoever replies: one that does not
 * read its replies loses those that come then, as one that has gone.
 */
static void channel_reply(struct endpoint *endpoint, uint64_t key, struct message *message)
{
	static struct log_limit limit = LOG_LIMIT(5);
	struct channel *ch = container_of(endpoint, struct channel, endpoint);
	const struct hook_list *hooks = hooks_on_deliver(ch->connection->service->hooks);
	struct amqp_basic_deliver m = {
		.consumer_tag = slice_make(ch->reply_tag, ch->reply_tag_size),
		.delivery_tag = ch->next_tag,
		.exchange = message_exchange(message),
		.routing_key = message_routing_key(message),
	};

	if (key == 0 || key != ch->endpoint.reply_key) {
		message_unref(message);
		return;
	}
	if (transport_queued(ch->connection->transport) > CONNECTION_REPLIES_MAX) {
		char name[CONNECTION_NAME_MAX];

		connection_print_name(ch->connection, name);
		log_limited(&limit, LOG_LEVEL_WARNING, "conn",
			    "reply dropped, its receiver does not read: name=\"%s\"", name);
		message_unref(message);
		return;
	}
	if (UNLIKELY(hooks != NULL)) {
		message = channel_reply_hooked(ch, hooks, message);
		if (message == NULL)
			return;
		m.exchange = message_exchange(message);
		m.routing_key = message_routing_key(message);
	}
	ch->next_tag++;
	content_deliver(ch, &m, message);
}

const struct endpoint_ops channel_endpoint_ops = {
	.deliver = channel_deliver,
	.published = channel_published,
	.cancelled = channel_cancelled,
	.want = channel_want,
	.grants_returned = channel_grants_returned,
	.reply = channel_reply,
};
