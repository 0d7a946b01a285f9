/* SPDX-License-Identifier: MIT */
/*
 * A connection goes to another loop: whatever is against it, and what it takes along. Both loops are
 * turned by hand, so that each moment can be looked at. (Threads: tests/interop/run.py -o
 * placement=restless.)
 */
#include "moving.h"
#include "base/clock.h"
#include "broker/alarm.h"
#include "conn/channel.h"
#include "conn/heartbeat.h"
#include "conn/placement/pressure.h"
#include "loop/counters.h"

#define PATIENCE_MS 60000u

/* ---- What is against it ---- */

static void check_stays(enum move_obstacle expected)
{
	settle(&a, &b);
	CU_ASSERT_EQUAL(obstacle(), expected);
	CU_ASSERT_FALSE(begin_move());
	settle(&a, &b);
	CU_ASSERT_TRUE(is_on(1));
}

/* It can be moved once that has gone. */
static void check_goes(void)
{
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.close_code, 0);
	move();
	stop();
}

static void before_it_is_open(void)
{
	world_create();
	client_connect(&a, 0);
	client_connect(&b, 1);
	(void)buffer_reserve(&b.out, 4096);
	(void)buffer_reserve(&b.in, 4096);
	put(&b, amqp_protocol_header, AMQP_PROTOCOL_HEADER_SIZE);
	check_stays(MOVE_STATE);
	stop();
}

static void while_a_channel_closes(void)
{
	start();
	PUT(&b, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = SLICE_LITERAL("none"),
	    .passive = true);
	check_stays(MOVE_STATE);
	CU_ASSERT_EQUAL(b.close_code, 404);
	b.close_code = 0;
	put_bare(&b, 1, AMQP_CHANNEL_CLOSE_OK);
	check_goes();
}

static void limit_memory(void *bytes)
{
	alarms_set_memory_limit(broker->alarms, *(uint64_t *)bytes);
}

static void while_blocked(void)
{
	uint64_t limit = 1, none = 0, end_ms = clock_monotonic_ms() + PATIENCE_MS;

	start();
	loop_pool_visit(0, limit_memory, &limit);
	settle(&a, &b);
	publish(&b, 1, SLICE_LITERAL("nowhere"), PLAIN, 10);
	check_stays(MOVE_BLOCKED);
	loop_pool_visit(0, limit_memory, &none);
	while (alarms_memory_is_set(broker->alarms) && clock_monotonic_ms() < end_ms)
		turn(0);
	check_goes();
}

static void with_an_exclusive_queue(void)
{
	start();
	PUT(&b, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = SLICE_LITERAL("mine"),
	    .exclusive = true);
	check_stays(MOVE_EXCLUSIVE);
	PUT(&b, 1, AMQP_QUEUE_DELETE, queue_delete, .queue = SLICE_LITERAL("mine"));
	check_goes();
}

static void with_a_consumer(void)
{
	start();
	PUT(&b, 2, AMQP_BASIC_CONSUME, basic_consume, .queue = ON_1,
	    .consumer_tag = SLICE_LITERAL("c"));
	check_stays(MOVE_CONSUMER);
	PUT(&b, 2, AMQP_BASIC_CANCEL, basic_cancel, .consumer_tag = SLICE_LITERAL("c"));
	check_goes();
}

static void with_a_delivery(void)
{
	start();
	publish(&b, 1, ON_1, PLAIN, 10);
	settle(&a, &b);
	PUT(&b, 2, AMQP_BASIC_GET, basic_get, .queue = ON_1);
	check_stays(MOVE_UNACKED);
	CU_ASSERT_EQUAL(b.n_gets, 1);
	PUT(&b, 2, AMQP_BASIC_ACK, basic_ack, .delivery_tag = 1);
	check_goes();
}

static void with_a_reply_consumer(void)
{
	start();
	PUT(&b, 2, AMQP_BASIC_CONSUME, basic_consume, .queue = SLICE_LITERAL(ROUTER_REPLY_PREFIX),
	    .consumer_tag = SLICE_LITERAL("r"), .no_ack = true);
	check_stays(MOVE_REPLIES);
	PUT(&b, 2, AMQP_BASIC_CANCEL, basic_cancel, .consumer_tag = SLICE_LITERAL("r"));
	check_goes();
}

static void with_a_transaction(void)
{
	start();
	put_bare(&b, 2, AMQP_TX_SELECT);
	check_stays(MOVE_TX);
	PUT(&b, 2, AMQP_CHANNEL_CLOSE, channel_close, .reply_code = 200);
	check_goes();
}

