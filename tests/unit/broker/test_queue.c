/* SPDX-License-Identifier: MIT */
#include "broker/queue.h"

#include <string.h>

#include "../unit.h"
#include "base/account.h"
#include "base/clock.h"
#include "broker/consumer.h"
#include "broker/declare.h"
#include "fake_endpoint.h"
#include "queue_fixture.h"

#define LIMIT_MS 5000u

static struct queue *queue; /* NULL: destroyed */
static struct actor_ref ref;
static struct fake_endpoint ep, other;
static unsigned n_expired;
static uint64_t account_before;

static uint64_t destroy_queue(void)
{
	struct queue *q = queue;

	queue = NULL;
	return queue_destroy(q);
}

void declare_queue_expire(struct broker *broker, struct queue_entry *entry)
{
	CU_ASSERT_PTR_EQUAL(broker, &fixture_broker);
	CU_ASSERT_PTR_EQUAL(entry, &fixture_entry);
	n_expired++;
	(void)destroy_queue();
}

static void setup_with(struct queue_options options)
{
	account_before = account_total();
	fixture_begin(1);
	n_expired = 0;
	queue = queue_create(&fixture_broker, &fixture_entry, 42, &options);
	ref = queue_ref(queue);
	fake_endpoint_begin(&ep);
	fake_endpoint_begin(&other);
}

static void setup(void)
{
	setup_with(fixture_options());
}

static void teardown(void)
{
	fake_endpoint_end(&ep);
	fake_endpoint_end(&other);
	fixture_end();
	CU_ASSERT_EQUAL(account_total(), account_before);
}

static void turn(void)
{
	loop_run_once(false);
}

static void out_of_patience(struct loop_timer *timer)
{
	(void)timer;
}

/* Until it holds, or the limit; the timer only ends a poll. */
#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		struct loop_timer patience_;                                                       \
		loop_timer_init(&patience_, out_of_patience);                                      \
		loop_timer_start_ms(&patience_, LIMIT_MS);                                         \
		while (!(condition) && loop_timer_is_armed(&patience_))                            \
			loop_run_once(true);                                                       \
		loop_timer_stop(&patience_);                                                       \
		CU_ASSERT(condition);                                                              \
	} while (0)

static struct message *make_message(uint32_t size)
{
	struct message *m =
		message_create(SLICE_EMPTY, SLICE_LITERAL("q"), slice_make("\0\0", 2), size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	memset(message_body_bytes(m), 'x', size);
	return m;
}

static enum queue_publish_result publish_message(struct message *m, uint64_t publisher_seq)
{
	enum queue_publish_result result = queue_publish(queue, m, ep.endpoint.ref, publisher_seq);

	message_unref(m);
	return result;
}

static void publish(unsigned n)
{
	while (n-- > 0)
		CU_ASSERT_EQUAL(publish_message(make_message(10), 1), QUEUE_ACCEPTED);
}

static void publish_expiring(uint64_t expiration_ms)
{
	struct message *m = make_message(10);

	m->expiration_ms = expiration_ms;
	CU_ASSERT_EQUAL(publish_message(m, 1), QUEUE_ACCEPTED);
}

static enum queue_publish_result publish_persistent(uint64_t publisher_seq)
{
	struct message *m = make_message(10);

