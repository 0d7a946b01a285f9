/* SPDX-License-Identifier: MIT */
#include "broker/restore/restore.h"

#include "../unit.h"
#include "restore_fixture.h"

/* ---- Messages ---- */

static void messages_in_order(unsigned loops)
{
	begin(loops);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_declare("r", DURABLE), 0);
	for (char c = 'a'; c <= 'h'; c++) {
		char body[2] = {c, '\0'};

		CU_ASSERT_EQUAL(publish("", "q", body), 0);
		CU_ASSERT_EQUAL(publish("", c % 2 == 0 ? "r" : "q", body), 0);
	}
	CU_ASSERT_STRING_EQUAL(get("q"), "a");
	CU_ASSERT_STRING_EQUAL(get_and("r", QUEUE_REQUEUE), "b");
	restart();
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(asked.request.message_count, 11);
	CU_ASSERT_EQUAL(publish("", "q", "new"), 0);
	ASSERT_DRAINED("q", "a b c c d e e f g g h new");
	CU_ASSERT_STRING_EQUAL(get("r"), "b'");
	restart();
	ASSERT_DRAINED("q", "");
	ASSERT_DRAINED("r", "d f h");
	CU_ASSERT_EQUAL(publish("", "q", "newer"), 0); /* its number was never there before */
	restart();
	ASSERT_DRAINED("q", "newer");
	end();
}

static void messages_of_one_loop(void)
{
	messages_in_order(1);
}

static void messages_of_three_loops(void)
{
	messages_in_order(3);
}

static void marked_after_an_unclean_end(void)
{
	begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(publish("", "q", "a"), 0);
	CU_ASSERT_EQUAL(publish("", "q", "b"), 0);
	is_unclean = true;
	restart();
	CU_ASSERT_EQUAL(publish("", "q", "c"), 0);
	ASSERT_DRAINED("q", "a' b' c");
	end();
}

/* How often it came back still counts. */
static void delivery_limit(void)
{
	begin(1);
	CU_ASSERT_EQUAL(queue_declare_with("q", DURABLE,
					   SLICE_LITERAL("\x10x-delivery-limitI\0\0\0\2"
							 "\x0cx-queue-typeS\0\0\0\6quorum")),
			0);
	CU_ASSERT_EQUAL(publish("", "q", "a"), 0);
	CU_ASSERT_STRING_EQUAL(get_and("q", QUEUE_REQUEUE), "a");
	CU_ASSERT_STRING_EQUAL(get_and("q", QUEUE_REQUEUE), "a'");
	restart();
	CU_ASSERT_STRING_EQUAL(get_and("q", QUEUE_REQUEUE), "a'");
	ASSERT_DRAINED("q", "");
	end();
}

struct publishing {
	struct actor_ref queue;
	struct message *message;
};

static void publish_here(void *arg)
{
	struct publishing *p = arg;

	(void)queue_publish_take(slots_get(p->queue), p->message, ACTOR_REF_NONE, 0);
}

static void publish_expiring(const char *queue, const char *body, uint64_t expiration_ms)
{
	struct publishing p = {.queue = find(queue),
			       .message = make("", queue, body, expiration_ms)};

	loop_pool_visit(p.queue.loop, publish_here, &p);
	turn();
}

static void noop(struct loop_timer *timer)
{
	(void)timer;
}

static void pass_ms(uint64_t ms)
{
	uint64_t until = loop_now_ms() + ms;
	struct loop_timer timer;

	loop_timer_init(&timer, noop);
	loop_timer_start_ms(&timer, ms);
	while (loop_now_ms() < until)
		loop_run_once(true);
	loop_timer_stop(&timer);
}

static void expiry(void)
{
	begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_declare("r", DURABLE), 0);
	publish_expiring("q", "a", 30);
	publish_expiring("q", "b", 3600 * 1000);
	publish_expiring("q", "c", UINT64_C(1) << 50); /* as good as never */
	publish_expiring("r", "d", 300);
	stop();
	pass_ms(40);
	CU_ASSERT_EQUAL_FATAL(start("/"), 0);
	CU_ASSERT_STRING_EQUAL(get_and("r", QUEUE_REQUEUE), "d");
	ASSERT_DRAINED("q", "b c"); /* a has expired while nobody ran */
	pass_ms(320);
	turn();
	ASSERT_DRAINED("r", "");
	end();
}

/* The time that nobody could use it does not count. */
static void queue_expiry(void)
{
	begin(1);
	CU_ASSERT_EQUAL(queue_declare_with("q", DURABLE, SLICE_LITERAL("\x09x-expiresI\0\0\0\xc8")),
			0);
	stop();
	pass_ms(210);
	CU_ASSERT_EQUAL_FATAL(start("/"), 0);
	CU_ASSERT_TRUE(has_queue("q"));
	for (int i = 0; i < 100 && has_queue("q"); i++)
		pass_ms(10);
	turn();
	CU_ASSERT_FALSE(has_queue("q"));
	CU_ASSERT_EQUAL(count_stored("queue/"), 0);
	end();
}

static void count_live(void *arg)
{
	struct store_log_stats stats;

	store_log_stats(store_log_of(store, loop_index(loop_self())), &stats);
	*(uint64_t *)arg += stats.live_messages;
}

