/* SPDX-License-Identifier: MIT */
#include "broker/queue/queue.h"

#include "queue_case.h"

/* ---- Delivery ---- */

static void delivered_in_order_at_the_turns_end(void)
{
	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	publish(3);
	CU_ASSERT_EQUAL(ep.n_deliveries, 0);
	turn();
	CU_ASSERT_EQUAL(ep.n_calls, 1);
	ASSERT_GOT(&ep, "1 2 3");
	teardown();
}

static void what_was_there_before_the_consumer(void)
{
	setup();
	publish(3);
	turn();
	CU_ASSERT_FALSE(queue_is_empty(queue));
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	turn();
	ASSERT_GOT(&ep, "1 2 3");
	CU_ASSERT_TRUE(queue_is_empty(queue));
	teardown();
}

static void more_than_a_burst_keeps_its_order(void)
{
	struct queue_request r = {.consume = {.no_ack = true}};

	setup();
	publish(1000);
	CU_ASSERT_EQUAL(consume_with(&r, &ep, 1), 0);
	turn();
	CU_ASSERT_EQUAL_FATAL(ep.n_deliveries, 1000);
	for (size_t i = 0; i < 1000; i++)
		CU_ASSERT_EQUAL(ep.deliveries[i].delivery.seq, i + 1);
	teardown();
}

static void round_robin_message_by_message(void)
{
	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	CU_ASSERT_EQUAL(consume(&other, 1, 0), 0);
	publish(5);
	turn();
	CU_ASSERT_EQUAL(ep.n_calls, 1);
	ASSERT_GOT(&ep, "1 3 5");
	ASSERT_GOT(&other, "2 4");
	publish(1);
	turn();
	ASSERT_GOT(&other, "6");
	teardown();
}

static void priority_before_turn(void)
{
	struct queue_request high = {.consume = {.priority = 10, .prefetch = 2}};

	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	CU_ASSERT_EQUAL(consume_with(&high, &other, 1), 0);
	publish(4);
	turn();
	ASSERT_GOT(&other, "1 2");
	ASSERT_GOT(&ep, "3 4");
	settle(&other, 1, QUEUE_ACK, 1);
	publish(2);
	turn();
	ASSERT_GOT(&other, "5");
	ASSERT_GOT(&ep, "6");
	teardown();
}

static void prefetch_is_counted_by_the_queue(void)
{
	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 2), 0);
	publish(4);
	turn();
	ASSERT_GOT(&ep, "1 2");
	settle(&ep, 1, QUEUE_ACK, 2);
	settle(&ep, 1, QUEUE_ACK, 2); /* not known any more: counts nothing */
	turn();
	ASSERT_GOT(&ep, "3");
	settle(&ep, 1, QUEUE_DISCARD, 1);
	turn();
	ASSERT_GOT(&ep, "4");
	teardown();
}

static void byte_credit_limits_what_is_under_way(void)
{
	struct queue_request r = {.consume = {.no_ack = true}};
	uint64_t bytes = 0;

	setup();
	CU_ASSERT_EQUAL(consume_with(&r, &ep, 1), 0);
	for (int i = 0; i < 3; i++) {
		struct message *m = make_message(600000);

		bytes = queue_delivery_bytes(m);
		CU_ASSERT_EQUAL(publish_message(m, 1), QUEUE_ACCEPTED);
	}
	turn();
	ASSERT_GOT(&ep, "1");
	queue_credit(ref, ep.endpoint.ref, 1, bytes / 2);
	turn();
	ASSERT_GOT(&ep, "2"); /* 300 000 and 600 000 fit together */
	queue_credit(ref, ep.endpoint.ref, 1, 1000);
	turn();
	ASSERT_GOT(&ep, "");
	queue_credit(ref, ep.endpoint.ref, 1, bytes);
	turn();
	ASSERT_GOT(&ep, "3");
	teardown();
}

