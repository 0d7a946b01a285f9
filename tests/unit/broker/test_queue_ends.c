/* SPDX-License-Identifier: MIT */
#include "broker/queue/queue.h"

#include "queue_case.h"

/* ---- Channel-wide prefetch ---- */

static void grants_are_wanted_used_and_returned(void)
{
	struct queue_request r = {.consume = {.needs_grants = true}};

	setup();
	CU_ASSERT_EQUAL(consume_with(&r, &ep, 1), 0);
	turn();
	CU_ASSERT_EQUAL(ep.n_wants, 0); /* nothing to deliver */
	publish(3);
	turn();
	CU_ASSERT_EQUAL(ep.n_wants, 1);
	publish(1);
	turn();
	CU_ASSERT_EQUAL(ep.n_wants, 1); /* once until the grant */
	queue_grant(ref, ep.endpoint.ref, 1, 2);
	turn();
	ASSERT_GOT(&ep, "1 2");
	CU_ASSERT_EQUAL(ep.n_wants, 2);
	queue_grant(ref, ep.endpoint.ref, 1, 5);
	turn();
	ASSERT_GOT(&ep, "3 4");
	CU_ASSERT_EQUAL(ep.n_returned, 3); /* the queue is empty */
	publish(1);
	turn();
	CU_ASSERT_EQUAL(ep.n_wants, 3);
	cancel(&ep, 1);
	queue_grant(ref, ep.endpoint.ref, 1, 1); /* came too late */
	CU_ASSERT_EQUAL(ep.n_returned, 4);
	teardown();
}

static void cancel_returns_grants(void)
{
	struct queue_request r = {.consume = {.needs_grants = true, .prefetch = 1}};

	setup();
	CU_ASSERT_EQUAL(consume_with(&r, &ep, 1), 0);
	publish(3);
	turn();
	queue_grant(ref, ep.endpoint.ref, 1, 3);
	turn();
	ASSERT_GOT(&ep, "1");
	CU_ASSERT_EQUAL(ep.n_returned, 2); /* its own prefetch is full */
	CU_ASSERT_EQUAL(ep.n_wants, 1);
	settle(&ep, 1, QUEUE_ACK, 1);
	turn();
	CU_ASSERT_EQUAL(ep.n_wants, 2);
	queue_grant(ref, ep.endpoint.ref, 1, 1);
	cancel(&ep, 1);
	ASSERT_GOT(&ep, "2"); /* deliveries due come before the cancel */
	CU_ASSERT_EQUAL(ep.n_returned, 2);
	teardown();
}

/* ---- Ends ---- */

static void consumers_hear_that_the_queue_is_gone(void)
{
	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 1), 0);
	CU_ASSERT_EQUAL(consume(&other, 9, 1), 0);
	publish(5);
	turn();
	CU_ASSERT_EQUAL(destroy_queue(), 3);
	CU_ASSERT_EQUAL(ep.n_cancelled, 1);
	CU_ASSERT_EQUAL(ep.last_cancelled, 1);
	CU_ASSERT_EQUAL(other.last_cancelled, 9);
	settle(&ep, 1, QUEUE_REQUEUE, 1);
	turn();
	CU_ASSERT_PTR_NULL(slots_get(ref));
	teardown();
}

static void an_endpoint_that_is_gone_gives_all_back(void)
{
	static struct fake_endpoint gone;

	setup();
	fake_endpoint_begin(&gone);
	CU_ASSERT_EQUAL(consume(&gone, 1, 0), 0);
	fake_endpoint_end(&gone);
	publish(3);
	turn();
	CU_ASSERT_FALSE(queue_has_consumers(queue));
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	turn();
	ASSERT_GOT(&ep, "1 2 3");
	teardown();
}

static void ack_inside_deliver(struct fake_endpoint *fake, uint32_t consumer)
{
	settle(fake, consumer, QUEUE_ACK, fake->deliveries[fake->n_deliveries - 1].delivery.seq);
}

static void cancel_inside_deliver(struct fake_endpoint *fake, uint32_t consumer)
{
	fake->on_deliver = NULL;
	cancel(fake, consumer);
	cancel(&other, 1);
}

static void destroy_inside_deliver(struct fake_endpoint *fake, uint32_t consumer)
{
	(void)consumer;
	fake->on_deliver = NULL;
	(void)destroy_queue();
}

static void settled_inside_deliver(void)
{
	setup();
	ep.on_deliver = ack_inside_deliver;
	CU_ASSERT_EQUAL(consume(&ep, 1, 1), 0);
	publish(5);
	turn();
	ASSERT_GOT(&ep, "1 2 3 4 5");
	teardown();
}

