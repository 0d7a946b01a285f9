/* SPDX-License-Identifier: MIT */
/* Very many deliveries are settled in steps: how many turns it takes, and that nobody notices. */
#include "conn/deliver/settling.h"

#include "conversation.h"
#include "hog.h"

#define Q SLICE_LITERAL("q")

enum {
	STEPS = 12,
	HELD = STEPS * SETTLING_STEP, /* by a, unacknowledged */
	BEHIND = 100,		      /* ready, behind them */
};

static_assert(HELD > SETTLING_AT_ONCE, "or they are settled at once");

static struct client a, b; /* on loop 0 and on loop 1, where the queue is */

static void turn(void)
{
	write_out(&a);
	write_out(&b);
	loop_pool_visit(0, turn_here, NULL);
	loop_pool_visit(1, turn_here, NULL);
	read_in(&a);
	read_in(&b);
}

/* ---- The conversation ---- */

static void start(void)
{
	world_create();
	client_connect(&a, 0);
	client_connect(&b, 1);
	begin(&a);
	begin(&b);
	settle(&a, &b);
	PUT(&b, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = Q, .arguments = SLICE_EMPTY);
	for (unsigned i = 0; i < HELD + BEHIND; i++)
		publish(&b, 1, Q, SLICE_LITERAL("\0\0"), 1);
	settle(&a, &b);
	PUT(&a, 1, AMQP_BASIC_QOS, basic_qos, .prefetch_count = HELD);
	PUT(&a, 1, AMQP_BASIC_CONSUME, basic_consume, .queue = Q, .consumer_tag = SLICE_LITERAL("t"),
	    .arguments = SLICE_EMPTY);
	settle(&a, &b);
	CU_ASSERT_EQUAL_FATAL(a.n_deliveries, HELD);
	loop_pool_visit(0, hog_begin, NULL);
}

/* b takes all that there is as soon as it may. */
static void b_takes(void)
{
	PUT(&b, 2, AMQP_BASIC_CONSUME, basic_consume, .queue = Q, .no_ack = true, .arguments = SLICE_EMPTY);
}

static void end(void)
{
	loop_pool_visit(0, hog_end, NULL);
	client_end(&a);
	client_end(&b);
	settle(&a, &b);
	world_destroy();
}

/* How many turns until it is so; the limit is far above all that there are. */
#define TURNS_UNTIL(condition, n)                                                                      \
	do {                                                                                           \
		for ((n) = 0; !(condition) && (n) < 10 * STEPS; (n)++)                                 \
			turn();                                                                        \
		CU_ASSERT_TRUE(condition);                                                             \
	} while (0)

static void check_order(uint64_t n_redelivered)
{
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_redelivered, n_redelivered);
	CU_ASSERT_EQUAL(b.n_overtaken, 0);
	CU_ASSERT_EQUAL(b.n_deliveries, n_redelivered + BEHIND);
}

/* ---- Tests ---- */

static void a_channel_ends_in_steps(void)
{
	unsigned turns;

	start();
	PUT(&a, 1, AMQP_CHANNEL_CLOSE, channel_close, .reply_text = SLICE_EMPTY);
	turn();
	b_takes();
	turn();
	CU_ASSERT_EQUAL(b.n_deliveries, 0); /* not even those that are behind */
	/* What comes behind the close is for the next one of its number. */
	PUT(&a, 1, AMQP_CHANNEL_OPEN, channel_open, .reserved_1 = SLICE_EMPTY);
	PUT(&a, 1, AMQP_BASIC_RECOVER, basic_recover, .requeue = true);
	TURNS_UNTIL(a.n_close_oks == 1, turns);
	CU_ASSERT_TRUE(turns + 2 >= STEPS);
	check_order(HELD);
	CU_ASSERT_EQUAL(a.n_recover_oks, 1);
	end();
}

