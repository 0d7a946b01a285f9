/* SPDX-License-Identifier: MIT */
/*
 * A whole broker on two loops that are turned by hand, and a conversation of two clients with it; again and again, each
 * time with the next allocation failing of those that may fail. Whatever the clients are told then: nothing leaks, nothing
 * is freed twice, and once the clients are gone the broker is as it was.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
#include "broker/router.h"
#include "broker/topology.h"
#include "conn/connection.h"
#include "conn/service.h"
#include "loop/loop.h"
#include "store/store.h"

enum { LOOPS = 2, SPARE_BYTES_MAX = 1 << 20, FAULTS_MAX = 5000 };

struct client {
	int fd;
	struct buffer out, in;
	bool was_closed; /* a channel or the connection, by the broker */
	uint64_t n_deliveries;
};

static struct store *store;
static struct broker *broker;
static struct access *door;
static struct conn_service *service;

static void world_create(void)
{
	static const char *const loopback[] = { NULL };
	static const struct access_config users = {
		.default_user = "guest",
		.default_pass = "guest",
		.default_user_tags = "",
		.loopback_users = loopback,
	};
	static const struct conn_settings settings = {
		.channel_max = 2047,
		.frame_max = 131072,
		.handshake_timeout_ms = 600000,
		.max_message_size = 1u << 20,
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
	service = conn_service_create(broker, door, &settings, LOOPS);
}

static void world_destroy(void)
{
	conn_service_destroy(service);
	access_destroy(door);
	broker_destroy(broker);
	store_destroy(store);
	loop_pool_destroy();
}

/* ---- Clients ---- */

static void accept_here(void *fd)
{
	conn_service_accept(service, *(int *)fd);
}

static void client_connect(struct client *client, unsigned loop)
{
	int fds[2];

	memset(client, 0, sizeof(*client));
	buffer_init(&client->out);
	buffer_init(&client->in);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	client->fd = fds[0];
	loop_pool_visit(loop, accept_here, &fds[1]);
}

static void client_end(struct client *client)
{
	if (client->fd >= 0)
		(void)close(client->fd);
	client->fd = -1;
	buffer_fini(&client->out);
	buffer_fini(&client->in);
}

/* The client's own memory does not count, so its buffers have it from the beginning. */
static void put(struct client *client, const void *bytes, size_t size)
{
	CU_ASSERT_FATAL(client->out.capacity - client->out.size >= size);
	memcpy(client->out.data + client->out.size, bytes, size);
	client->out.size += size;
}

static void put_frame(struct client *client, enum amqp_frame_type type, uint16_t channel, struct slice payload)
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

static void put_method(struct client *client, uint16_t channel, const struct amqp_method *m)
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

static void note_method(struct client *client, const struct amqp_frame *frame)
{
	struct amqp_method m;
	uint16_t code;

	CU_ASSERT_EQUAL_FATAL(amqp_method_decode(&m, frame->payload), 0);
	client->n_deliveries += m.id == AMQP_BASIC_DELIVER;
	if (m.id != AMQP_CHANNEL_CLOSE && m.id != AMQP_CONNECTION_CLOSE)
		return;
	client->was_closed = true;
	code = m.id == AMQP_CHANNEL_CLOSE ? m.channel_close.reply_code : m.connection_close.reply_code;
	/* Or the store's memory was out, or the other client could not declare the queue. */
	CU_ASSERT(code == AMQP_RESOURCE_ERROR || code == AMQP_INTERNAL_ERROR || code == AMQP_NOT_FOUND);
}

static void read_in(struct client *client)
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

static void write_out(struct client *client)
{
	ssize_t n;

	if (client->fd < 0 || client->out.size == 0)
		return;
	n = write(client->fd, client->out.data, client->out.size);
	buffer_consume(&client->out, n > 0 ? (size_t)n : client->out.size);
}

static void turn_here(void *unused)
{
	(void)unused;
	loop_run_once(false);
}

/* Until nothing is under way any more: what is, is so in a few turns of both. */
static void settle(struct client *a, struct client *b)
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

static void begin(struct client *client)
{
	(void)buffer_reserve(&client->out, 4 << 20);
	(void)buffer_reserve(&client->in, 4 << 20);
	put(client, amqp_protocol_header, AMQP_PROTOCOL_HEADER_SIZE);
	PUT(client, 0, AMQP_CONNECTION_START_OK, connection_start_ok, .mechanism = SLICE_LITERAL("PLAIN"),
	    .response = SLICE_LITERAL("\0guest\0guest"), .locale = SLICE_LITERAL("en_US"));
	PUT(client, 0, AMQP_CONNECTION_TUNE_OK, connection_tune_ok, .channel_max = 2047, .frame_max = 131072);
	PUT(client, 0, AMQP_CONNECTION_OPEN, connection_open, .virtual_host = SLICE_LITERAL("/"));
	for (uint16_t channel = 1; channel <= 3; channel++)
		PUT(client, channel, AMQP_CHANNEL_OPEN, channel_open, .reserved_1 = SLICE_EMPTY);
}

/* ---- What they do ---- */

#define SHARED SLICE_LITERAL("shared")
#define OWN_QUEUE SLICE_LITERAL("own")

static uint8_t plain_bytes[64], special_bytes[1024];
static struct slice plain, special; /* properties, encoded before anything may fail */

static struct slice encode_properties(uint8_t *bytes, size_t size, const struct amqp_properties *properties)
{
	struct amqp_writer w;

	amqp_writer_init(&w, bytes, size);
	amqp_properties_encode(&w, properties);
	CU_ASSERT_FATAL(!w.failed);
	return slice_make(bytes, amqp_properties_size(properties));
}

/* Persistent; and with what makes the broker write them anew: a reply_to, CC and BCC keys. */
static void make_properties(void)
{
	struct amqp_properties properties = { .flags = AMQP_PROPERTY_DELIVERY_MODE, .delivery_mode = 2 };
	struct amqp_table_writer table;
	struct buffer headers;

	plain = encode_properties(plain_bytes, sizeof(plain_bytes), &properties);
	buffer_init(&headers);
	amqp_table_writer_init(&table, &headers);
	amqp_table_begin_array(&table, "CC");
	amqp_table_put_string(&table, NULL, OWN_QUEUE);
	amqp_table_end(&table);
	amqp_table_begin_array(&table, "BCC");
	amqp_table_put_string(&table, NULL, SHARED);
	amqp_table_end(&table);
	CU_ASSERT_EQUAL_FATAL(amqp_table_writer_finish(&table), 0);
	properties.flags |= AMQP_PROPERTY_HEADERS | AMQP_PROPERTY_REPLY_TO;
	properties.headers = buffer_slice(&headers);
	properties.reply_to = SLICE_LITERAL(ROUTER_REPLY_PREFIX);
	special = encode_properties(special_bytes, sizeof(special_bytes), &properties);
	buffer_fini(&headers);
}

static void publish(struct client *client, uint16_t channel, struct slice key, struct slice properties,
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

/* a is where the shared queue is, b elsewhere. */
static void declare_and_consume(struct client *a, struct client *b)
{
	PUT(a, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = SHARED, .durable = true);
	PUT(a, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = OWN_QUEUE, .exclusive = true);
	PUT(a, 1, AMQP_QUEUE_DECLARE, queue_declare, .exclusive = true);
	PUT(a, 1, AMQP_BASIC_CONSUME, basic_consume, .queue = SLICE_LITERAL(ROUTER_REPLY_PREFIX), .no_ack = true);
	settle(a, b);
	PUT(b, 1, AMQP_BASIC_QOS, basic_qos, .prefetch_count = 7, .global = true);
	PUT(b, 1, AMQP_BASIC_CONSUME, basic_consume, .queue = SHARED);
	PUT(b, 1, AMQP_BASIC_CONSUME, basic_consume, .queue = SHARED, .no_ack = true);
	PUT(b, 1, AMQP_QUEUE_DECLARE, queue_declare, .exclusive = true);
	settle(a, b);
}

static void publish_and_settle(struct client *a, struct client *b)
{
	PUT(a, 2, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = false);
	for (int i = 0; i < 20; i++)
		publish(a, 2, SHARED, plain, 10);
	publish(a, 1, SHARED, special, 0);
	publish(a, 1, SLICE_LITERAL("nowhere"), plain, 300000);
	PUT(b, 2, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	for (int i = 0; i < 3; i++)
		publish(b, 2, SHARED, plain, 10);
	settle(a, b);
	PUT(b, 3, AMQP_BASIC_GET, basic_get, .queue = SHARED);
	PUT(b, 3, AMQP_BASIC_GET, basic_get, .queue = SHARED);
	PUT(b, 3, AMQP_BASIC_NACK, basic_nack, .multiple = true, .requeue = true);
	PUT(b, 1, AMQP_BASIC_ACK, basic_ack, .multiple = true);
	settle(a, b);
}

static void transact_and_close(struct client *a, struct client *b)
{
	PUT(a, 3, AMQP_TX_SELECT, tx_select);
	publish(a, 3, SHARED, plain, 10);
	PUT(a, 3, AMQP_BASIC_GET, basic_get, .queue = SHARED);
	PUT(a, 3, AMQP_BASIC_ACK, basic_ack, .multiple = true);
	PUT(a, 3, AMQP_TX_COMMIT, tx_commit);
	settle(a, b);
	PUT(b, 1, AMQP_CHANNEL_CLOSE, channel_close, .reply_code = 200);
	publish(b, 2, SHARED, plain, 10);
	for (int i = 0; i < 40; i++)
		publish(a, 2, SHARED, plain, 10);
	/* What is not routed yet when the connection ends may fail, too. */
	PUT(a, 1, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	publish(a, 1, SHARED, plain, 10);
	publish(a, 1, SHARED, plain, 10);
	PUT(a, 0, AMQP_CONNECTION_CLOSE, connection_close, .reply_code = 200);
	settle(a, b);
}

static void delete_shared_queue(void)
{
	struct client a, b;

	client_connect(&a, 0);
	client_connect(&b, 1);
	begin(&a);
	PUT(&a, 1, AMQP_QUEUE_DELETE, queue_delete, .queue = SHARED);
	settle(&a, &b);
	client_end(&a);
	client_end(&b);
	settle(&a, &b);
}

static void check_all_is_gone(void)
{
	struct vhost *vhost = topology_vhost(broker->topology, SLICE_LITERAL("/"));

	for (unsigned i = 0; i < LOOPS; i++) {
		CU_ASSERT_EQUAL_FATAL(service->loops[i].n_connections, 0);
		CU_ASSERT_EQUAL_FATAL(broker->loops[i].n_queues, 0);
	}
	CU_ASSERT_EQUAL_FATAL(map_count(&vhost->queues), 0);
	CU_ASSERT_EQUAL_FATAL(account_kind_total(ACCOUNT_CONNECTION), 0);
	CU_ASSERT_EQUAL_FATAL(account_kind_total(ACCOUNT_MESSAGE), 0);
	CU_ASSERT_FATAL(account_kind_total(ACCOUNT_QUEUE) <= SPARE_BYTES_MAX);
}

/* Whether the fault that was asked for has come. */
static bool fault_has_come(int n)
{
	while (n-- > 0) {
		void *memory = mem_try_alloc(1);

		if (memory == NULL)
			return false;
		mem_free(memory);
	}
	mem_fault_after(-1);
	return true;
}

/* Returns whether the fault came, n allocations after the beginning. */
static bool converse(int n)
{
	struct client a, b;
	bool has_come;

	client_connect(&a, 0);
	client_connect(&b, 1);
	begin(&a);
	begin(&b);
	mem_fault_after(n);
	settle(&a, &b);
	declare_and_consume(&a, &b);
	publish_and_settle(&a, &b);
	transact_and_close(&a, &b);
	has_come = fault_has_come(n);
	if (!has_come) {
		CU_ASSERT_FALSE(a.was_closed || b.was_closed);
		CU_ASSERT(b.n_deliveries > 20);
	}
	client_end(&a);
	client_end(&b);
	settle(&a, &b);
	delete_shared_queue();
	check_all_is_gone();
	return has_come;
}

static void any_allocation_may_fail(void)
{
	int n = 1;

	make_properties();
	world_create();
	while (n < FAULTS_MAX && converse(n))
		n++;
	CU_ASSERT(n > 50 && n < FAULTS_MAX);
	world_destroy();
}

UNIT_MAIN("out_of_memory", UNIT_TEST(any_allocation_may_fail))