static void one_message_larger_than_the_credit_fits(void)
{
	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	CU_ASSERT_EQUAL(publish_message(make_message(3000000), 1), QUEUE_ACCEPTED);
	publish(1);
	turn();
	ASSERT_GOT(&ep, "1");
	queue_credit(ref, ep.endpoint.ref, 1, 3000000 + 2 + QUEUE_DELIVERY_OVERHEAD);
	turn();
	ASSERT_GOT(&ep, "2");
	teardown();
}

/* ---- Requeue ---- */

static void requeued_to_the_original_position(void)
{
	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 4), 0);
	publish(6);
	turn();
	ASSERT_GOT(&ep, "1 2 3 4");
	cancel(&ep, 1);
	settle(&ep, 1, QUEUE_REQUEUE, 3);
	settle(&ep, 1, QUEUE_REQUEUE, 1);
	settle(&ep, 1, QUEUE_ACK, 2);
	CU_ASSERT_EQUAL(consume(&other, 1, 0), 0);
	turn();
	ASSERT_GOT(&other, "1' 3' 5 6");
	settle(&ep, 1, QUEUE_REQUEUE, 4);
	turn();
	ASSERT_GOT(&other, "4'");
	teardown();
}

static void returned_undelivered_is_not_marked(void)
{
	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 1), 0);
	publish(1);
	turn();
	ASSERT_GOT(&ep, "1");
	settle(&ep, 1, QUEUE_RETURN, 1);
	turn();
	ASSERT_GOT(&ep, "1");
	settle(&ep, 1, QUEUE_REQUEUE, 1);
	turn();
	ASSERT_GOT(&ep, "1'");
	settle(&ep, 1, QUEUE_RETURN, 1);
	turn();
	ASSERT_GOT(&ep, "1'"); /* once marked, it stays so */
	teardown();
}

static void requeued_more_often_than_the_limit_is_dropped(void)
{
	struct queue_options options = fixture_options();

	options.delivery_limit = 2;
	setup_with(options);
	CU_ASSERT_EQUAL(consume(&ep, 1, 1), 0);
	publish(2);
	turn();
	ASSERT_GOT(&ep, "1");
	for (int i = 0; i < 2; i++) {
		settle(&ep, 1, QUEUE_REQUEUE, 1);
		turn();
		ASSERT_GOT(&ep, "1'");
	}
	settle(&ep, 1, QUEUE_REQUEUE, 1);
	turn();
	ASSERT_GOT(&ep, "2");
	teardown();
}

/* ---- Requests ---- */

static void get_takes_the_head(void)
{
	uint32_t ready = 99;
	struct delivery d;

	setup();
	d = get(false, &ready);
	CU_ASSERT_PTR_NULL(d.message);
	CU_ASSERT_EQUAL(ready, 0);
	publish(3);
	d = get(false, &ready);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d.message);
	CU_ASSERT_EQUAL(d.seq, 1);
	CU_ASSERT_EQUAL(ready, 2);
	CU_ASSERT_FALSE(d.redelivered);
	message_unref(d.message);
	settle(&ep, QUEUE_NO_CONSUMER, QUEUE_REQUEUE, 1);
	d = get(true, &ready);
	CU_ASSERT_EQUAL(d.seq, 1);
	CU_ASSERT_TRUE(d.redelivered);
	message_unref(d.message);
	settle(&ep, QUEUE_NO_CONSUMER, QUEUE_REQUEUE, 1); /* it was no_ack: gone */
	CU_ASSERT_EQUAL(count_ready(), 2);
	teardown();
}

static void requests_see_what_was_delivered(void)
{
	struct queue_request r = {.connection = 1};

	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	publish(3);
	CU_ASSERT_EQUAL(count_ready(), 0);
	ASSERT_GOT(&ep, "1 2 3");
	publish(1);
	submit(&r, QUEUE_PURGE, &ep);
	CU_ASSERT_EQUAL(r.message_count, 0);
	ASSERT_GOT(&ep, "4");
	teardown();
}

