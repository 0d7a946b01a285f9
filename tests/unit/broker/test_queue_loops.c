/* SPDX-License-Identifier: MIT */
#include "broker/queue/queue.h"

#include <string.h>

#include "../unit.h"
#include "base/account.h"
#include "broker/change/declare.h"
#include "broker/endpoint_post.h"
#include "copying_store.h"
#include "queue_fixture.h"

/*
 * Publisher and consumers on loop 0, their queue on loop 1, both running. Consumers acknowledge,
 * give back and cancel; at the end every message has been acknowledged once, every publish
 * confirmed once, and all came in order but for what was given back.
 */

#define N_MESSAGES 20000u
#define BATCH	   64u
#define LIMIT_MS   60000u

static struct queue *queue;
static struct actor_ref ref;
static uint64_t account_before;

void declare_queue_expire(struct broker *broker, struct queue_entry *entry)
{
	(void)broker;
	(void)entry;
}

/* ---- Publishing, as the router does it: one letter for a batch ---- */

struct publish_letter {
	struct letter letter;
	struct actor_ref publisher;
	unsigned count;
	uint64_t first; /* publisher's number of the first; the message's is the same */
	struct message *messages[BATCH];
};

static void publish_arrived(struct letter *letter)
{
	struct publish_letter *l = container_of(letter, struct publish_letter, letter);
	struct publish_outcome outcomes[BATCH];
	size_t n = 0;
	struct queue *q = slots_get(ref);

	for (unsigned i = 0; i < l->count; i++) {
		if (queue_publish_take(q, l->messages[i], l->publisher, l->first + i) ==
		    QUEUE_ACCEPTED)
			outcomes[n++] = (struct publish_outcome){.seq = l->first + i};
	}
	endpoint_post_published(l->publisher, outcomes, n);
	mem_free(l);
}

static struct message *make_numbered(uint64_t number)
{
	struct message *m = message_create(SLICE_EMPTY, SLICE_LITERAL("q"), slice_make("\0\0", 2),
					   sizeof(number));

	memcpy(message_body_bytes(m), &number, sizeof(number));
	m->persistent = number % 3 == 0;
	return m;
}

static uint64_t number_of(const struct message *m)
{
	uint64_t number;

	memcpy(&number, message_body(m).data, sizeof(number));
	return number;
}

/* ---- The channel of the test: publishes, consumes by two consumers, one after the other ---- */

static struct {
	struct endpoint endpoint;
	uint64_t published;
	uint64_t n_confirmed, n_acked, n_wants, n_returned;
	uint8_t confirmed[N_MESSAGES + 1], acked[N_MESSAGES + 1], given_back[N_MESSAGES + 1];
	uint64_t last_fresh; /* number of the last message that came for the first time */
	uint32_t consumer;   /* the one that is consuming */
	unsigned n_deliveries, n_faults;
	struct loop_task publish;
	struct loop_timer limit;
	struct queue_request request;
	bool is_asking;
} ch;

static void stop_if_done(void)
{
	if (ch.n_acked == N_MESSAGES && ch.n_confirmed == N_MESSAGES && !ch.is_asking)
		loop_pool_stop();
}

static void publish_some(struct loop_task *task)
{
	struct publish_letter *l = mem_alloc(sizeof(*l));

	(void)task;
	l->letter.deliver = publish_arrived;
	l->publisher = ch.endpoint.ref;
	l->first = ch.published + 1;
	for (l->count = 0; l->count < BATCH && ch.published < N_MESSAGES; l->count++)
		l->messages[l->count] = make_numbered(++ch.published);
	loop_post(ref.loop, &l->letter);
	if (ch.published < N_MESSAGES)
		loop_defer(&ch.publish);
}

static void consume_again(struct queue_request *request);

