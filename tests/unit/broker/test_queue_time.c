/* SPDX-License-Identifier: MIT */
#include "broker/queue/queue.h"

#include "queue_case.h"

/* ---- Time ---- */

static void ttl_zero_is_now_or_never(void)
{
	struct queue_options options = fixture_options();

	options.message_ttl_ms = 0;
	setup_with(options);
	publish(2);
	turn();
	CU_ASSERT_TRUE(queue_is_empty(queue));
	publish(1);
	CU_ASSERT_EQUAL(count_ready(), 0);
	CU_ASSERT_EQUAL(consume(&ep, 1, 1), 0);
	publish(2);
	queue_refresh(queue); /* in the same turn, as if it had come from the network */
	ASSERT_GOT(&ep, "4");
	settle(&ep, 1, QUEUE_ACK, 4);
	turn();
	ASSERT_GOT(&ep, ""); /* 5 found nobody */
	teardown();
}

/* Not before its time; when after it, is the machine's business. */
static void expires_after(uint64_t ms, uint64_t begin_ms)
{
	WAIT_FOR(queue_is_empty(queue));
	CU_ASSERT_TRUE(clock_monotonic_ms() >= begin_ms + ms);
}

static void the_shorter_ttl_counts(void)
{
	struct queue_options options = fixture_options();
	uint64_t begin_ms;

	options.message_ttl_ms = 20;
	setup_with(options);
	turn();
	begin_ms = clock_monotonic_ms();
	publish_expiring(3600000);
	turn();
	expires_after(20, begin_ms);
	teardown();

	options.message_ttl_ms = 3600000;
	setup_with(options);
	turn();
	begin_ms = clock_monotonic_ms();
	publish_expiring(20);
	turn();
	expires_after(20, begin_ms);
	teardown();
}

static void expiry_is_at_the_head_only(void)
{
	uint32_t ready;
	struct delivery d;

	setup();
	publish(1);
	publish_expiring(0);
	turn();
	CU_ASSERT_EQUAL(count_ready(), 2);
	d = get(true, &ready);
	CU_ASSERT_EQUAL(d.seq, 1);
	message_unref(d.message);
	turn();
	CU_ASSERT_EQUAL(count_ready(), 0);
	teardown();
}

static void expired_ones_are_not_delivered(void)
{
	struct queue_stats stats;

	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 1), 0);
	publish(1);
	publish_expiring(5);
	publish(1);
	turn();
	ASSERT_GOT(&ep, "1");
	WAIT_FOR((queue_stats(queue, &stats), stats.ready == 1));
	settle(&ep, 1, QUEUE_ACK, 1);
	turn();
	ASSERT_GOT(&ep, "3");
	teardown();
}

static void requeued_ones_keep_their_time(void)
{
	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 1), 0);
	publish_expiring(10);
	turn();
	ASSERT_GOT(&ep, "1");
	cancel(&ep, 1);
	uint64_t until = clock_monotonic_ms() + 30;
	while (clock_monotonic_ms() < until)
		turn();
	settle(&ep, 1, QUEUE_REQUEUE, 1);
	turn();
	CU_ASSERT_TRUE(queue_is_empty(queue));
	teardown();
}

static void a_ttl_that_long_is_none(void)
{
	setup();
	publish_expiring(UINT64_MAX - 1);
	turn();
	CU_ASSERT_FALSE(queue_is_empty(queue));
	teardown();
}

static void an_unused_queue_expires(void)
{
	struct queue_options options = fixture_options();

	options.expires_ms = 20;
	setup_with(options);
	publish(1);
	WAIT_FOR(n_expired == 1);
	CU_ASSERT_PTR_NULL(queue);
	turn();
	CU_ASSERT_EQUAL(n_expired, 1);
	teardown();
}

static void turn_until(uint64_t end_ms)
{
	while (clock_monotonic_ms() < end_ms)
		turn();
}

/*
 * Get and touch begin anew. False if that could not be seen, as the machine held us up for so long that
 * it may have expired.
 */
static bool uses_keep_it(uint64_t expires_ms)
{
	uint32_t ready;

	for (int i = 0; i < 5; i++) {
		uint64_t used_ms = clock_monotonic_ms();

		if (i == 0)
			cancel(&ep, 1);
		else if (i % 2 == 0)
			(void)get(true, &ready);
		else
			(void)count_ready();
		turn_until(used_ms + 250);
		if (clock_monotonic_ms() >= used_ms + expires_ms)
			return false;
		CU_ASSERT_EQUAL_FATAL(n_expired, 0);
	}
	WAIT_FOR(n_expired == 1);
	return true;
}

static void a_used_queue_does_not_expire(void)
{
	struct queue_options options = fixture_options();
	bool is_seen;

	options.expires_ms = 1000;
	do {
		setup_with(options);
		CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
		turn_until(clock_monotonic_ms() + 1200);
		CU_ASSERT_EQUAL_FATAL(n_expired, 0);
		is_seen = uses_keep_it(options.expires_ms);
		if (!is_seen && queue != NULL)
			(void)destroy_queue();
		teardown();
	} while (!is_seen); /* the next time it does not */
}

static void auto_delete_after_the_last_consumer(void)
{
	struct queue_options options = fixture_options();

	options.auto_delete = true;
	setup_with(options);
	publish(1);
	turn();
	CU_ASSERT_EQUAL(n_expired, 0); /* it never had one */
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	CU_ASSERT_EQUAL(consume(&ep, 2, 0), 0);
	cancel(&ep, 1);
	turn();
	CU_ASSERT_EQUAL(n_expired, 0);
	cancel(&ep, 2);
	turn();
	CU_ASSERT_EQUAL(n_expired, 1);
	teardown();
}

UNIT_MAIN("queue_time", UNIT_TEST(ttl_zero_is_now_or_never), UNIT_TEST(the_shorter_ttl_counts),
	  UNIT_TEST(expiry_is_at_the_head_only), UNIT_TEST(expired_ones_are_not_delivered),
	  UNIT_TEST(requeued_ones_keep_their_time), UNIT_TEST(a_ttl_that_long_is_none),
	  UNIT_TEST(an_unused_queue_expires), UNIT_TEST(a_used_queue_does_not_expire),
	  UNIT_TEST(auto_delete_after_the_last_consumer))