	m->persistent = true;
	return publish_message(m, publisher_seq);
}

/* ---- Requests; here they are answered inside the call ---- */

static unsigned n_done;

static void request_done(struct queue_request *request)
{
	(void)request;
	n_done++;
}

static void submit(struct queue_request *r, enum queue_operation operation,
		   struct fake_endpoint *asker)
{
	r->operation = operation;
	r->queue = ref;
	r->asker = asker->endpoint.ref;
	r->connection = r->connection > 0 ? r->connection : 1;
	r->done = request_done;
	r->queue_name = SLICE_LITERAL("q");
	r->vhost_name = SLICE_LITERAL("/");
	n_done = 0;
	queue_request_submit(r);
	CU_ASSERT_EQUAL(n_done, 1);
}

/* Options are in `r->consume`; returns the reply code. */
static uint16_t consume_with(struct queue_request *r, struct fake_endpoint *asker, uint32_t number)
{
	r->consume.consumer = number;
	strcpy(r->consume.tag, "tag");
	submit(r, QUEUE_CONSUME, asker);
	return r->error.code;
}

static uint16_t consume(struct fake_endpoint *asker, uint32_t number, uint32_t prefetch)
{
	struct queue_request r = {.consume = {.prefetch = prefetch}};

	return consume_with(&r, asker, number);
}

static void cancel(struct fake_endpoint *asker, uint32_t number)
{
	struct queue_request r = {.cancel = {.consumer = number}};

	submit(&r, QUEUE_CANCEL, asker);
	CU_ASSERT_EQUAL(r.error.code, 0);
}

static struct delivery get(bool no_ack, uint32_t *ret_ready)
{
	struct queue_request r = {.get = {.no_ack = no_ack}};

