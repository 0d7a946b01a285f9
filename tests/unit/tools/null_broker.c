/* SPDX-License-Identifier: MIT */
/*
 * One thread, one epoll. A message goes as it came (its content frames, byte for byte) behind a
 * prepared basic.deliver into the output of the next consumer of each of its queues, or waits in
 * the queue when there is none. There is no prefetch; acknowledgements are read and forgotten.
 */
#include "null_state.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp/frame.h"
#include "base/bug.h"
#include "base/mem.h"

#define READ_SIZE ((size_t)256 << 10)

/* --- Methods */

static void put_answer(struct peer *peer, uint16_t channel, uint32_t id)
{
	struct amqp_method method = {.id = id};

	peer_put_method(peer, channel, &method);
}

static void put_confirms(struct null_broker *broker, struct peer *peer)
{
	struct amqp_method method = {.id = AMQP_BASIC_ACK};

	if (!peer->confirms || peer->confirmed == peer->published ||
	    broker->fault == NULL_BROKER_NEVER_CONFIRMS)
		return;
	if (broker->fault == NULL_BROKER_NACKS) {
		method.id = AMQP_BASIC_NACK;
		method.basic_nack.delivery_tag = peer->published;
		method.basic_nack.multiple = true;
	} else {
		method.basic_ack.delivery_tag = peer->published;
		method.basic_ack.multiple = true;
	}
	peer->confirmed = peer->published;
	peer_put_method(peer, 1, &method);
	if (broker->fault == NULL_BROKER_CONFIRMS_TWICE)
		peer_put_method(peer, 1, &method);
}

static void put_start(struct peer *peer)
{
	struct amqp_method method = {.id = AMQP_CONNECTION_START};

	method.connection_start.version_minor = 9;
	method.connection_start.mechanisms = SLICE_LITERAL("PLAIN");
	method.connection_start.locales = SLICE_LITERAL("en_US");
	method.connection_start.server_properties = SLICE_LITERAL("\x07product"
								  "S\0\0\0\x04"
								  "Null");
	peer_put_method(peer, 0, &method);
}

static void take_start_ok(struct null_broker *broker, struct peer *peer)
{
	struct amqp_method tune = {.id = AMQP_CONNECTION_TUNE};
	struct amqp_method close = {.id = AMQP_CONNECTION_CLOSE};

	if (broker->fault == NULL_BROKER_REFUSES_LOGIN) {
		close.connection_close.reply_code = 403;
		close.connection_close.reply_text = SLICE_LITERAL("ACCESS_REFUSED - go away");
		peer_put_method(peer, 0, &close);
		return;
	}
	tune.connection_tune = (struct amqp_connection_tune){2047, 131072, 60};
	peer_put_method(peer, 0, &tune);
}

static void take_queue_declare(struct null_broker *broker, struct peer *peer, uint16_t channel,
			       struct slice name)
{
	struct queue *queue = null_declare_queue(broker, name);
	struct amqp_method answer = {.id = AMQP_QUEUE_DECLARE_OK};

	answer.queue_declare_ok.queue = name;
	answer.queue_declare_ok.message_count = queue->count;
	peer_put_method(peer, channel, &answer);
}

static void take_bind(struct null_broker *broker, struct peer *peer, uint16_t channel,
		      const struct amqp_queue_bind *bind)
{
	struct binding *binding;

	broker->bindings = mem_realloc(broker->bindings,
				       (broker->binding_count + 1) * sizeof(*broker->bindings));
	binding = &broker->bindings[broker->binding_count++];
	binding->exchange = slice_strdup(bind->exchange);
	binding->key = slice_strdup(bind->routing_key);
	binding->queue = null_find_queue(broker, bind->queue);
	if (!bind->no_wait)
		put_answer(peer, channel, AMQP_QUEUE_BIND_OK);
}

static void take_consume(struct null_broker *broker, struct peer *peer, uint16_t channel,
			 const struct amqp_basic_consume *consume)
{
	struct amqp_method answer = {.id = AMQP_BASIC_CONSUME_OK};

	answer.basic_consume_ok.consumer_tag = consume->consumer_tag;
	peer_put_method(peer, channel, &answer);
	null_add_consumer(broker, peer, consume);
}

static void take_cancel(struct null_broker *broker, struct peer *peer, uint16_t channel,
			struct slice tag)
{
	struct amqp_method answer = {.id = AMQP_BASIC_CANCEL_OK};

	null_remove_consumers(broker, peer, tag);
	answer.basic_cancel_ok.consumer_tag = tag;
	peer_put_method(peer, channel, &answer);
}

