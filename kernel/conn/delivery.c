/* SPDX-License-Identifier: MIT */
#include "conn/delivery.h"

#include "base/bug.h"
#include "base/log.h"
#include "broker/queue.h"
#include "conn/channel.h"
#include "conn/content.h"
#include "conn/method_tx.h"
#include "conn/move.h"
#include "conn/pressure.h"
#include "conn/publish.h"
#include "conn/settle.h"
#include "conn/source.h"

static void channel_return_delivery(struct channel *ch, struct source *source,
				    const struct delivery *d)
{
	queue_settle(source->queue, ch->endpoint.ref, source->number, QUEUE_RETURN, &d->seq, 1);
	message_unref(d->message);
	connection_break(ch->connection);
}

static void channel_deliver_one(struct channel *ch, struct source *source, const struct delivery *d)
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
	source_add_debt(source, d->message);
	content_deliver(ch, &m, d->message);
}

static void channel_deliver(struct endpoint *endpoint, uint32_t consumer,
			    const struct delivery *deliveries, size_t count)
{
	struct channel *ch = container_of(endpoint, struct channel, endpoint);
	struct source *source = source_find_number(ch, consumer);

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
	for (size_t i = 0; i < count; i++)
		channel_deliver_one(ch, source, &deliveries[i]);
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

/*
 * There is no queue that could keep it, nor a way to slow down whoever replies: one that does not
 * read its replies loses those that come then, as one that has gone.
 */
static void channel_reply(struct endpoint *endpoint, uint64_t key, struct message *message)
{
	static struct log_limit limit = LOG_LIMIT(5);
	struct channel *ch = container_of(endpoint, struct channel, endpoint);
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
