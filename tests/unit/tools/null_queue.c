/* SPDX-License-Identifier: MIT */
#include "null_state.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "amqp/frame.h"
#include "base/bug.h"
#include "base/mem.h"

#define OUT_MAX	 ((size_t)1 << 20) /* of a consumer, before publishers have to wait */
#define FAULT_AT 10		   /* the message, of all, with which something is wrong */

/* --- Output */

void peer_flush(struct peer *peer)
{
	while (peer->out_sent < peer->out.size && !peer->is_closed) {
		ssize_t n = send(peer->fd, peer->out.data + peer->out_sent,
				 peer->out.size - peer->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			peer->is_closed = true;
		else
			peer->out_sent += (size_t)n;
	}
	peer->out_sent = 0;
	buffer_clear(&peer->out);
}

static void flush_some(struct peer *peer)
{
	peer_flush(peer);
	while (peer->out.size - peer->out_sent > OUT_MAX && !peer->is_closed) {
		struct pollfd pollfd = {.fd = peer->fd, .events = POLLOUT};

		(void)poll(&pollfd, 1, 1000);
		peer_flush(peer);
	}
}

void peer_put_method(struct peer *peer, uint16_t channel, const struct amqp_method *method)
{
	size_t size = amqp_method_size(method) + AMQP_FRAME_OVERHEAD;
	uint8_t *room = buffer_reserve(&peer->out, size);
	struct amqp_writer writer;

	bug_on(room == NULL);
	amqp_writer_init(&writer, room, size);
	amqp_frame_put_method(&writer, channel, method);
	bug_on(writer.failed);
	peer->out.size += size;
}

/* --- Queues */

struct queue *null_find_queue(struct null_broker *broker, struct slice name)
{
	for (unsigned i = 0; i < broker->queue_count; i++) {
		if (slice_equal(slice_cstr(broker->queues[i]->name), name))
			return broker->queues[i];
	}
	return NULL;
}

struct queue *null_declare_queue(struct null_broker *broker, struct slice name)
{
	struct queue *queue = null_find_queue(broker, name);

	if (queue != NULL)
		return queue;
	queue = mem_zalloc(sizeof(*queue));
	queue->name = slice_strdup(name);
	buffer_init(&queue->waiting);
	broker->queues =
		mem_realloc(broker->queues, (broker->queue_count + 1) * sizeof(*broker->queues));
	broker->queues[broker->queue_count++] = queue;
	atomic_fetch_add(&broker->queues_alive, 1);
	return queue;
}

static void deliver(struct null_broker *broker, struct consumer *consumer, struct slice content)
{
	struct peer *peer = consumer->peer;
	struct amqp_basic_deliver method = {
		.consumer_tag = slice_cstr(consumer->tag),
		.delivery_tag = ++peer->delivery_tag,
		.redelivered = broker->fault == NULL_BROKER_MARKS_REDELIVERED,
		.routing_key = SLICE_LITERAL("key"),
	};
	size_t size = amqp_size_basic_deliver(&method);
	uint8_t *room = buffer_reserve(&peer->out, size + AMQP_FRAME_OVERHEAD + content.size);
	struct amqp_writer writer;

	bug_on(room == NULL);
	amqp_writer_init(&writer, room, size + AMQP_FRAME_OVERHEAD + content.size);
	amqp_frame_put_header(&writer, AMQP_FRAME_METHOD, 1, (uint32_t)size);
	amqp_encode_basic_deliver(&writer, &method);
	amqp_frame_put_end(&writer);
	amqp_put_bytes(&writer, content);
	bug_on(writer.failed);
	peer->out.size += size + AMQP_FRAME_OVERHEAD + content.size;
	if (peer->out.size - peer->out_sent > OUT_MAX)
		flush_some(peer);
}

static void enqueue(struct null_broker *broker, struct queue *queue, struct slice content)
{
	if (queue->consumer_count == 0) {
		buffer_append(&queue->waiting, &content.size, sizeof(content.size));
		buffer_append_slice(&queue->waiting, content);
		bug_on(queue->waiting.failed);
		queue->count++;
		return;
	}
	if (queue->next >= queue->consumer_count)
		queue->next = 0;
	deliver(broker, &queue->consumers[queue->next++], content);
}

static void drain_queue(struct null_broker *broker, struct queue *queue)
{
	const uint8_t *p = queue->waiting.data;

	for (; queue->count > 0; queue->count--) {
		size_t size;

		memcpy(&size, p, sizeof(size));
		enqueue(broker, queue, slice_make(p + sizeof(size), size));
		p += sizeof(size) + size;
	}
	buffer_clear(&queue->waiting);
}

void null_add_consumer(struct null_broker *broker, struct peer *peer,
		       const struct amqp_basic_consume *consume)
{
	struct queue *queue = null_find_queue(broker, consume->queue);
	struct consumer *consumer;

	bug_on(queue == NULL || consume->consumer_tag.size >= sizeof(consumer->tag));
	queue->consumers = mem_realloc(queue->consumers,
				       (queue->consumer_count + 1) * sizeof(*queue->consumers));
	consumer = &queue->consumers[queue->consumer_count++];
	*consumer = (struct consumer){.peer = peer};
	memcpy(consumer->tag, consume->consumer_tag.data, consume->consumer_tag.size);
	drain_queue(broker, queue);
}

void null_remove_consumers(struct null_broker *broker, const struct peer *peer, struct slice tag)
{
	for (unsigned q = 0; q < broker->queue_count; q++) {
		struct queue *queue = broker->queues[q];
		unsigned kept = 0;

		for (unsigned i = 0; i < queue->consumer_count; i++) {
			struct slice its_tag = slice_cstr(queue->consumers[i].tag);

			if (queue->consumers[i].peer != peer ||
			    (tag.size > 0 && !slice_equal(tag, its_tag)))
				queue->consumers[kept++] = queue->consumers[i];
		}
		queue->consumer_count = kept;
	}
}

void null_free_queue(struct queue *queue)
{
	mem_free(queue->name);
	mem_free(queue->consumers);
	buffer_fini(&queue->waiting);
	mem_free(queue);
}

/* --- Publishing */

static void add_to_route(struct peer *peer, struct queue *queue)
{
	for (unsigned i = 0; i < peer->route_count; i++) {
		if (peer->route[i] == queue)
			return;
	}
	peer->route = mem_realloc(peer->route, (peer->route_count + 1) * sizeof(*peer->route));
	peer->route[peer->route_count++] = queue;
}

/* The one wildcard it knows is a last word "*". */
static bool binding_matches(const struct binding *binding, struct slice exchange, struct slice key)
{
	size_t size = strlen(binding->key);

	if (!slice_equal(slice_cstr(binding->exchange), exchange))
		return false;
	if (size < 2 || strcmp(binding->key + size - 2, ".*") != 0)
		return slice_equal(slice_cstr(binding->key), key);
	return slice_starts_with(key, slice_make(binding->key, size - 1));
}

static void find_route(struct null_broker *broker, struct peer *peer, struct slice payload)
{
	struct amqp_method method;

	if (slice_equal(buffer_slice(&peer->route_key), payload))
		return;
	bug_on(amqp_method_decode(&method, payload) != 0);
	buffer_clear(&peer->route_key);
	buffer_append_slice(&peer->route_key, payload);
	peer->route_count = 0;
	if (slice_is_empty(method.basic_publish.exchange)) {
		add_to_route(peer, null_find_queue(broker, method.basic_publish.routing_key));
		return;
	}
	for (unsigned i = 0; i < broker->binding_count; i++) {
		if (binding_matches(&broker->bindings[i], method.basic_publish.exchange,
				    method.basic_publish.routing_key))
			add_to_route(peer, broker->bindings[i].queue);
	}
}

static void publish_to_all(struct null_broker *broker, struct peer *peer, struct slice content)
{
	for (unsigned i = 0; i < peer->route_count; i++)
		enqueue(broker, peer->route[i], content);
}

static void close_channel(struct peer *peer)
{
	struct amqp_method method = {.id = AMQP_CHANNEL_CLOSE};

	method.channel_close.reply_code = 406;
	method.channel_close.reply_text = SLICE_LITERAL("PRECONDITION_FAILED - enough of this");
	peer_put_method(peer, 1, &method);
}

/* How often the message is delivered now; `held` ones come later. */
static unsigned apply_fault(struct null_broker *broker, struct peer *peer, struct slice content)
{
	bool is_it = broker->published == FAULT_AT;
	bool is_next = broker->published == FAULT_AT + 1;

	if (!is_it && !is_next)
		return 1;
	if (is_it && broker->fault == NULL_BROKER_SWAPS)
		buffer_append_slice(&broker->held, content);
	if (is_it && broker->fault == NULL_BROKER_CLOSES_CHANNEL)
		close_channel(peer);
	if (is_it && broker->fault == NULL_BROKER_CLOSES_SOCKET)
		peer->is_closed = true;
	if (is_it &&
	    (broker->fault == NULL_BROKER_LOSES || broker->fault == NULL_BROKER_LOSES_AND_DOUBLES ||
	     broker->fault == NULL_BROKER_SWAPS))
		return 0;
	if ((is_it && broker->fault == NULL_BROKER_DOUBLES) ||
	    (is_next && broker->fault == NULL_BROKER_LOSES_AND_DOUBLES))
		return 2;
	return 1;
}

void null_take_message(struct null_broker *broker, struct peer *peer, struct slice publish,
		       struct slice content)
{
	unsigned times = 1;

	find_route(broker, peer, publish);
	peer->published++;
	broker->published++;
	if (broker->fault != NULL_BROKER_RIGHT)
		times = apply_fault(broker, peer, content);
	for (unsigned i = 0; i < times; i++)
		publish_to_all(broker, peer, content);
	if (broker->held.size > 0 && broker->published == FAULT_AT + 1) {
		publish_to_all(broker, peer, buffer_slice(&broker->held));
		buffer_clear(&broker->held);
	}
}
