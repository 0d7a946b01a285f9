/* SPDX-License-Identifier: MIT */
/* A connection goes to another loop, and it or the broker ends meanwhile. */
#include "moving.h"

static void shutdown_here(void *limit_ms)
{
	conn_service_shutdown(service, *(unsigned *)limit_ms);
}

static void cut_here(void *unused)
{
	(void)unused;
	conn_service_cut(service);
}

/* Both loops are told to stop while it is between them. */
static void the_broker_stops_meanwhile(void)
{
	unsigned limit_ms = 1000;

	start();
	CU_ASSERT_TRUE(begin_move());
	turn(1);
	CU_ASSERT_FALSE(is_on(0) || is_on(1));
	loop_pool_visit(0, shutdown_here, &limit_ms);
	loop_pool_visit(1, shutdown_here, &limit_ms);
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.close_code, 320);
	CU_ASSERT_EQUAL(a.close_code, 320);
	put_bare(&b, 0, AMQP_CONNECTION_CLOSE_OK);
	settle(&a, &b);
	stop();
}

/* It was to go, and does not any more. */
static void the_broker_stops_before(void)
{
	unsigned limit_ms = 1000;

	start();
	CU_ASSERT_TRUE(begin_move());
	loop_pool_visit(1, shutdown_here, &limit_ms);
	settle(&a, &b);
	CU_ASSERT_TRUE(is_on(1));
	CU_ASSERT_EQUAL(b.close_code, 320);
	stop();
}

/* The loops have stopped: what is under way arrives, and is cut. */
static void the_loops_stop_meanwhile(void)
{
	start();
	CU_ASSERT_TRUE(begin_move());
	turn(1);
	CU_ASSERT_FALSE(is_on(0) || is_on(1));
	loop_pool_drain();
	CU_ASSERT_TRUE(is_on(0));
	loop_pool_visit(0, cut_here, NULL);
	loop_pool_visit(1, cut_here, NULL);
	loop_pool_drain();
	stop();
}

/* The client ends while letters are waited for; they find nobody. */
static void the_client_goes_meanwhile(void)
{
	start();
	publish(&a, 1, ON_0, PLAIN, 10);
	settle(&a, &b);
	PUT(&b, 1, AMQP_BASIC_GET, basic_get, .queue = ON_0);
	settle(&a, &b);
	PUT(&b, 1, AMQP_BASIC_ACK, basic_ack, .delivery_tag = 1);
	write_out(&b);
	turn(1);
	CU_ASSERT_TRUE(begin_move());
	turn(1);
	loop_pool_visit(1, cut_here, NULL);
	settle(&a, &b);
	CU_ASSERT_FALSE(is_on(0) || is_on(1));
	stop();

	start();
	CU_ASSERT_TRUE(begin_move());
	turn(1);
	client_end(&b);
	settle(&a, &b);
	CU_ASSERT_FALSE(is_on(0) || is_on(1));
	stop();
}

UNIT_MAIN("conn/move_ends", UNIT_TEST(the_broker_stops_meanwhile),
	  UNIT_TEST(the_broker_stops_before), UNIT_TEST(the_loops_stop_meanwhile),
	  UNIT_TEST(the_client_goes_meanwhile))
