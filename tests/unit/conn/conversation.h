/* SPDX-License-Identifier: MIT */
/* A whole broker on two loops that are turned by hand, and clients that talk to it. For the one that includes it. */
#ifndef TESTS_UNIT_CONN_CONVERSATION_H
#define TESTS_UNIT_CONN_CONVERSATION_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../first_user.h"
#include "../unit.h"
#include "access/access.h"
#include "amqp/frame.h"
#include "amqp/properties.h"
#include "amqp/table_writer.h"
#include "base/account.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/router/router.h"
#include "broker/topology/topology.h"
#include "conn/connection.h"
#include "conn/service.h"
#include "loop/loop.h"
#include "store/store.h"

enum { LOOPS = 2 };

/* Mostly a connection is to stay where it was put. */
#ifndef WORLD_PLACEMENT
#define WORLD_PLACEMENT PLACEMENT_FIXED
#endif

struct client {
	int fd;
	struct buffer out, in;
	uint64_t n_deliveries, n_acks, n_commit_oks, n_gets, n_close_oks, n_recover_oks;
	uint64_t last_ack, last_nack; /* their delivery tags */
	uint64_t n_nacks;
	uint64_t n_redelivered, n_overtaken; /* those of them that came behind one that was not */
	char close_text[256]; /* of the last channel that the broker has closed */
	uint16_t close_code; /* of the last channel or connection that the broker has closed; 0: none */
	bool is_blocked;
	unsigned n_blocked;
	char blocked_reason[32];
};

static struct store *store;
static struct broker *broker;
static struct access *door;
static struct conn_service *service;

static inline void world_create(void)
{
	static const char *const loopback[] = { NULL };
	static const struct access_config users = {
		.loopback_users = loopback,
	};
	const struct conn_settings settings = {
		.channel_max = 2047,
		.frame_max = 131072,
		.handshake_timeout_ms = 600000,
		.max_message_size = 1u << 20,
		.placement = WORLD_PLACEMENT,
		/* a busy machine may hold us up at any place */
		.move_limit_ms = 600000,
		.product = "Shunt",
		.version = "0",
		.cluster_name = "test",
	};

	(void)signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_LEVEL_ERROR);
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(LOOPS), 0);
	store = store_memory_create(LOOPS);
	broker = broker_create(LOOPS, store, "/");
	door = access_create(&users);
	first_user_make(door, store, "guest", CHEAP_HASH_OF_GUEST);
	service = conn_service_create(broker, door, &settings, LOOPS);
}

static inline void world_destroy(void)
{
	conn_service_destroy(service);
	access_destroy(door);
	broker_destroy(broker);
	store_destroy(store);
	loop_pool_destroy();
}

/* ---- Clients ---- */

static inline void accept_here(void *fd)
{
	conn_service_accept(service, *(int *)fd);
}

static inline void client_connect(struct client *client, unsigned loop)
{
	int fds[2];

	memset(client, 0, sizeof(*client));
	buffer_init(&client->out);
	buffer_init(&client->in);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	client->fd = fds[0];
	loop_pool_visit(loop, accept_here, &fds[1]);
}

static inline void client_end(struct client *client)
{
	if (client->fd >= 0)
		(void)close(client->fd);
	client->fd = -1;
	buffer_fini(&client->out);
	buffer_fini(&client->in);
}

/* The client's own memory does not count, so its buffers have it from the beginning. */
static inline void put(struct client *client, const void *bytes, size_t size)
{
	CU_ASSERT_FATAL(client->out.capacity - client->out.size >= size);
	memcpy(client->out.data + client->out.size, bytes, size);
	client->out.size += size;
}