static void ask(enum queue_operation operation, void (*done)(struct queue_request *request))
{
	ch.is_asking = true;
	ch.request = (struct queue_request){
		.operation = operation,
		.queue = ref,
		.asker = ch.endpoint.ref,
		.connection = 1,
		.done = done,
		.queue_name = SLICE_LITERAL("q"),
		.vhost_name = SLICE_LITERAL("/"),
	};
	if (operation == QUEUE_CONSUME) {
		ch.request.consume.consumer = ++ch.consumer;
		ch.request.consume.prefetch = 100;
		ch.request.consume.needs_grants = ch.consumer % 2 == 0;
		strcpy(ch.request.consume.tag, "tag");
	} else {
		ch.request.cancel.consumer = ch.consumer;
	}
	queue_request_submit(&ch.request);
}

static void consuming(struct queue_request *request)
{
	ch.n_faults += request->error.code != 0;
	ch.is_asking = false;
	stop_if_done();
}

static void consume_again(struct queue_request *request)
{
	ch.n_faults += request->error.code != 0;
	ask(QUEUE_CONSUME, consuming);
}

/*
 * Acknowledged at once, or given back (once each): marked, as by a nack, or unmarked, as never
 * sent.
 */
static void handle_delivery(uint32_t consumer, const struct delivery *d)
{
	uint64_t number = number_of(d->message);
	enum queue_outcome outcome = QUEUE_ACK;

	if (!ch.given_back[number]) {
		ch.n_faults += d->redelivered || number <= ch.last_fresh;
		ch.last_fresh = number;
	} else {
		ch.n_faults += d->redelivered != (ch.given_back[number] == QUEUE_REQUEUE);
	}
	if (!ch.given_back[number] && number % 7 == 0) {
		outcome = number % 2 == 0 ? QUEUE_REQUEUE : QUEUE_RETURN;
		ch.given_back[number] = (uint8_t)outcome;
	} else {
		ch.n_faults += ch.acked[number]++ != 0;
		ch.n_acked++;
	}
	queue_credit(ref, ch.endpoint.ref, consumer, queue_delivery_bytes(d->message));
	queue_settle(ref, ch.endpoint.ref, consumer, outcome, &d->seq, 1);
}

static void ch_deliver(struct endpoint *endpoint, uint32_t consumer,
		       const struct delivery *deliveries, size_t count)
{
	(void)endpoint;
	for (size_t i = 0; i < count; i++) {
		handle_delivery(consumer, &deliveries[i]);
		message_unref(deliveries[i].message);
	}
	if (++ch.n_deliveries % 10 == 0 && !ch.is_asking)
		ask(QUEUE_CANCEL, consume_again);
	stop_if_done();
}

static void ch_published(struct endpoint *endpoint, const struct publish_outcome *outcomes,
			 size_t count, uint64_t taken_bytes)
{
	(void)endpoint;
	(void)taken_bytes;
	for (size_t i = 0; i < count; i++) {
		ch.n_faults += outcomes[i].rejected || ch.confirmed[outcomes[i].seq]++ != 0;
		ch.n_confirmed++;
	}
	stop_if_done();
}

static void ch_cancelled(struct endpoint *endpoint, uint32_t consumer)
{
	(void)endpoint;
	(void)consumer;
	ch.n_faults++;
}

static void ch_want(struct endpoint *endpoint, uint32_t consumer)
{
	(void)endpoint;
	ch.n_wants++;
	queue_grant(ref, ch.endpoint.ref, consumer, 50);
}

static void ch_grants_returned(struct endpoint *endpoint, uint32_t consumer, uint32_t count)
{
	(void)endpoint;
	(void)consumer;
	ch.n_returned += count;
}

static const struct endpoint_ops ch_ops = {
	.deliver = ch_deliver,
	.published = ch_published,
	.cancelled = ch_cancelled,
	.want = ch_want,
	.grants_returned = ch_grants_returned,
};

/* ---- */

static void make_queue(void *arg)
{
	struct queue_options options = fixture_options();

	(void)arg;
	options.durable = true;
	queue = queue_create(&fixture_broker, &fixture_entry, 42, &options);
	ref = queue_ref(queue);
}

static void too_long(struct loop_timer *timer)
{
	(void)timer;
	ch.n_faults++;
	loop_pool_stop();
}