/* The queue is on loop 0, which does not turn. */
static void while_a_channel_waits(void)
{
	start();
	PUT(&b, 2, AMQP_QUEUE_PURGE, queue_purge, .queue = ON_0);
	write_out(&b);
	turn(1);
	CU_ASSERT_EQUAL(obstacle(), MOVE_WAITING);
	CU_ASSERT_FALSE(begin_move());
	check_goes();
}

static void within_a_message(void)
{
	start();
	PUT(&b, 1, AMQP_BASIC_PUBLISH, basic_publish, .routing_key = ON_1);
	check_stays(MOVE_CONTENT);
	PUT(&b, 2, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	settle(&a, &b);
	publish(&b, 2, ON_1, PLAIN, 10);
	check_stays(MOVE_CONTENT);
	CU_ASSERT_EQUAL(b.n_acks, 1);
	stop();
}

/* ---- What passes ---- */

static void it_waits_for_publishes(void)
{
	start();
	publish(&b, 1, ON_0, PLAIN, 10);
	write_out(&b);
	turn(1);
	CU_ASSERT_EQUAL(obstacle(), MOVE_PUBLISHES);
	CU_ASSERT_TRUE(begin_move());
	turn(1);
	CU_ASSERT_TRUE(is_on(1));
	settle(&a, &b);
	CU_ASSERT_TRUE(is_on(0));
	stop();
}

/* A requeue is under way when it begins: the get that comes after it does not overtake it. */
static void it_waits_for_letters(void)
{
	start();
	publish(&a, 1, ON_0, PLAIN, 10);
	settle(&a, &b);
	PUT(&b, 1, AMQP_BASIC_GET, basic_get, .queue = ON_0);
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_gets, 1);
	PUT(&b, 1, AMQP_BASIC_REJECT, basic_reject, .delivery_tag = 1, .requeue = true);
	write_out(&b);
	turn(1);
	CU_ASSERT_EQUAL(obstacle(), MOVE_FENCES);
	CU_ASSERT_TRUE(begin_move());
	PUT(&b, 1, AMQP_BASIC_GET, basic_get, .queue = ON_0);
	write_out(&b);
	for (int i = 0; i < 3; i++)
		turn(1);
	CU_ASSERT_TRUE(is_on(1));
	CU_ASSERT_EQUAL(obstacle(), MOVE_FENCES);
	settle(&a, &b);
	CU_ASSERT_TRUE(is_on(0));
	CU_ASSERT_EQUAL(b.n_gets, 2);
	stop();
}

/* The channel has gone, its publish is still under way. */
static void it_waits_for_what_is_abandoned(void)
{
	start();
	publish(&b, 3, ON_0, PLAIN, 10);
	PUT(&b, 3, AMQP_CHANNEL_CLOSE, channel_close, .reply_code = 200);
	write_out(&b);
	turn(1);
	CU_ASSERT_EQUAL(obstacle(), MOVE_FENCES);
	move();
	stop();
}

static void wait_for_limit(void)
{
	uint64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;

	while (find_on(1)->move != NULL) {
		CU_ASSERT_FATAL(clock_monotonic_ms() < end_ms);
		turn(1);
	}
}