static void take_queue_method(struct null_broker *broker, struct peer *peer, uint16_t channel,
			      const struct amqp_method *method)
{
	if (method->id == AMQP_QUEUE_DECLARE) {
		take_queue_declare(broker, peer, channel, method->queue_declare.queue);
	} else if (method->id == AMQP_QUEUE_BIND) {
		take_bind(broker, peer, channel, &method->queue_bind);
	} else if (method->id == AMQP_QUEUE_DELETE) {
		/* the object stays: routes point to it */
		atomic_fetch_sub(&broker->queues_alive, 1);
		put_answer(peer, channel, AMQP_QUEUE_DELETE_OK);
	}
}

static void take_method(struct null_broker *broker, struct peer *peer, uint16_t channel,
			const struct amqp_method *method)
{
	static const uint32_t answers[][2] = {
		{AMQP_CONNECTION_OPEN, AMQP_CONNECTION_OPEN_OK},
		{AMQP_CONNECTION_CLOSE, AMQP_CONNECTION_CLOSE_OK},
		{AMQP_CHANNEL_OPEN, AMQP_CHANNEL_OPEN_OK},
		{AMQP_EXCHANGE_DECLARE, AMQP_EXCHANGE_DECLARE_OK},
		{AMQP_EXCHANGE_DELETE, AMQP_EXCHANGE_DELETE_OK},
		{AMQP_BASIC_QOS, AMQP_BASIC_QOS_OK},
		{AMQP_CONFIRM_SELECT, AMQP_CONFIRM_SELECT_OK},
	};

	if (method->id == AMQP_CONNECTION_START_OK)
		take_start_ok(broker, peer);
	else if (amqp_method_class(method->id) == AMQP_CLASS_QUEUE)
		take_queue_method(broker, peer, channel, method);
	else if (method->id == AMQP_BASIC_CONSUME)
		take_consume(broker, peer, channel, &method->basic_consume);
	else if (method->id == AMQP_BASIC_CANCEL)
		take_cancel(broker, peer, channel, method->basic_cancel.consumer_tag);
	peer->confirms |= method->id == AMQP_CONFIRM_SELECT;
	if (method->id == AMQP_CONNECTION_CLOSE)
		null_remove_consumers(broker, peer, SLICE_EMPTY);
	for (unsigned i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		if (answers[i][0] == method->id)
			put_answer(peer, channel, answers[i][1]);
	}
}

/* --- Input */

static struct slice rest_of(const struct buffer *in, size_t at)
{
	return slice_make(in->data + at, in->size - at);
}

/* The content at `at`; its size, or 0: not all there. */
static size_t content_size(const struct buffer *in, size_t at)
{
	struct amqp_content_header header;
	struct amqp_frame frame;
	size_t used, begin = at;
	uint64_t left;

	if (amqp_frame_parse(rest_of(in, at), 0, &frame, &used) != 1)
		return 0;
	bug_on(amqp_content_header_decode(&header, frame.payload) != 0);
	at += used;
	for (left = header.body_size; left > 0; left -= frame.payload.size) {
		if (amqp_frame_parse(rest_of(in, at), 0, &frame, &used) != 1)
			return 0;
		bug_on(frame.type != AMQP_FRAME_BODY || frame.payload.size > left);
		at += used;
	}
	return at - begin;
}

/* One method with its content; the bytes it took, or 0: not all there. */
static size_t take_one(struct null_broker *broker, struct peer *peer, size_t at)
{
	struct amqp_method method;
	struct amqp_frame frame;
	size_t used, content;
	uint32_t id;

	if (amqp_frame_parse(rest_of(&peer->in, at), 0, &frame, &used) != 1)
		return 0;
	if (frame.type == AMQP_FRAME_HEARTBEAT)
		return used;
	bug_on(frame.type != AMQP_FRAME_METHOD || frame.payload.size < 4);
	memcpy(&id, frame.payload.data, sizeof(id));
	id = __builtin_bswap32(id);
	if (id == AMQP_BASIC_PUBLISH) {
		content = content_size(&peer->in, at + used);
		if (content == 0)
			return 0;
		null_take_message(broker, peer, frame.payload,
				  slice_make(peer->in.data + at + used, content));
		return used + content;
	}
	if (id != AMQP_BASIC_ACK) {
		bug_on(amqp_method_decode(&method, frame.payload) != 0);
		take_method(broker, peer, frame.channel, &method);
	}
	return used;
}

static void take_input(struct null_broker *broker, struct peer *peer)
{
	size_t at = 0, used;

	if (!peer->has_begun) {
		if (peer->in.size < AMQP_PROTOCOL_HEADER_SIZE)
			return;
		peer->has_begun = true;
		at = AMQP_PROTOCOL_HEADER_SIZE;
		if (broker->fault == NULL_BROKER_TALKS_NONSENSE)
			buffer_append_cstr(&peer->out, "HTTP/1.1 400 Bad Request\r\n\r\n");
		else
			put_start(peer);
	}
	while (!peer->is_closed && (used = take_one(broker, peer, at)) > 0)
		at += used;
	buffer_consume(&peer->in, at);
	put_confirms(broker, peer);
}