static void begin(void)
{
	account_before = account_total();
	fixture_begin(2);
	loop_pool_visit(1, make_queue, NULL);
	memset(&ch, 0, sizeof(ch));
	ch.endpoint.ops = &ch_ops;
	ch.endpoint.ref = slots_add(&ch.endpoint);
	loop_timer_init(&ch.limit, too_long);
	loop_timer_start_ms(&ch.limit, LIMIT_MS);
	loop_task_init(&ch.publish, publish_some);
	loop_defer(&ch.publish);
	ask(QUEUE_CONSUME, consuming);
}

static void end(void)
{
	fixture_end();
	CU_ASSERT_EQUAL(account_total(), account_before);
}

static bool is_observed;
static unsigned n_reads_seen;

static void check_empty(void *arg)
{
	struct queue_stats stats;

	(void)arg;
	if (is_observed)
		n_reads_seen = copying_log_of(fixture_broker.store, 1)->n_reads;
	queue_stats(queue, &stats);
	CU_ASSERT_EQUAL(stats.ready, 0);
	CU_ASSERT_EQUAL(stats.unacknowledged, 0);
	CU_ASSERT_EQUAL(stats.body_bytes, 0);
}

static void run_and_check(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();
	loop_timer_stop(&ch.limit);
	loop_cancel(&ch.publish);
	slots_remove(ch.endpoint.ref);
	CU_ASSERT_EQUAL(ch.n_faults, 0);
	CU_ASSERT_EQUAL(ch.n_acked, N_MESSAGES);
	CU_ASSERT_EQUAL(ch.n_confirmed, N_MESSAGES);
	CU_ASSERT(ch.consumer > 2);
	CU_ASSERT(ch.n_wants > 0);
	loop_pool_visit(1, check_empty, NULL);
	end();
}

static void nothing_lost_nothing_doubled_in_order(void)
{
	begin();
	run_and_check();
}

/* The queue keeps next to nothing in memory, and all goes to the log and comes back from there. */
static void the_same_with_bodies_in_the_log(void)
{
	unsigned n_reads;

	fixture_create_store = copying_store_create;
	begin();
	fixture_create_store = store_memory_create;
	fixture_broker.queue_memory_max = 4096;
	fixture_broker.queue_transient_max = 4096;
	is_observed = true;
	run_and_check();
	is_observed = false;
	n_reads = n_reads_seen;
	CU_ASSERT(n_reads > 0);
}

/* ---- A channel that dies with deliveries on their way: step by step, on one thread ---- */

static void turn(void *arg)
{
	(void)arg;
	loop_run_once(false);
}

static void turn_both(void)
{
	turn(NULL);
	loop_pool_visit(1, turn, NULL);
}

static void check_returned(void *arg)
{
	struct queue_stats stats;

	(void)arg;
	queue_stats(queue, &stats);
	CU_ASSERT_EQUAL(stats.consumers, 0);
	CU_ASSERT_EQUAL(stats.unacknowledged, 0);
	CU_ASSERT_EQUAL(stats.ready, N_MESSAGES);
}

static void check_taken(void *arg)
{
	struct queue_stats stats;

	(void)arg;
	queue_stats(queue, &stats);
	CU_ASSERT_EQUAL(stats.consumers, 1);
	CU_ASSERT_EQUAL(stats.unacknowledged, 100);
}

static void undelivered_ones_come_back_from_a_dead_channel(void)
{
	begin();
	while (ch.published < N_MESSAGES)
		turn(NULL);
	loop_pool_visit(1, turn, NULL);
	loop_pool_visit(1, check_taken, NULL);
	slots_remove(ch.endpoint.ref);
	for (int i = 0; i < 5; i++)
		turn_both();
	loop_pool_visit(1, check_returned, NULL);
	CU_ASSERT_EQUAL(ch.n_acked, 0);
	loop_timer_stop(&ch.limit);
	end();
}

UNIT_MAIN("queue_loops", UNIT_TEST(nothing_lost_nothing_doubled_in_order),
	  UNIT_TEST(the_same_with_bodies_in_the_log),
	  UNIT_TEST(undelivered_ones_come_back_from_a_dead_channel))