static uint64_t live(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < n_loops; i++)
		loop_pool_visit(i, count_live, &n);
	return n;
}

/* Its definition went, and then the process died. */
static void messages_of_no_queue_go(void)
{
	begin(2);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_declare("r", DURABLE), 0);
	CU_ASSERT_EQUAL(publish("", "q", "a"), 0);
	CU_ASSERT_EQUAL(publish("", "q", "b"), 0);
	CU_ASSERT_EQUAL(publish("", "r", "c"), 0);
	put(SLICE_LITERAL("queue/%2F/q"), SLICE_EMPTY);
	CU_ASSERT_EQUAL(live(), 3);
	stop();
	CU_ASSERT_EQUAL_FATAL(start("/"), 0);
	CU_ASSERT_FALSE(has_queue("q"));
	stop(); /* the purge is appended, at the end at the latest */
	CU_ASSERT_EQUAL(live(), 1);
	CU_ASSERT_EQUAL_FATAL(start("/"), 0);
	ASSERT_DRAINED("r", "c");
	end();
}

static void deleted_queue_leaves_nothing(void)
{
	begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(publish("", "q", "a"), 0);
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 0);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	restart();
	CU_ASSERT_EQUAL(live(), 0);
	ASSERT_DRAINED("q", "");
	end();
}

/* What is no message stays in the log, and nothing else suffers. */
static void (*real_recover)(struct store_log *log, struct store_recovery *recovery);
static struct store_recovery spoiling;
static struct store_recovery *spoiled;

static void spoil_queue(struct store_recovery *recovery, uint64_t queue_id, uint64_t last_seq)
{
	(void)recovery;
	spoiled->queue(spoiled, queue_id, last_seq);
}

static void spoil_message(struct store_recovery *recovery, const struct store_recovered *message)
{
	struct store_recovered bad = *message;

	(void)recovery;
	spoiled->message(spoiled, message);
	spoiled->message(spoiled, message); /* twice */
	bad.seq += 100;			    /* beyond the last */
	spoiled->message(spoiled, &bad);
	bad.seq = message->seq + 1; /* 1 and 3 are there */
	bad.body.size = 5;
	spoiled->message(spoiled, &bad);
}

static void spoil_done(struct store_recovery *recovery, enum store_result result)
{
	(void)recovery;
	spoiled->done(spoiled, result);
}

static void spoil_recover(struct store_log *log, struct store_recovery *recovery)
{
	spoiled = recovery;
	spoiling = (struct store_recovery){
		.queue = spoil_queue, .message = spoil_message, .done = spoil_done};
	real_recover(log, &spoiling);
}

static void malformed_messages_are_left_out(void)
{
	begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(publish("", "q", "a"), 0);
	CU_ASSERT_EQUAL(publish("", "q", "b"), 0);
	CU_ASSERT_EQUAL(publish("", "q", "c"), 0);
	CU_ASSERT_EQUAL(publish("", "q", "d"), 0);
	CU_ASSERT_STRING_EQUAL(get("q"), "a");
	real_recover = store_ops.recover;
	store_ops.recover = spoil_recover;
	restart();
	store_ops.recover = real_recover;
	CU_ASSERT_EQUAL(live(), 3);
	ASSERT_DRAINED("q", "b c d");
	end();
}

static void fail_done(struct store_recovery *recovery, enum store_result result)
{
	(void)recovery;
	(void)result;
	spoiled->done(spoiled, STORE_ERROR);
}

static void fail_recover(struct store_log *log, struct store_recovery *recovery)
{
	spoiled = recovery;
	spoiling = (struct store_recovery){
		.queue = spoil_queue, .message = spoil_message, .done = fail_done};
	real_recover(log, &spoiling);
}

static void log_that_cannot_be_read(void)
{
	begin(2);
	real_recover = store_ops.recover;
	store_ops.recover = fail_recover;
	assert_fails("cannot bring back the messages: Input/output error");
	end();
}

/* A store that has been opened for another number of loops, and has not moved the messages. */
static void log_of_another_loop(void)
{
	begin(2);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(publish("", "q", "a"), 0);
	struct definition definition = definition_of_queue(entry_of("q"));
	uint8_t name[] = "q";

	definition.vhost = SLICE_LITERAL("/");
	definition.name = slice_make(name, 1);
	define(&definition);
	stop();
	struct store_log *first = store->logs[0];
	store->logs[0] = store->logs[1];
	store->logs[1] = first;
	for (unsigned i = 0; i < 2; i++)
		store->logs[i]->loop = i;
	CU_ASSERT_EQUAL(start("/"), -1);
	CU_ASSERT_STRING_EQUAL(reason, "cannot bring back the messages: Bad message");
	CU_ASSERT_EQUAL(live(), 1);
	end();
}

UNIT_MAIN("restore_messages", UNIT_TEST(messages_of_one_loop), UNIT_TEST(messages_of_three_loops),
	  UNIT_TEST(marked_after_an_unclean_end), UNIT_TEST(delivery_limit), UNIT_TEST(expiry),
	  UNIT_TEST(queue_expiry), UNIT_TEST(messages_of_no_queue_go),
	  UNIT_TEST(deleted_queue_leaves_nothing), UNIT_TEST(malformed_messages_are_left_out),
	  UNIT_TEST(log_that_cannot_be_read), UNIT_TEST(log_of_another_loop))
