/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_QUEUE_CASE_H
#define TESTS_UNIT_BROKER_QUEUE_CASE_H

/*
 * One queue and two endpoints on one loop, for the tests of a queue: set up, fed, asked, looked at.
 */

#include <string.h>

#include "../unit.h"
#include "base/account.h"
#include "base/clock.h"
#include "broker/queue/consumer.h"
#include "broker/change/declare.h"
#include "broker/queue/queue.h"
#include "fake_endpoint.h"
#include "queue_fixture.h"

#define LIMIT_MS 60000u

static struct queue *queue; /* NULL: destroyed */
static struct actor_ref ref;
static struct fake_endpoint ep, other;
static unsigned n_expired;
static uint64_t account_before;

static inline uint64_t destroy_queue(void)
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

static inline void setup_with(struct queue_options options)
{
	account_before = account_total();
	fixture_begin(1);
	n_expired = 0;
	queue = queue_create(&fixture_broker, &fixture_entry, 42, &options);
	ref = queue_ref(queue);
	fake_endpoint_begin(&ep);
	fake_endpoint_begin(&other);
}

static inline void setup(void)
{
	setup_with(fixture_options());
}

static inline void teardown(void)
{
	fake_endpoint_end(&ep);
	fake_endpoint_end(&other);
	fixture_end();
	CU_ASSERT_EQUAL(account_total(), account_before);
}

static inline void turn(void)
{
	loop_run_once(false);
}

static inline void out_of_patience(struct loop_timer *timer)
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

static inline struct message *make_message(uint32_t size)
{
	struct message *m =
		message_create(SLICE_EMPTY, SLICE_LITERAL("q"), slice_make("\0\0", 2), size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	memset(message_body_bytes(m), 'x', size);
	return m;
}

static inline enum queue_publish_result publish_message(struct message *m, uint64_t publisher_seq)
{
	enum queue_publish_result result = queue_publish(queue, m, ep.endpoint.ref, publisher_seq);

	message_unref(m);
	return result;
}

static inline void publish(unsigned n)
{
	while (n-- > 0)
		CU_ASSERT_EQUAL(publish_message(make_message(10), 1), QUEUE_ACCEPTED);
}

static inline void publish_expiring(uint64_t expiration_ms)
{
	struct message *m = make_message(10);

	m->expiration_ms = expiration_ms;
	CU_ASSERT_EQUAL(publish_message(m, 1), QUEUE_ACCEPTED);
}

static inline enum queue_publish_result publish_persistent(uint64_t publisher_seq)
{
	struct message *m = make_message(10);

	m->persistent = true;
	return publish_message(m, publisher_seq);
}

/* ---- Requests; here they are answered inside the call ---- */

static unsigned n_done;

static inline void request_done(struct queue_request *request)
{
	(void)request;
	n_done++;
}

static inline void submit(struct queue_request *r, enum queue_operation operation,
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
static inline uint16_t consume_with(struct queue_request *r, struct fake_endpoint *asker,
				    uint32_t number)
{
	r->consume.consumer = number;
	strcpy(r->consume.tag, "tag");
	submit(r, QUEUE_CONSUME, asker);
	return r->error.code;
}

static inline uint16_t consume(struct fake_endpoint *asker, uint32_t number, uint32_t prefetch)
{
	struct queue_request r = {.consume = {.prefetch = prefetch}};

	return consume_with(&r, asker, number);
}

static inline void cancel(struct fake_endpoint *asker, uint32_t number)
{
	struct queue_request r = {.cancel = {.consumer = number}};

	submit(&r, QUEUE_CANCEL, asker);
	CU_ASSERT_EQUAL(r.error.code, 0);
}

static inline struct delivery get(bool no_ack, uint32_t *ret_ready)
{
	struct queue_request r = {.get = {.no_ack = no_ack}};

	submit(&r, QUEUE_GET, &ep);
	CU_ASSERT_EQUAL(r.error.code, 0);
	*ret_ready = r.get.ready_count;
	return r.get.delivery;
}

static inline uint32_t count_ready(void)
{
	struct queue_request r = {.connection = 1};

	submit(&r, QUEUE_TOUCH, &ep);
	CU_ASSERT_EQUAL(r.error.code, 0);
	return r.message_count;
}

static inline void settle(struct fake_endpoint *from, uint32_t consumer, enum queue_outcome outcome,
			  uint64_t seq)
{
	queue_settle(ref, from->endpoint.ref, consumer, outcome, &seq, 1);
}

/*
 * What an endpoint has got since the last look: sequence numbers as digits, a "'" behind
 * redelivered ones.
 */
static inline const char *got(struct fake_endpoint *fake)
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

#endif
