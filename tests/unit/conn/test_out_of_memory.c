/* SPDX-License-Identifier: MIT */
/*
 * A whole broker on two loops that are turned by hand, and a conversation of two clients with it; again and again, each
 * time with the next allocation failing of those that may fail. Whatever the clients are told then: nothing leaks, nothing
 * is freed twice, and once the clients are gone the broker is as it was.
 */
#include "broker/queue/log.h"
#include "conversation.h"

enum { SPARE_BYTES_MAX = 1 << 20, FAULTS_MAX = 5000 };

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

/* Behind a question to the other loop. */
static void close_with_a_backlog(struct client *a, struct client *b)
{
	PUT(b, 3, AMQP_BASIC_GET, basic_get, .queue = SHARED);
	publish(b, 3, SHARED, plain, 10);
	PUT(b, 3, AMQP_CHANNEL_CLOSE, channel_close, .reply_code = 200);
	PUT(b, 3, AMQP_CHANNEL_OPEN, channel_open, .reserved_1 = SLICE_EMPTY);
	PUT(b, 3, AMQP_BASIC_GET, basic_get, .queue = SHARED);
	publish(b, 3, SHARED, plain, 10);
	PUT(b, 0, AMQP_CONNECTION_CLOSE, connection_close, .reply_code = 200);
	settle(a, b);
}

static void flush_here(void *unused)
{
	(void)unused;
	queue_log_flush(broker_loop_self(broker)->log);
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
	/* Settles wait for more, and the store has the bodies until then. */
	for (unsigned i = 0; i < LOOPS; i++)
		loop_pool_visit(i, flush_here, NULL);
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

/* Or it was the store's memory, or the other client could not declare the queue. */
static void check_code(uint16_t code)
{
	CU_ASSERT(code == 0 || code == AMQP_RESOURCE_ERROR || code == AMQP_INTERNAL_ERROR || code == AMQP_NOT_FOUND);
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
	if (n % 2 == 0) /* otherwise it is cut off */
		close_with_a_backlog(&a, &b);
	has_come = fault_has_come(n);
	if (!has_come) {
		CU_ASSERT(a.close_code == 0 && b.close_code == 0);
		CU_ASSERT(b.n_deliveries > 20);
	}
	check_code(a.close_code);
	check_code(b.close_code);
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