static void purge_leaves_unacknowledged_ones(void)
{
	struct queue_request r = {.connection = 1};

	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 2), 0);
	publish(5);
	turn();
	ASSERT_GOT(&ep, "1 2");
	submit(&r, QUEUE_PURGE, &ep);
	CU_ASSERT_EQUAL(r.error.code, 0);
	CU_ASSERT_EQUAL(r.message_count, 3);
	CU_ASSERT_TRUE(queue_is_empty(queue));
	settle(&ep, 1, QUEUE_REQUEUE, 1);
	publish(1);
	turn();
	ASSERT_GOT(&ep, "1'");
	settle(&ep, 1, QUEUE_ACK, 2);
	turn();
	ASSERT_GOT(&ep, "6");
	teardown();
}

static void cancel_answers_after_the_last_delivery(void)
{
	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	publish(2);
	cancel(&ep, 1);
	ASSERT_GOT(&ep, "1 2");
	publish(1);
	turn();
	ASSERT_GOT(&ep, "");
	settle(&ep, 1, QUEUE_REQUEUE, 2); /* unsettled ones stay unsettled until they are settled */
	CU_ASSERT_EQUAL(count_ready(), 2);
	cancel(&ep, 1); /* unknown: fine */
	teardown();
}

static void exclusive_consumers(void)
{
	struct queue_request first = {.consume = {.exclusive = true}};
	struct queue_request second = {.connection = 1};

	setup();
	CU_ASSERT_EQUAL(consume_with(&first, &ep, 1), 0);
	CU_ASSERT_EQUAL(consume_with(&second, &ep, 2), AMQP_ACCESS_REFUSED);
	CU_ASSERT_STRING_EQUAL(second.error.text,
			       "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use");
	cancel(&ep, 1);
	CU_ASSERT_EQUAL(consume(&ep, 2, 0), 0);
	first.error.code = 0;
	CU_ASSERT_EQUAL(consume_with(&first, &ep, 3), AMQP_ACCESS_REFUSED);
	CU_ASSERT_STRING_EQUAL(first.error.text,
			       "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use");
	teardown();
}

static void consuming_without_memory_is_refused(void)
{
	struct queue_request r = {.connection = 1};

	setup();
	mem_fault_after(1);
	CU_ASSERT_EQUAL(consume_with(&r, &ep, 1), AMQP_RESOURCE_ERROR);
	mem_fault_after(-1);
	CU_ASSERT_FALSE(queue_has_consumers(queue));
	teardown();
}

static void exclusive_queues_are_their_connections(void)
{
	static const enum queue_operation operations[] = {QUEUE_CONSUME, QUEUE_GET, QUEUE_PURGE,
							  QUEUE_TOUCH};
	struct queue_options options = fixture_options();

	options.owner = 7;
	setup_with(options);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		struct queue_request r = {.connection = 8};

		if (operations[i] == QUEUE_CONSUME)
			r.consume.consumer = 1;
		submit(&r, operations[i], &ep);
		CU_ASSERT_EQUAL(r.error.code, AMQP_RESOURCE_LOCKED);
		CU_ASSERT_STRING_EQUAL(r.error.text,
				       "RESOURCE_LOCKED - cannot obtain exclusive access to locked "
				       "queue 'q' in vhost '/'. It could be "
				       "originally declared on another connection or the exclusive "
				       "property value does not match that "
				       "of the original declaration.");
	}
	struct queue_request own = {.connection = 7};
	submit(&own, QUEUE_TOUCH, &ep);
	CU_ASSERT_EQUAL(own.error.code, 0);
	teardown();
}

