/* SPDX-License-Identifier: MIT */
#include "broker/queue/queue.h"

#include "loop/budget.h"
#include "loop/lag.h"
#include "loop/mailbox.h"
#include "queue_case.h"

/* What several consumers of a busy queue get, and what a turn hands out. */

static void settle_all(struct fake_endpoint *fake)
{
	for (size_t i = 0; i < fake->n_deliveries; i++)
		settle(fake, fake->deliveries[i].consumer, QUEUE_ACK,
		       fake->deliveries[i].delivery.seq);
	fake_endpoint_forget(fake);
}

static void auto_ack_gets_equal_shares(void)
{
	struct queue_request r = {.consume = {.no_ack = true}}, s = r;

	setup();
	CU_ASSERT_EQUAL(consume_with(&r, &ep, 1), 0);
	CU_ASSERT_EQUAL(consume_with(&s, &other, 1), 0);
	publish(3000);
	turn();
	CU_ASSERT_EQUAL(ep.n_deliveries, 1500);
	CU_ASSERT_EQUAL(other.n_deliveries, 1500);
	teardown();
}

/* Whoever acknowledges first in a turn. */
static void equal_prefetches_get_equal_shares(void)
{
	size_t n = 0, n_other = 0;

	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 10), 0);
	CU_ASSERT_EQUAL(consume(&other, 1, 10), 0);
	publish(2000);
	for (unsigned turns = 0; turns < 50; turns++) {
		turn();
		n += ep.n_deliveries;
		n_other += other.n_deliveries;
		settle_all(&ep);
		settle_all(&other);
	}
	CU_ASSERT_EQUAL(n, 500);
	CU_ASSERT_EQUAL(n_other, 500);
	teardown();
}

/* Its credit comes back only as bytes are written. */
static void one_that_does_not_read_gets_little_and_others_the_rest(void)
{
	const uint32_t size = 100 * 1024;
	struct queue_request r = {.consume = {.no_ack = true}}, s = r;
	size_t n = 0, n_other = 0;

	setup();
	CU_ASSERT_EQUAL(consume_with(&r, &ep, 1), 0);
	CU_ASSERT_EQUAL(consume_with(&s, &other, 1), 0);
	for (unsigned i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(publish_message(make_message(size), 1), QUEUE_ACCEPTED);
		turn();
		for (size_t d = 0; d < ep.n_deliveries; d++)
			queue_credit(ref, ep.endpoint.ref, 1,
				     queue_delivery_bytes(ep.deliveries[d].delivery.message));
		n += ep.n_deliveries;
		fake_endpoint_forget(&ep);
		n_other = other.n_deliveries;
	}
	CU_ASSERT_TRUE(n_other > 0);
	CU_ASSERT_TRUE(n_other * size <= CONSUMER_CREDIT_BYTES);
	CU_ASSERT_EQUAL(n + n_other, 100);
	CU_ASSERT_TRUE(queue_is_empty(queue));
	teardown();
}

/* ---- The turn ---- */

static void spend_all(struct letter *letter)
{
	(void)letter;
	loop_spend(LOOP_DELIVER_UNITS);
}

/* So that many queues with a backlog do not make a turn longer, each by another burst. */
static void turn_that_has_had_enough_hands_out_no_more_full_bursts(void)
{
	struct letter letter = {.deliver = spend_all};
	size_t before;

	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	publish(2000);
	loop_post(0, &letter);
	turn();
	before = ep.n_deliveries;
	CU_ASSERT_TRUE(before > 0 && before < 1000); /* one burst: it was its turn */
	loop_post(0, &letter);
	turn();
	CU_ASSERT_EQUAL(ep.n_deliveries, before);
	turn();
	CU_ASSERT_EQUAL(ep.n_deliveries, 2000);
	teardown();
}

static size_t feeds(void)
{
	size_t before = loop_lag_count_fed();

	publish(1);
	return loop_lag_count_fed() - before;
}

/* Only of a queue with a backlog of which a consumer acknowledges: loop/lag.h. */
static void deliveries_lag_while_acknowledged_with_a_backlog(void)
{
	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 10), 0);
	publish(10);
	turn();
	settle_all(&ep);
	CU_ASSERT_EQUAL(feeds(), 0); /* it was empty */
	publish(20);
	turn();
	CU_ASSERT_EQUAL(feeds(), 0); /* nothing was acknowledged since */
	settle_all(&ep);
	CU_ASSERT_EQUAL(feeds(), 1);
	turn();
	settle_all(&ep);
	turn();
	settle_all(&ep);
	turn();
	CU_ASSERT_TRUE(queue_is_empty(queue));
	CU_ASSERT_EQUAL(feeds(), 0);
	teardown();
}

UNIT_MAIN("queue_shares", UNIT_TEST(deliveries_lag_while_acknowledged_with_a_backlog),
	  UNIT_TEST(auto_ack_gets_equal_shares), UNIT_TEST(equal_prefetches_get_equal_shares),
	  UNIT_TEST(one_that_does_not_read_gets_little_and_others_the_rest),
	  UNIT_TEST(turn_that_has_had_enough_hands_out_no_more_full_bursts))