static void read_peer(struct null_broker *broker, struct peer *peer)
{
	uint8_t *room = buffer_reserve(&peer->in, READ_SIZE);
	ssize_t n;

	bug_on(room == NULL);
	n = recv(peer->fd, room, READ_SIZE, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		peer->is_closed = true;
		return;
	}
	peer->in.size += (size_t)n;
	take_input(broker, peer);
}

/* --- Connections */

static void accept_peer(struct null_broker *broker)
{
	int fd = accept4(broker->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN};
	struct peer *peer;
	const int on = 1;

	if (fd < 0)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	peer = mem_zalloc(sizeof(*peer));
	peer->fd = fd;
	peer->next = broker->peers;
	broker->peers = peer;
	event.data.ptr = peer;
	bug_on(epoll_ctl(broker->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0);
}

static void free_peer(struct peer *peer)
{
	(void)close(peer->fd);
	buffer_fini(&peer->in);
	buffer_fini(&peer->out);
	buffer_fini(&peer->route_key);
	mem_free(peer->route);
	mem_free(peer);
}

/* After each turn: everything goes out, and those that have ended are buried. */
static bool flush_and_bury(struct null_broker *broker)
{
	bool is_full = false;

	for (struct peer **link = &broker->peers; *link != NULL;) {
		struct peer *peer = *link;

		peer_flush(peer);
		is_full |= peer->out.size > 0 && !peer->is_closed;
		if (!peer->is_closed) {
			link = &peer->next;
			continue;
		}
		null_remove_consumers(broker, peer, SLICE_EMPTY);
		*link = peer->next;
		free_peer(peer);
	}
	return is_full;
}

static void *serve(void *argument)
{
	struct null_broker *broker = argument;
	struct epoll_event events[64];
	bool is_full = false;

	for (;;) {
		/* output that waits is tried again soon: good enough here */
		int n = epoll_wait(broker->epoll_fd, events, 64, is_full ? 1 : -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &broker->stop_fd)
				return NULL;
			if (events[i].data.ptr == &broker->listen_fd)
				accept_peer(broker);
			else
				read_peer(broker, events[i].data.ptr);
		}
		is_full = flush_and_bury(broker);
	}
}

static int listen_on(struct null_broker *broker, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t size = sizeof(address);
	const int on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	broker->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	(void)setsockopt(broker->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(broker->listen_fd, (struct sockaddr *)&address, size) < 0 ||
	    listen(broker->listen_fd, 1024) < 0 ||
	    getsockname(broker->listen_fd, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	broker->port = ntohs(address.sin_port);
	return 0;
}

static int watch(struct null_broker *broker, int *fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};

	return epoll_ctl(broker->epoll_fd, EPOLL_CTL_ADD, *fd, &event);
}

struct null_broker *null_broker_start(uint16_t port, enum null_broker_fault fault)
{
	struct null_broker *broker = mem_zalloc(sizeof(*broker));

	broker->fault = fault;
	broker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	broker->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (listen_on(broker, port) < 0 || watch(broker, &broker->listen_fd) < 0 ||
	    watch(broker, &broker->stop_fd) < 0 ||
	    pthread_create(&broker->thread, NULL, serve, broker) != 0) {
		mem_free(broker);
		return NULL;
	}
	return broker;
}

uint16_t null_broker_port(const struct null_broker *broker)
{
	return broker->port;
}

unsigned null_broker_queue_count(const struct null_broker *broker)
{
	return atomic_load(&broker->queues_alive);
}

void null_broker_stop(struct null_broker *broker)
{
	uint64_t one = 1;

	bug_on(write(broker->stop_fd, &one, sizeof(one)) != sizeof(one));
	(void)pthread_join(broker->thread, NULL);
	while (broker->peers != NULL) {
		struct peer *peer = broker->peers;

		broker->peers = peer->next;
		free_peer(peer);
	}
	for (unsigned i = 0; i < broker->queue_count; i++)
		null_free_queue(broker->queues[i]);
	for (unsigned i = 0; i < broker->binding_count; i++) {
		mem_free(broker->bindings[i].exchange);
		mem_free(broker->bindings[i].key);
	}
	mem_free(broker->queues);
	mem_free(broker->bindings);
	buffer_fini(&broker->held);
	(void)close(broker->listen_fd);
	(void)close(broker->epoll_fd);
	(void)close(broker->stop_fd);
	mem_free(broker);
}