static void a_queue_that_is_gone_is_not_found(void)
{
	static const enum queue_operation operations[] = {QUEUE_CONSUME, QUEUE_GET, QUEUE_PURGE,
							  QUEUE_TOUCH};

	setup();
	(void)destroy_queue();
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		struct queue_request r = {.connection = 1};

		submit(&r, operations[i], &ep);
		CU_ASSERT_EQUAL(r.error.code, AMQP_NOT_FOUND);
		CU_ASSERT_STRING_EQUAL(r.error.text, "NOT_FOUND - no queue 'q' in vhost '/'");
	}
	cancel(&ep, 1);
	settle(&ep, 1, QUEUE_ACK, 1);
	queue_credit(ref, ep.endpoint.ref, 1, 1);
	teardown();
}

/* ---- Looking ---- */

static void count_visit(void *context, const struct queue_consumer_info *info)
{
	unsigned *n = context;

	CU_ASSERT_STRING_EQUAL(info->tag, "tag");
	CU_ASSERT_EQUAL(info->prefetch, *n == 1 ? 5 : 0);
	CU_ASSERT_EQUAL(info->priority, *n == 1 ? 3 : 0);
	++*n;
}

static void queue_visit(void *context, struct queue *q)
{
	CU_ASSERT_PTR_EQUAL(q, queue);
	++*(unsigned *)context;
}

static void looks(void)
{
	struct queue_request r = {.consume = {.priority = 3, .prefetch = 5}};
	struct queue_consumer_cursor cursor = {0};
	struct queue_stats stats;
	unsigned n = 0;

	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	CU_ASSERT_EQUAL(consume_with(&r, &other, 1), 0);
	CU_ASSERT_FALSE(queue_list_consumers(queue, &cursor, 2, count_visit, &n));
	CU_ASSERT_EQUAL(n, 2);
	n = 0;
	cursor = (struct queue_consumer_cursor){0};
	CU_ASSERT_TRUE(queue_list_consumers(queue, &cursor, 1, count_visit, &n));
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT_FALSE(queue_list_consumers(queue, &cursor, 1, count_visit, &n));
	CU_ASSERT_EQUAL(n, 2);
	cancel(&ep, 1);
	publish(7);
	queue_refresh(queue);
	queue_stats(queue, &stats);
	CU_ASSERT_EQUAL(stats.ready, 2);
	CU_ASSERT_EQUAL(stats.unacknowledged, 5);
	CU_ASSERT_EQUAL(stats.consumers, 1);
	CU_ASSERT_EQUAL(stats.body_bytes, 70);
	CU_ASSERT(stats.memory_bytes > 70);
	n = 0;
	queue_for_each(&fixture_broker, queue_visit, &n);
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT_PTR_EQUAL(queue_entry_of(queue), &fixture_entry);
	teardown();
}

UNIT_MAIN("queue", UNIT_TEST(delivered_in_order_at_the_turns_end),
	  UNIT_TEST(what_was_there_before_the_consumer),
	  UNIT_TEST(more_than_a_burst_keeps_its_order), UNIT_TEST(round_robin_message_by_message),
	  UNIT_TEST(priority_before_turn), UNIT_TEST(prefetch_is_counted_by_the_queue),
	  UNIT_TEST(byte_credit_limits_what_is_under_way),
	  UNIT_TEST(one_message_larger_than_the_credit_fits),
	  UNIT_TEST(requeued_to_the_original_position),
	  UNIT_TEST(returned_undelivered_is_not_marked),
	  UNIT_TEST(requeued_more_often_than_the_limit_is_dropped), UNIT_TEST(get_takes_the_head),
	  UNIT_TEST(requests_see_what_was_delivered), UNIT_TEST(purge_leaves_unacknowledged_ones),
	  UNIT_TEST(cancel_answers_after_the_last_delivery), UNIT_TEST(exclusive_consumers),
	  UNIT_TEST(consuming_without_memory_is_refused),
	  UNIT_TEST(exclusive_queues_are_their_connections),
	  UNIT_TEST(a_queue_that_is_gone_is_not_found), UNIT_TEST(looks))