/* Nobody else sends anything, so what is published behind the close must not wait for that. */
static void what_is_behind_a_close_is_published(void)
{
	unsigned turns;

	start();
	PUT(&a, 1, AMQP_CHANNEL_CLOSE, channel_close, .reply_text = SLICE_EMPTY);
	turn();
	PUT(&a, 1, AMQP_CHANNEL_OPEN, channel_open, .reserved_1 = SLICE_EMPTY);
	PUT(&a, 1, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	publish(&a, 1, Q, SLICE_LITERAL("\0\0"), 1);
	TURNS_UNTIL(a.n_acks != 0, turns);
	CU_ASSERT_TRUE(turns + 2 >= STEPS);
	end();
}

/* So much that reading pauses; it goes on. */
static void very_much_may_be_behind_a_close(void)
{
	enum { MUCH = 20, SIZE = 100000 };
	unsigned turns;

	static_assert(MUCH * SIZE > CONNECTION_BACKLOG_MAX, "or nothing pauses");
	start();
	PUT(&a, 1, AMQP_CHANNEL_CLOSE, channel_close, .reply_text = SLICE_EMPTY);
	PUT(&a, 1, AMQP_CHANNEL_OPEN, channel_open, .reserved_1 = SLICE_EMPTY);
	PUT(&a, 1, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	for (unsigned i = 0; i < MUCH; i++)
		publish(&a, 1, Q, SLICE_LITERAL("\0\0"), SIZE);
	TURNS_UNTIL(a.n_close_oks == 1, turns);
	settle(&a, &b);
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.out.size, 0);
	CU_ASSERT_EQUAL(a.last_ack, MUCH);
	end();
}

static void a_connection_ends_in_steps(void)
{
	unsigned turns;

	start();
	PUT(&a, 0, AMQP_CONNECTION_CLOSE, connection_close, .reply_text = SLICE_EMPTY);
	turn();
	b_takes();
	TURNS_UNTIL(a.n_close_oks == 1, turns);
	CU_ASSERT_TRUE(turns + 1 >= STEPS);
	check_order(HELD);
	end();
}

static void a_lost_connection_ends_in_steps(void)
{
	unsigned turns;

	start();
	client_end(&a);
	turn();
	b_takes();
	TURNS_UNTIL(b.n_deliveries != 0, turns);
	CU_ASSERT_TRUE(turns + 1 >= STEPS);
	check_order(HELD);
	end();
}

static void an_error_is_told_when_all_is_back(void)
{
	unsigned turns;

	start();
	PUT(&a, 1, AMQP_BASIC_ACK, basic_ack, .delivery_tag = HELD + 1);
	TURNS_UNTIL(a.close_code != 0, turns);
	CU_ASSERT_TRUE(turns >= STEPS);
	CU_ASSERT_EQUAL(a.close_code, 406);
	put_method(&a, 1, &(struct amqp_method){.id = AMQP_CHANNEL_CLOSE_OK});
	b_takes();
	check_order(HELD);
	end();
}

/* What the client sends before it knows of the error is no reason to forget that. */
static void a_close_that_crosses_an_error_is_answered_behind_it(void)
{
	struct amqp_content_header header = {.class_id = AMQP_CLASS_BASIC,
					     .properties = SLICE_LITERAL("\0\0")};
	uint8_t bytes[64];
	struct amqp_writer w;
	unsigned turns;

	start();
	PUT(&a, 1, AMQP_BASIC_PUBLISH, basic_publish, .exchange = SLICE_LITERAL("none"));
	amqp_writer_init(&w, bytes, sizeof(bytes));
	amqp_content_header_encode(&w, &header);
	put_frame(&a, AMQP_FRAME_HEADER, 1, slice_make(bytes, amqp_content_header_size(&header)));
	PUT(&a, 1, AMQP_CHANNEL_CLOSE, channel_close, .reply_text = SLICE_EMPTY);
	turn();
	turn();
	CU_ASSERT_EQUAL(a.n_close_oks, 0);
	TURNS_UNTIL(a.n_close_oks == 1, turns);
	CU_ASSERT_TRUE(turns + 2 >= STEPS);
	CU_ASSERT_EQUAL(a.close_code, 404);
	put_method(&a, 1, &(struct amqp_method){.id = AMQP_CHANNEL_CLOSE_OK});
	PUT(&a, 1, AMQP_CHANNEL_OPEN, channel_open, .reserved_1 = SLICE_EMPTY);
	PUT(&a, 1, AMQP_BASIC_RECOVER, basic_recover, .requeue = true);
	b_takes();
	check_order(HELD);
	CU_ASSERT_EQUAL(a.n_recover_oks, 1);
	end();
}

static void recover_goes_in_steps(void)
{
	unsigned turns;

	start();
	PUT(&a, 1, AMQP_BASIC_RECOVER, basic_recover, .requeue = true);
	PUT(&a, 1, AMQP_BASIC_QOS, basic_qos, .prefetch_count = 1); /* waits */
	TURNS_UNTIL(a.n_recover_oks == 1, turns);
	CU_ASSERT_TRUE(turns >= STEPS);
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.n_redelivered, HELD);
	CU_ASSERT_EQUAL(a.n_deliveries, 2 * HELD);
	end();
}

