/* SPDX-License-Identifier: MIT */
/*
 * Very many exclusive queues go in steps: how many turns it takes, and that close-ok comes behind
 * it.
 */
#include "conn/exclusive.h"

#include "conversation.h"
#include "hog.h"

enum {
	STEPS = 6,
	QUEUES = STEPS * EXCLUSIVE_STEP,
};

#define FIRST SLICE_LITERAL("q0") /* the last one that goes */

static struct client a, b; /* both on loop 0 */

static void turn(void)
{
	write_out(&a);
	write_out(&b);
	loop_pool_visit(0, turn_here, NULL);
	loop_pool_visit(1, turn_here, NULL);
	read_in(&a);
	read_in(&b);
}

static void declare(struct client *client, uint16_t channel, struct slice name)
{
	PUT(client, channel, AMQP_QUEUE_DECLARE, queue_declare, .queue = name, .exclusive = true,
	    .arguments = SLICE_EMPTY);
}

static void start(void)
{
	world_create();
	client_connect(&a, 0);
	client_connect(&b, 0);
	begin(&a);
	begin(&b);
	settle(&a, &b);
	for (unsigned i = 0; i < QUEUES; i++) {
		char name[16];
		int size = snprintf(name, sizeof(name), "q%u", i);

		declare(&a, 1, slice_make((const uint8_t *)name, (size_t)size));
	}
	settle(&a, &b);
	loop_pool_visit(0, hog_begin, NULL);
}

static void end(void)
{
	settle(&a, &b);
	loop_pool_visit(0, hog_end, NULL);
	client_end(&a);
	client_end(&b);
	settle(&a, &b);
	world_destroy();
}

/* Whether b can have it now; it needs a channel for each time. */
static bool is_gone(uint16_t channel)
{
	b.close_code = 0;
	declare(&b, channel, FIRST);
	turn();
	turn();
	return b.close_code == 0;
}

/* ---- Tests ---- */

static void close_ok_comes_when_all_are_gone(void)
{
	unsigned turns = 0;

	start();
	PUT(&a, 0, AMQP_CONNECTION_CLOSE, connection_close, .reply_text = SLICE_EMPTY);
	turn();
	CU_ASSERT_FALSE(is_gone(1));
	for (; a.n_close_oks == 0 && turns < 10 * STEPS; turns++)
		turn();
	CU_ASSERT_EQUAL(a.n_close_oks, 1);
	CU_ASSERT(turns + 3 >= STEPS);
	CU_ASSERT_TRUE(is_gone(2));
	end();
}

static void they_go_without_their_connection(void)
{
	start();
	client_end(&a);
	turn();
	CU_ASSERT_FALSE(is_gone(1));
	settle(&a, &b);
	CU_ASSERT_TRUE(is_gone(2));
	end();
}

static void an_error_does_not_wait_for_them(void)
{
	start();
	PUT(&a, 1, AMQP_CHANNEL_OPEN, channel_open, .reserved_1 = SLICE_EMPTY); /* once more */
	turn();
	CU_ASSERT_EQUAL(a.close_code, 504);
	CU_ASSERT_FALSE(is_gone(1));
	put_method(&a, 0, &(struct amqp_method){.id = AMQP_CONNECTION_CLOSE_OK});
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.n_close_oks, 0);
	CU_ASSERT_TRUE(is_gone(2));
	end();
}

UNIT_MAIN("exclusive", UNIT_TEST(close_ok_comes_when_all_are_gone),
	  UNIT_TEST(they_go_without_their_connection), UNIT_TEST(an_error_does_not_wait_for_them))