static void cancelled_inside_deliver(void)
{
	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	CU_ASSERT_EQUAL(consume(&other, 1, 0), 0);
	ep.on_deliver = cancel_inside_deliver;
	publish(4);
	turn();
	ASSERT_GOT(&ep, "1 3");
	ASSERT_GOT(&other, "2 4"); /* before its cancel was answered */
	CU_ASSERT_FALSE(queue_has_consumers(queue));
	teardown();
}

static void destroyed_inside_deliver(void)
{
	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	CU_ASSERT_EQUAL(consume(&other, 1, 0), 0);
	ep.on_deliver = destroy_inside_deliver;
	publish(4);
	turn();
	ASSERT_GOT(&ep, "1 3");
	CU_ASSERT_EQUAL(other.n_deliveries, 0);
	CU_ASSERT_EQUAL(other.n_cancelled, 1);
	teardown();
}

/* ---- The log ---- */

static uint64_t n_in_log(void)
{
	struct store_log_stats stats;

	store_log_stats(store_log_of(fixture_broker.store, 0), &stats);
	return stats.live_messages;
}

static void persistent_in_durable_is_pending(void)
{
	struct queue_options options = fixture_options();

	options.durable = true;
	setup_with(options);
	publish(1); /* transient: at once */
	CU_ASSERT_EQUAL(publish_persistent(7), QUEUE_PENDING);
	CU_ASSERT_EQUAL(publish_persistent(0), QUEUE_ACCEPTED); /* nobody asks */
	WAIT_FOR(ep.n_outcomes == 1);
	CU_ASSERT_EQUAL(ep.outcomes[0].seq, 7);
	CU_ASSERT_FALSE(ep.outcomes[0].rejected);
	CU_ASSERT_EQUAL(n_in_log(), 2);

	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	turn();
	settle(&ep, 1, QUEUE_ACK, 2);
	turn();
	CU_ASSERT_EQUAL(n_in_log(), 2); /* lazily */
	WAIT_FOR(n_in_log() == 1);
	(void)destroy_queue();
	WAIT_FOR(n_in_log() == 0);
	teardown();
}

static void persistent_in_transient_is_not_logged(void)
{
	setup();
	CU_ASSERT_EQUAL(publish_persistent(7), QUEUE_ACCEPTED);
	teardown();
}

static void delivered_and_done_in_its_turn_is_confirmed(void)
{
	struct queue_options options = fixture_options();
	struct queue_request r = {.consume = {.no_ack = true}};

	options.durable = true;
	setup_with(options);
	CU_ASSERT_EQUAL(publish_persistent(1), QUEUE_PENDING); /* so that the log is led */
	WAIT_FOR(ep.n_outcomes == 1);
	CU_ASSERT_EQUAL(consume_with(&r, &ep, 1), 0);
	WAIT_FOR(n_in_log() == 0);
	for (uint64_t seq = 2; seq < 10; seq++)
		CU_ASSERT_EQUAL(publish_persistent(seq), QUEUE_PENDING);
	turn();
	CU_ASSERT_EQUAL(ep.n_outcomes, 9);
	CU_ASSERT_EQUAL(n_in_log(), 0);
	teardown();
}

static void destroyed_with_publishes_under_way(void)
{
	struct queue_options options = fixture_options();

	options.durable = true;
	setup_with(options);
	CU_ASSERT_EQUAL(publish_persistent(1), QUEUE_PENDING);
	CU_ASSERT_EQUAL(publish_persistent(2), QUEUE_PENDING);
	(void)destroy_queue();
	WAIT_FOR(ep.n_outcomes == 2);
	CU_ASSERT_FALSE(ep.outcomes[0].rejected);
	CU_ASSERT_FALSE(ep.outcomes[1].rejected);
	teardown();
}

UNIT_MAIN("queue_ends", UNIT_TEST(grants_are_wanted_used_and_returned),
	  UNIT_TEST(cancel_returns_grants), UNIT_TEST(consumers_hear_that_the_queue_is_gone),
	  UNIT_TEST(an_endpoint_that_is_gone_gives_all_back), UNIT_TEST(settled_inside_deliver),
	  UNIT_TEST(cancelled_inside_deliver), UNIT_TEST(destroyed_inside_deliver),
	  UNIT_TEST(persistent_in_durable_is_pending),
	  UNIT_TEST(persistent_in_transient_is_not_logged),
	  UNIT_TEST(delivered_and_done_in_its_turn_is_confirmed),
	  UNIT_TEST(destroyed_with_publishes_under_way))