/* What it waits for does not come: it stays, and goes on. */
static void it_does_not_wait_for_ever(void)
{
	start();
	PUT(&b, 1, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	publish(&b, 1, ON_0, PLAIN, 10);
	write_out(&b);
	turn(1);
	service->settings.move_limit_ms = 200;
	CU_ASSERT_TRUE(begin_move());
	publish(&b, 1, ON_1, PLAIN, 10);
	write_out(&b);
	turn(1);
	read_in(&b);
	CU_ASSERT_TRUE(b.n_acks == 0 || find_on(1)->move == NULL);
	wait_for_limit();
	service->settings.move_limit_ms = 600000;
	settle(&a, &b);
	CU_ASSERT_TRUE(is_on(1));
	CU_ASSERT_TRUE(find_on(1)->stays_until_ms > clock_monotonic_ms() + 10000); /* not soon again */
	CU_ASSERT_EQUAL(find_on(1)->channels[1]->confirms.told_to, 2);
	CU_ASSERT_TRUE(b.n_acks > 0);
	move();
	stop();
}

/* b does not read what comes back to it. */
static void it_stays_with_output(void)
{
	start();
	for (int i = 0; i < 20; i++)
		publish(&b, 1, SLICE_LITERAL("nowhere"), PLAIN, 90000);
	for (int i = 0; i < 40; i++) {
		write_out(&b);
		turn(1);
	}
	CU_ASSERT_EQUAL(obstacle(), MOVE_OUTPUT);
	CU_ASSERT_TRUE(begin_move());
	for (int i = 0; i < 3; i++)
		turn(1);
	CU_ASSERT_TRUE(is_on(1));
	CU_ASSERT_PTR_NULL(find_on(1)->move);
	settle(&a, &b);
	move();
	stop();
}

/* ---- What it takes along ---- */

/* Frames in part, numbers, and what its channels know. */
static void it_is_the_same_over_there(void)
{
	uint8_t rest[200];
	size_t size;

	start();
	PUT(&b, 1, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	publish(&b, 1, ON_0, PLAIN, 10);
	settle(&a, &b);
	publish(&b, 1, ON_0, PLAIN, 100);
	size = 50;
	memcpy(rest, b.out.data + b.out.size - size, size); /* comes later */
	b.out.size -= size;
	settle(&a, &b);
	/* the body's frame is half there: the message is, too, so it stays */
	CU_ASSERT_EQUAL(obstacle(), MOVE_CONTENT);
	put(&b, rest, size);
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_acks, 2);

	PUT(&b, 1, AMQP_QUEUE_PURGE, queue_purge, .queue = ON_0);
	memcpy(rest, b.out.data + 5, b.out.size - 5);
	size = b.out.size - 5;
	b.out.size = 5; /* of the purge's frame */
	settle(&a, &b);
	move();
	put(&b, rest, size);
	publish(&b, 1, ON_0, PLAIN, 10);
	publish(&b, 2, ON_0, PLAIN, 10);
	PUT(&b, 1, AMQP_BASIC_GET, basic_get, .queue = SLICE_EMPTY); /* the one declared last */
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_acks, 3);
	PUT(&b, 3, AMQP_BASIC_GET, basic_get, .queue = ON_0, .no_ack = true);
	PUT(&b, 3, AMQP_BASIC_GET, basic_get, .queue = ON_0, .no_ack = true);
	PUT(&b, 3, AMQP_BASIC_GET, basic_get, .queue = ON_0, .no_ack = true);
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_gets, 2);
	CU_ASSERT_EQUAL(b.close_code, 0);
	stop();
}