/* What the transaction has acknowledged before stays so; all else is requeued, and not only by the
 * commit. */
static void recover_is_no_part_of_a_transaction(void)
{
	unsigned turns;

	start();
	put_method(&a, 1, &(struct amqp_method){.id = AMQP_TX_SELECT});
	PUT(&a, 1, AMQP_BASIC_CANCEL, basic_cancel, .consumer_tag = SLICE_LITERAL("t"));
	PUT(&a, 1, AMQP_BASIC_ACK, basic_ack, .delivery_tag = 1);
	PUT(&a, 1, AMQP_BASIC_RECOVER, basic_recover, .requeue = true);
	TURNS_UNTIL(a.n_recover_oks == 1, turns);
	CU_ASSERT_TRUE(turns >= STEPS);
	b_takes();
	check_order(HELD - 1);
	put_method(&a, 1, &(struct amqp_method){.id = AMQP_TX_COMMIT});
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.n_commit_oks, 1);
	client_end(&a);
	check_order(HELD - 1);
	end();
}

static void what_is_nacked_comes_in_order(void)
{
	start();
	PUT(&a, 1, AMQP_BASIC_CANCEL, basic_cancel, .consumer_tag = SLICE_LITERAL("t"));
	PUT(&a, 1, AMQP_BASIC_NACK, basic_nack, .delivery_tag = HELD, .multiple = true, .requeue = true);
	PUT(&a, 1, AMQP_CHANNEL_CLOSE, channel_close, .reply_text = SLICE_EMPTY);
	turn();
	b_takes();
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.n_close_oks, 1);
	check_order(HELD);
	end();
}

static void acks_are_done_before_the_close(void)
{
	unsigned turns;

	start();
	PUT(&a, 1, AMQP_BASIC_ACK, basic_ack, .delivery_tag = 0, .multiple = true);
	PUT(&a, 1, AMQP_CHANNEL_CLOSE, channel_close, .reply_text = SLICE_EMPTY);
	TURNS_UNTIL(a.n_close_oks == 1, turns);
	CU_ASSERT_TRUE(turns >= STEPS);
	b_takes();
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_deliveries, BEHIND); /* a may have had some of them meanwhile */
	end();
}

/* The client has said it, so it holds, also when the client has gone in the midst of it. */
static void acks_are_done_when_the_client_has_gone(void)
{
	start();
	PUT(&a, 1, AMQP_BASIC_ACK, basic_ack, .delivery_tag = HELD - 1, .multiple = true);
	turn();
	turn();
	client_end(&a);
	turn();
	b_takes();
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_deliveries, 1 + BEHIND);
	CU_ASSERT_EQUAL(b.n_overtaken, 0);
	end();
}

static void what_a_transaction_has_not_committed_is_back(void)
{
	start();
	put_method(&a, 1, &(struct amqp_method){.id = AMQP_TX_SELECT});
	PUT(&a, 1, AMQP_BASIC_ACK, basic_ack, .delivery_tag = HELD, .multiple = true);
	turn();
	turn();
	client_end(&a);
	turn();
	b_takes();
	check_order(HELD);
	end();
}

/* A queue that is held answers a get when it is released. */
static void a_get_waits(void)
{
	start();
	PUT(&a, 1, AMQP_CHANNEL_CLOSE, channel_close, .reply_text = SLICE_EMPTY);
	turn();
	turn();
	PUT(&b, 2, AMQP_BASIC_GET, basic_get, .queue = Q, .no_ack = true);
	turn();
	turn();
	CU_ASSERT_EQUAL(b.n_gets, 0);
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_gets, 1);
	b_takes();
	check_order(HELD - 1);
	end();
}

UNIT_MAIN("settling", UNIT_TEST(a_channel_ends_in_steps),
	  UNIT_TEST(what_is_behind_a_close_is_published),
	  UNIT_TEST(very_much_may_be_behind_a_close), UNIT_TEST(a_connection_ends_in_steps),
	  UNIT_TEST(a_lost_connection_ends_in_steps), UNIT_TEST(an_error_is_told_when_all_is_back),
	  UNIT_TEST(a_close_that_crosses_an_error_is_answered_behind_it),
	  UNIT_TEST(recover_goes_in_steps), UNIT_TEST(recover_is_no_part_of_a_transaction),
	  UNIT_TEST(what_is_nacked_comes_in_order), UNIT_TEST(acks_are_done_before_the_close),
	  UNIT_TEST(acks_are_done_when_the_client_has_gone),
	  UNIT_TEST(what_a_transaction_has_not_committed_is_back), UNIT_TEST(a_get_waits))