static inline void put_frame(struct client *client, enum amqp_frame_type type, uint16_t channel, struct slice payload)
{
	uint8_t head[AMQP_FRAME_HEAD_SIZE];
	const uint8_t end = AMQP_FRAME_END;
	struct amqp_writer w;

	amqp_writer_init(&w, head, sizeof(head));
	amqp_frame_put_header(&w, type, channel, (uint32_t)payload.size);
	put(client, head, sizeof(head));
	put(client, payload.data, payload.size);
	put(client, &end, 1);
}

static inline void put_method(struct client *client, uint16_t channel, const struct amqp_method *m)
{
	uint8_t bytes[4096];
	struct amqp_writer w;

	amqp_writer_init(&w, bytes, amqp_method_size(m));
	amqp_method_encode(&w, m);
	CU_ASSERT_FATAL(!w.failed);
	put_frame(client, AMQP_FRAME_METHOD, channel, slice_make(bytes, amqp_method_size(m)));
}

#define PUT(client, channel, METHOD, member, ...)                              \
	do {                                                                   \
		struct amqp_method method_ = { .id = METHOD };                 \
		method_.member = (struct amqp_##member){ __VA_ARGS__ };        \
		put_method(client, channel, &method_);                         \
	} while (0)

static inline void note_method(struct client *client, const struct amqp_frame *frame)
{
	struct amqp_method m;

	CU_ASSERT_EQUAL_FATAL(amqp_method_decode(&m, frame->payload), 0);
	if (m.id == AMQP_CONNECTION_BLOCKED) {
		client->n_blocked++;
		snprintf(client->blocked_reason, sizeof(client->blocked_reason), "%.*s",
			 (int)m.connection_blocked.reason.size, (const char *)m.connection_blocked.reason.data);
	}
	if (m.id == AMQP_CONNECTION_BLOCKED || m.id == AMQP_CONNECTION_UNBLOCKED)
		client->is_blocked = m.id == AMQP_CONNECTION_BLOCKED;
	client->n_deliveries += m.id == AMQP_BASIC_DELIVER;
	client->n_close_oks += m.id == AMQP_CHANNEL_CLOSE_OK || m.id == AMQP_CONNECTION_CLOSE_OK;
	client->n_recover_oks += m.id == AMQP_BASIC_RECOVER_OK;
	if (m.id == AMQP_BASIC_DELIVER && m.basic_deliver.redelivered) {
		client->n_redelivered++;
		client->n_overtaken += client->n_redelivered != client->n_deliveries;
	}
	client->n_acks += m.id == AMQP_BASIC_ACK;
	if (m.id == AMQP_BASIC_ACK)
		client->last_ack = m.basic_ack.delivery_tag;
	client->n_nacks += m.id == AMQP_BASIC_NACK;
	if (m.id == AMQP_BASIC_NACK)
		client->last_nack = m.basic_nack.delivery_tag;
	client->n_commit_oks += m.id == AMQP_TX_COMMIT_OK;
	client->n_gets += m.id == AMQP_BASIC_GET_OK;
	if (m.id == AMQP_CHANNEL_CLOSE) {
		client->close_code = m.channel_close.reply_code;
		snprintf(client->close_text, sizeof(client->close_text), SLICE_FMT,
			 SLICE_ARG(m.channel_close.reply_text));
	}
	if (m.id == AMQP_CONNECTION_CLOSE)
		client->close_code = m.connection_close.reply_code;
}

static inline void read_in(struct client *client)
{
	static uint8_t bytes[1 << 20];
	struct slice rest;
	struct amqp_frame frame;
	size_t used;
	ssize_t n;

	if (client->fd < 0)
		return;
	while ((n = read(client->fd, bytes, sizeof(bytes))) > 0) {
		CU_ASSERT_FATAL(client->in.capacity - client->in.size >= (size_t)n);
		memcpy(client->in.data + client->in.size, bytes, (size_t)n);
		client->in.size += (size_t)n;
	}
	rest = buffer_slice(&client->in);
	while (rest.size != 0 && amqp_frame_parse(rest, 0, &frame, &used) == 1) {
		if (frame.type == AMQP_FRAME_METHOD)
			note_method(client, &frame);
		rest = slice_make(rest.data + used, rest.size - used);
	}
	buffer_consume(&client->in, client->in.size - rest.size);
}

static inline void write_out(struct client *client)
{
	ssize_t n;

	if (client->fd < 0 || client->out.size == 0)
		return;
	n = write(client->fd, client->out.data, client->out.size);
	if (n < 0 && errno == EAGAIN)
		return; /* it is not read from */
	buffer_consume(&client->out, n > 0 ? (size_t)n : client->out.size);
}

static inline void turn_here(void *unused)
{
	(void)unused;
	loop_run_once(false);
}

/* Until nothing is under way any more: what is, is so in a few turns of both. */
static inline void settle(struct client *a, struct client *b)
{
	for (int i = 0; i < 24; i++) {
		write_out(a);
		write_out(b);
		loop_pool_visit(0, turn_here, NULL);
		loop_pool_visit(1, turn_here, NULL);
		read_in(a);
		read_in(b);
	}
}

/* "connection.blocked" as a capability. */
static inline struct slice client_properties(void)
{
	static uint8_t bytes[128];
	struct amqp_table_writer table;
	struct buffer properties;
	struct slice result;

	buffer_init(&properties);
	amqp_table_writer_init(&table, &properties);
	amqp_table_begin_table(&table, "capabilities");
	amqp_table_put_bool(&table, "connection.blocked", true);
	amqp_table_end(&table);
	CU_ASSERT_EQUAL_FATAL(amqp_table_writer_finish(&table), 0);
	CU_ASSERT_FATAL(properties.size <= sizeof(bytes));
	memcpy(bytes, properties.data, properties.size);
	result = slice_make(bytes, properties.size);
	buffer_fini(&properties);
	return result;
}

/* All up to three open channels, in one go. */
static inline void begin(struct client *client)
{
	(void)buffer_reserve(&client->out, 4 << 20);
	(void)buffer_reserve(&client->in, 4 << 20);
	put(client, amqp_protocol_header, AMQP_PROTOCOL_HEADER_SIZE);
	PUT(client, 0, AMQP_CONNECTION_START_OK, connection_start_ok, .client_properties = client_properties(),
	    .mechanism = SLICE_LITERAL("PLAIN"), .response = SLICE_LITERAL("\0guest\0guest"), .locale = SLICE_LITERAL("en_US"));
	PUT(client, 0, AMQP_CONNECTION_TUNE_OK, connection_tune_ok, .channel_max = 2047, .frame_max = 131072);
	PUT(client, 0, AMQP_CONNECTION_OPEN, connection_open, .virtual_host = SLICE_LITERAL("/"));
	for (uint16_t channel = 1; channel <= 3; channel++)
		PUT(client, channel, AMQP_CHANNEL_OPEN, channel_open, .reserved_1 = SLICE_EMPTY);
}

static inline void publish(struct client *client, uint16_t channel, struct slice key, struct slice properties,
		    size_t body_size)
{
	static const uint8_t body[100000];
	struct amqp_content_header header = {
		.class_id = AMQP_CLASS_BASIC,
		.body_size = body_size,
		.properties = properties,
	};
	uint8_t bytes[2048];
	struct amqp_writer w;

	PUT(client, channel, AMQP_BASIC_PUBLISH, basic_publish, .routing_key = key, .mandatory = true);
	amqp_writer_init(&w, bytes, sizeof(bytes));
	amqp_content_header_encode(&w, &header);
	put_frame(client, AMQP_FRAME_HEADER, channel, slice_make(bytes, amqp_content_header_size(&header)));
	for (size_t size; body_size != 0; body_size -= size) {
		size = body_size < sizeof(body) ? body_size : sizeof(body);
		put_frame(client, AMQP_FRAME_BODY, channel, slice_make(body, size));
	}
}

#endif