/* To and fro, while it publishes. */
static void nothing_is_lost_on_the_way(void)
{
	unsigned n_moves = 0;

	start();
	PUT(&a, 1, AMQP_BASIC_CONSUME, basic_consume, .queue = ON_0, .no_ack = true);
	PUT(&b, 1, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	settle(&a, &b);
	for (int i = 0; i < 100; i++) {
		uint64_t before = counter_sum(COUNTER_CONNECTIONS_MOVED);

		publish(&b, 1, ON_0, PLAIN, 1000);
		publish(&b, 1, ON_0, PLAIN, 10);
		write_out(&b);
		turn(i % 2 == 0);
		turn(i % 2 != 0);
		(void)begin_move();
		publish(&b, 1, ON_0, PLAIN, 10);
		settle(&a, &b);
		n_moves += (unsigned)(counter_sum(COUNTER_CONNECTIONS_MOVED) - before);
	}
	CU_ASSERT_EQUAL(a.n_deliveries, 300);
	CU_ASSERT_EQUAL(b.close_code, 0);
	CU_ASSERT_TRUE(n_moves > 50);
	CU_ASSERT_EQUAL(service->loops[0].n_connections + service->loops[1].n_connections, 2);
	stop();
}

static void beat(void *connection)
{
	heartbeat_start(connection);
}

/* Until b, which is silent, is cut. Returns whether heartbeats came, and the longest time in which nobody looked. */
static bool hears_heartbeats(uint64_t *ret_gap_ms)
{
	uint64_t last_ms = clock_monotonic_ms(), end_ms = last_ms + PATIENCE_MS, now_ms, before, written;
	bool is_there = true;

	*ret_gap_ms = 0;
	before = written = transport_bytes_written(find_on(0)->transport);
	while (is_there) {
		turn(0);
		now_ms = clock_monotonic_ms();
		CU_ASSERT_FATAL(now_ms < end_ms);
		if (now_ms - last_ms > *ret_gap_ms)
			*ret_gap_ms = now_ms - last_ms;
		last_ms = now_ms;
		is_there = find_on(0) != NULL;
		if (is_there)
			written = transport_bytes_written(find_on(0)->transport);
	}
	return written > before;
}

static void heartbeats_go_on(void)
{
	uint64_t gap_ms;
	bool are_heard;

	/* again if the machine held us up from before the first of them until the cut */
	do {
		start();
		find_on(1)->heartbeat_s = 1;
		loop_pool_visit(1, beat, find_on(1));
		move();
		are_heard = hears_heartbeats(&gap_ms);
		stop();
	} while (!are_heard && gap_ms > 1000);
	CU_ASSERT_TRUE(are_heard);
}

static void unblock(void *connection)
{
	pressure_unblock(connection);
}

static void alarms_are_told_over_there(void)
{
	start();
	publish(&b, 1, SLICE_LITERAL("nowhere"), PLAIN, 10);
	settle(&a, &b);
	CU_ASSERT_TRUE(begin_move());
	turn(1);
	CU_ASSERT_FALSE(is_on(0) || is_on(1));
	service->loops[0].alarms = ALARM_MEMORY; /* as if it had been told, and loop 1 not */
	turn(0);
	CU_ASSERT_TRUE(is_on(0));
	read_in(&b);
	CU_ASSERT_TRUE(b.is_blocked);
	service->loops[0].alarms = 0;
	loop_pool_visit(0, unblock, find_on(0));
	settle(&a, &b);
	CU_ASSERT_FALSE(b.is_blocked);
	stop();
}

/* ---- Consumers ---- */

static void a_consumer_goes_to_its_queue(void)
{
	start();
	publish(&a, 1, ON_0, PLAIN, 10);
	settle(&a, &b);
	PUT(&b, 2, AMQP_BASIC_CONSUME, basic_consume, .queue = ON_0, .no_ack = true);
	publish(&b, 2, ON_0, PLAIN, 10);
	PUT(&b, 2, AMQP_QUEUE_DECLARE, queue_declare, .queue = SLICE_LITERAL("later"));
	publish(&b, 3, SLICE_LITERAL("later"), PLAIN, 10);
	PUT(&b, 3, AMQP_BASIC_GET, basic_get, .queue = SLICE_LITERAL("later"), .no_ack = true);
	settle(&a, &b);
	CU_ASSERT_TRUE(is_on(0));
	CU_ASSERT_EQUAL(b.n_deliveries, 2);
	CU_ASSERT_EQUAL(b.n_gets, 1);
	CU_ASSERT_EQUAL(b.close_code, 0);
	stop();
}

static void the_second_consumer_does_not_move_it(void)
{
	start();
	PUT(&b, 2, AMQP_BASIC_CONSUME, basic_consume, .queue = ON_1, .no_ack = true);
	PUT(&b, 2, AMQP_BASIC_CONSUME, basic_consume, .queue = ON_0, .no_ack = true);
	publish(&a, 1, ON_0, PLAIN, 10);
	publish(&a, 1, ON_1, PLAIN, 10);
	settle(&a, &b);
	CU_ASSERT_TRUE(is_on(1));
	CU_ASSERT_EQUAL(b.n_deliveries, 2);
	stop();
}

/* The queue goes while the connection is on its way to it. */
static void a_consumer_whose_queue_goes(void)
{
	start();
	PUT(&b, 2, AMQP_BASIC_CONSUME, basic_consume, .queue = ON_0);
	write_out(&b);
	turn(1);
	PUT(&a, 1, AMQP_QUEUE_DELETE, queue_delete, .queue = ON_0);
	write_out(&a);
	turn(0);
	settle(&a, &b);
	CU_ASSERT_TRUE(b.close_code == 0 || b.close_code == 404);
	CU_ASSERT_TRUE(is_on(0));
	stop();
}

UNIT_MAIN("conn/move", UNIT_TEST(before_it_is_open), UNIT_TEST(while_a_channel_closes),
	  UNIT_TEST(while_blocked), UNIT_TEST(with_an_exclusive_queue), UNIT_TEST(with_a_consumer),
	  UNIT_TEST(with_a_delivery), UNIT_TEST(with_a_reply_consumer), UNIT_TEST(with_a_transaction),
	  UNIT_TEST(while_a_channel_waits), UNIT_TEST(within_a_message),
	  UNIT_TEST(it_waits_for_publishes), UNIT_TEST(it_waits_for_letters),
	  UNIT_TEST(it_waits_for_what_is_abandoned), UNIT_TEST(it_does_not_wait_for_ever),
	  UNIT_TEST(it_stays_with_output), UNIT_TEST(it_is_the_same_over_there),
	  UNIT_TEST(nothing_is_lost_on_the_way), UNIT_TEST(heartbeats_go_on),
	  UNIT_TEST(alarms_are_told_over_there), UNIT_TEST(a_consumer_goes_to_its_queue),
	  UNIT_TEST(the_second_consumer_does_not_move_it), UNIT_TEST(a_consumer_whose_queue_goes))
