/* SPDX-License-Identifier: MIT */
/* What queues send to a channel: messages, outcomes of publishes, the end of a consumer. */
#include <string.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/queue.h"
#include "conn/channel.h"

#define SOURCE_INDEX_BITS 16
#define SOURCES_MAX ((1u << SOURCE_INDEX_BITS) - 1)

/* ---- Sources ---- */

static int source_index(struct channel *ch)
{
	for (unsigned i = 0; i < ch->n_sources; i++)
		if (ch->sources[i] == NULL)
			return (int)i;
	if (ch->n_sources == SOURCES_MAX)
		return -1;
	if (ch->n_sources == ch->sources_capacity) {
		unsigned capacity = ch->sources_capacity != 0 ? ch->sources_capacity * 2 : 2;
		struct source **sources = mem_try_realloc(ch->sources, capacity * sizeof(struct source *));

		if (sources == NULL)
			return -1;
		ch->sources = sources;
		ch->sources_capacity = capacity;
	}
	return (int)ch->n_sources++;
}

struct source *source_create(struct channel *ch, struct actor_ref queue, struct slice tag)
{
	struct source *source = mem_try_zalloc(sizeof(*source) + tag.size + 1);
	int index = source != NULL ? source_index(ch) : -1;

	if (index < 0) {
		mem_free(source);
		return NULL;
	}
	ch->sources[index] = source;
	source->channel = ch;
	source->queue = queue;
	source->index = (uint32_t)index;
	source->tag_size = (uint8_t)tag.size;
	if (tag.size != 0)
		memcpy(source->tag, tag.data, tag.size);
	list_init(&source->indebted);
	list_init(&source->wanting);
	return source;
}

/* A number that no earlier consumer of the channel had: 65536 reuses of a slot lie between two equal ones. */
void source_begin_consuming(struct source *source)
{
	struct channel *ch = source->channel;

	if (++ch->generation == 0)
		ch->generation = 1;
	source->number = (uint32_t)ch->generation << SOURCE_INDEX_BITS | source->index;
	source->is_consuming = true;
	map_insert(&ch->tags, &source->by_tag, slice_make(source->tag, source->tag_size));
	ch->n_consumers++;
}

void source_end_consuming(struct source *source)
{
	if (!source->is_consuming)
		return;
	source->is_consuming = false;
	map_remove(&source->channel->tags, &source->by_tag);
	source->channel->n_consumers--;
	list_remove(&source->wanting);
	list_remove(&source->indebted);
	source->channel->n_limited -= source->n_granted;
	source->n_granted = 0;
	source_release(source);
}

struct source *source_find_tag(struct channel *ch, struct slice tag)
{
	struct map_node *node = map_find(&ch->tags, tag);

	return node != NULL ? container_of(node, struct source, by_tag) : NULL;
}

struct source *source_find_number(struct channel *ch, uint32_t number)
{
	uint32_t index = number & SOURCES_MAX;

	if (index >= ch->n_sources || ch->sources[index] == NULL || ch->sources[index]->number != number)
		return NULL;
	return ch->sources[index];
}

struct source *source_for_get(struct channel *ch, struct actor_ref queue)
{
	for (unsigned i = 0; i < ch->n_sources; i++)
		if (ch->sources[i] != NULL && ch->sources[i]->number == 0 && actor_ref_equal(ch->sources[i]->queue, queue))
			return ch->sources[i];
	return source_create(ch, queue, SLICE_LITERAL(""));
}

void source_release(struct source *source)
{
	struct channel *ch = source->channel;

	if (source->is_consuming || source->n_unacked != 0)
		return;
	ch->sources[source->index] = NULL;
	list_remove(&source->indebted);
	list_remove(&source->wanting);
	mem_free(source);
}

void source_give_credit(struct source *source)
{
	uint64_t debt = source->debt;

	source->debt = 0;
	list_remove(&source->indebted);
	if (source->is_consuming)
		queue_credit(source->queue, source->channel->endpoint.ref, source->number, debt);
}

static void source_add_debt(struct source *source, const struct message *message)
{
	struct connection *c = source->channel->connection;

	source->debt += queue_delivery_bytes(message);
	if (source->debt < QUEUE_CREDIT_STEP || list_is_linked(&source->indebted))
		return;
	list_add_tail(&c->indebted, &source->indebted);
	loop_defer(&c->flush);
}

/* ---- Deliveries ---- */

static void channel_return_delivery(struct channel *ch, struct source *source, const struct delivery *d)
{
	queue_settle(source->queue, ch->endpoint.ref, source->number, QUEUE_RETURN, &d->seq, 1);
	message_unref(d->message);
	connection_break(ch->connection);
}

static void channel_deliver_one(struct channel *ch, struct source *source, const struct delivery *d)
{
	struct amqp_basic_deliver m = {
		.consumer_tag = { (const uint8_t *)source->tag, source->tag_size },
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

static void channel_deliver(struct endpoint *endpoint, uint32_t consumer, const struct delivery *deliveries,
			    size_t count)
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

static void channel_published(struct endpoint *endpoint, const struct publish_outcome *outcomes, size_t count,
			      uint64_t taken_bytes)
{
	struct channel *ch = container_of(endpoint, struct channel, endpoint);

	ch->inflight_bytes -= taken_bytes;
	connection_sub_inflight(ch->connection, taken_bytes);
	if (tx_is_on(ch)) {
		tx_published(ch, outcomes, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		confirms_settle(&ch->confirms, outcomes[i].seq, outcomes[i].rejected);
	if (count != 0)
		channel_mark_dirty(ch);
}

/* The queue has gone: the client is told, if it understands that. What it holds unacknowledged stays its to acknowledge. */
static void channel_cancelled(struct endpoint *endpoint, uint32_t consumer)
{
	struct channel *ch = container_of(endpoint, struct channel, endpoint);
	struct source *source = source_find_number(ch, consumer);
	struct amqp_method m = { .id = AMQP_BASIC_CANCEL };

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

	if (source == NULL || !source->is_consuming || !source->needs_grants || list_is_linked(&source->wanting))
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
 * There is no queue that could keep it, nor a way to slow down whoever replies: one that does not read its replies loses
 * those that come then, as one that has gone.
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
		log_limited(&limit, LOG_LEVEL_WARNING, "conn", "reply dropped, its receiver does not read: name=\"%s\"", name);
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

/* ---- Confirms ---- */

static void channel_tell(void *context, uint64_t seq, bool multiple, bool rejected)
{
	struct channel *ch = context;
	struct amqp_method m;

	if (rejected) {
		m.id = AMQP_BASIC_NACK;
		m.basic_nack = (struct amqp_basic_nack){ .delivery_tag = seq, .multiple = multiple };
	} else {
		m.id = AMQP_BASIC_ACK;
		m.basic_ack = (struct amqp_basic_ack){ .delivery_tag = seq, .multiple = multiple };
	}
	connection_send(ch->connection, ch->number, &m);
}

void channel_flush_confirms(struct channel *ch)
{
	list_remove(&ch->dirty);
	if (ch->state == CHANNEL_OPEN && ch->confirms_on)
		confirms_flush(&ch->confirms, channel_tell, ch);
}

void channel_mark_dirty(struct channel *ch)
{
	struct connection *c = ch->connection;

	if (list_is_linked(&ch->dirty))
		return;
	list_add_tail(&c->dirty, &ch->dirty);
	loop_defer(&c->flush);
}