	submit(&r, QUEUE_GET, &ep);
	CU_ASSERT_EQUAL(r.error.code, 0);
	*ret_ready = r.get.ready_count;
	return r.get.delivery;
}

static uint32_t count_ready(void)
{
	struct queue_request r = {.connection = 1};

	submit(&r, QUEUE_TOUCH, &ep);
	CU_ASSERT_EQUAL(r.error.code, 0);
	return r.message_count;
}

static void settle(struct fake_endpoint *from, uint32_t consumer, enum queue_outcome outcome,
		   uint64_t seq)
{
	queue_settle(ref, from->endpoint.ref, consumer, outcome, &seq, 1);
}

/*
 * What an endpoint has got since the last look: sequence numbers as digits, a "'" behind
 * redelivered ones.
 */
static const char *got(struct fake_endpoint *fake)
{
	static char text[512];
	size_t at = 0;

	for (size_t i = 0; i < fake->n_deliveries; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%llu%s", i > 0 ? " " : "",
				       (unsigned long long)fake->deliveries[i].delivery.seq,
				       fake->deliveries[i].delivery.redelivered ? "'" : "");
	text[at] = '\0';
	fake_endpoint_forget(fake);
	return text;
}

#define ASSERT_GOT(fake, text) CU_ASSERT_STRING_EQUAL(got(fake), text)

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

static void the_shorter_ttl_counts(void)
{
	struct queue_options options = fixture_options();

	options.message_ttl_ms = 20;
	setup_with(options);
	publish_expiring(3600000);
	turn();
	CU_ASSERT_FALSE(queue_is_empty(queue));
	WAIT_FOR(queue_is_empty(queue));
	teardown();

	options.message_ttl_ms = 3600000;
	setup_with(options);
	publish_expiring(20);
	turn();
	CU_ASSERT_FALSE(queue_is_empty(queue));
	WAIT_FOR(queue_is_empty(queue));
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

static void a_used_queue_does_not_expire(void)
{
	struct queue_options options = fixture_options();
	uint32_t ready;

	options.expires_ms = 1000; /* far above what a busy machine may hold us up */
	setup_with(options);
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	uint64_t until = clock_monotonic_ms() + 1200;
	while (clock_monotonic_ms() < until)
		turn();
	CU_ASSERT_EQUAL_FATAL(n_expired, 0);
	cancel(&ep, 1);
	for (int i = 0; i < 5; i++) { /* get and touch begin anew, publishing does not */
		until = clock_monotonic_ms() + 250;
		while (clock_monotonic_ms() < until)
			turn();
		CU_ASSERT_EQUAL_FATAL(n_expired, 0);
		if (i % 2 == 0)
			(void)get(true, &ready);
		else
			(void)count_ready();
	}
	WAIT_FOR(n_expired == 1);
	teardown();
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

static void persistent_in_durable_is_pending(void)
{
	struct queue_options options = fixture_options();
	struct store_log_stats stats;

	options.durable = true;
	setup_with(options);
	publish(1); /* transient: at once */
	CU_ASSERT_EQUAL(publish_persistent(7), QUEUE_PENDING);
	CU_ASSERT_EQUAL(publish_persistent(0), QUEUE_ACCEPTED); /* nobody asks */
	WAIT_FOR(ep.n_outcomes == 1);
	CU_ASSERT_EQUAL(ep.outcomes[0].seq, 7);
	CU_ASSERT_FALSE(ep.outcomes[0].rejected);
	store_log_stats(store_log_of(fixture_broker.store, 0), &stats);
	CU_ASSERT_EQUAL(stats.live_bodies, 2);

	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	turn();
	settle(&ep, 1, QUEUE_ACK, 2);
	turn();
	turn();
	store_log_stats(store_log_of(fixture_broker.store, 0), &stats);
	CU_ASSERT_EQUAL(stats.live_bodies, 1);
	(void)destroy_queue();
	turn();
	turn();
	store_log_stats(store_log_of(fixture_broker.store, 0), &stats);
	CU_ASSERT_EQUAL(stats.live_bodies, 0);
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
	struct store_log_stats stats;

	options.durable = true;
	setup_with(options);
	CU_ASSERT_EQUAL(publish_persistent(1), QUEUE_PENDING); /* so that the log is led */
	WAIT_FOR(ep.n_outcomes == 1);
	CU_ASSERT_EQUAL(consume_with(&r, &ep, 1), 0);
	turn();
	turn();
	for (uint64_t seq = 2; seq < 10; seq++)
		CU_ASSERT_EQUAL(publish_persistent(seq), QUEUE_PENDING);
	turn();
	CU_ASSERT_EQUAL(ep.n_outcomes, 9);
	store_log_stats(store_log_of(fixture_broker.store, 0), &stats);
	CU_ASSERT_EQUAL(stats.live_bodies, 0);
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

/* ---- Looking ---- */

static void count_visit(void *context, const struct queue_consumer_info *info)
{
	unsigned *n = context;

	CU_ASSERT_STRING_EQUAL(info->tag, "tag");
	CU_ASSERT_EQUAL(info->prefetch, *n == 0 ? 5 : 0);
	CU_ASSERT_EQUAL(info->priority, *n == 0 ? 3 : 0);
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
	struct queue_stats stats;
	unsigned n = 0;

	setup();
	CU_ASSERT_EQUAL(consume(&ep, 1, 0), 0);
	CU_ASSERT_EQUAL(consume_with(&r, &other, 1), 0);
	queue_for_each_consumer(queue, count_visit, &n);
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
	  UNIT_TEST(a_queue_that_is_gone_is_not_found), UNIT_TEST(ttl_zero_is_now_or_never),
	  UNIT_TEST(the_shorter_ttl_counts), UNIT_TEST(expiry_is_at_the_head_only),
	  UNIT_TEST(expired_ones_are_not_delivered), UNIT_TEST(requeued_ones_keep_their_time),
	  UNIT_TEST(a_ttl_that_long_is_none), UNIT_TEST(an_unused_queue_expires),
	  UNIT_TEST(a_used_queue_does_not_expire), UNIT_TEST(auto_delete_after_the_last_consumer),
	  UNIT_TEST(grants_are_wanted_used_and_returned), UNIT_TEST(cancel_returns_grants),
	  UNIT_TEST(consumers_hear_that_the_queue_is_gone),
	  UNIT_TEST(an_endpoint_that_is_gone_gives_all_back), UNIT_TEST(settled_inside_deliver),
	  UNIT_TEST(cancelled_inside_deliver), UNIT_TEST(destroyed_inside_deliver),
	  UNIT_TEST(persistent_in_durable_is_pending),
	  UNIT_TEST(persistent_in_transient_is_not_logged),
	  UNIT_TEST(delivered_and_done_in_its_turn_is_confirmed),
	  UNIT_TEST(destroyed_with_publishes_under_way), UNIT_TEST(looks))
