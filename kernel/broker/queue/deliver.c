/* SPDX-License-Identifier: MIT */
#include "broker/queue/queue.h"

#include "base/mem.h"
#include "broker/change/declare.h"
#include "broker/endpoint_post.h"
#include "broker/queue/state.h"
#include "loop/budget.h"
#include "loop/counters.h"
#include "loop/lag.h"

/*
 * The delivery run, a task at the turn's end. It goes in bursts: first messages are assigned to
 * consumers, each in turn, with no callback in between; then each consumer gets its share in one
 * call or letter. Callbacks may do anything to the queue: settle, cancel, even end it; so after
 * each of them it may be gone (its memory stays for the turn).
 *
 * If a consumer's endpoint turns out to be gone, its share returns to its place and the consumer is
 * taken out.
 */

#define REFRESH_BURSTS_MAX 1024u

/*
 * Assigned and not yet handed over. With one consumer the deliveries are in one piece; else each
 * has a chain of them.
 */
struct queue_burst {
	unsigned n;
	struct list consumers; /* struct consumer.in_run */
	bool is_mixed;	       /* more than one consumer */
	struct delivery deliveries[QUEUE_BURST];
	uint16_t next[QUEUE_BURST];
};

/* ---- Assigning ---- */

static void burst_add(struct queue_burst *burst, struct consumer *c, struct delivery delivery)
{
	uint16_t at = (uint16_t)burst->n++;

	burst->deliveries[at] = delivery;
	if (UNLIKELY(!list_is_linked(&c->in_run))) {
		burst->is_mixed = !list_is_empty(&burst->consumers);
		list_add_tail(&burst->consumers, &c->in_run);
		c->run_first = at;
		c->run_count = 0;
	} else {
		burst->next[c->run_last] = at;
	}
	c->run_last = at;
	c->run_count++;
}

static void assign(struct queue *q, struct queue_burst *burst, struct consumer *c, uint64_t seq,
		   struct slot *slot)
{
	struct delivery delivery = {.message = slot_message_there(slot),
				    .seq = seq,
				    .redelivered = slot_is_redelivered(slot)};

	if (UNLIKELY(delivery.redelivered))
		counter_add(COUNTER_MESSAGES_REDELIVERED, 1);
	if (c->no_ack) {
		bool logged = slot_is_logged(slot);

		(void)backlog_shift(&q->backlog, seq, slot);
		queue_log_gone(q, seq, logged, STORE_SETTLE);
	} else {
		(void)queue_take(q, seq, slot);
	}
	burst_add(burst, c, delivery);
}

/*
 * Ends at a message that is not in memory: deliveries keep the order, and go on when it has been
 * read.
 *
 * Messages of this very millisecond are delivered if somebody takes them, and expire after the run:
 * a TTL of 0 means now or never.
 */
static void gather(struct queue *q, struct queue_burst *burst)
{
	uint64_t now = loop_now_ms();
	struct consumer *c;
	struct slot *slot;
	uint64_t seq;

	while (burst->n < QUEUE_BURST && (c = consumer_next(&q->consumers)) &&
	       (slot = backlog_head(&q->backlog, &seq))) {
		if (UNLIKELY(slot_expires_at(slot) < now)) {
			if (queue_expire_head(q, now - 1))
				continue;
			break;
		}
		if (UNLIKELY(slot_is_away(slot)))
			break;
		uint64_t bytes = queue_delivery_bytes(slot_message_there(slot));
		if (UNLIKELY(!consumer_fits(c, bytes))) {
			consumer_block(&q->consumers, c);
			continue;
		}
		assign(q, burst, c, seq, slot);
		consumer_took(&q->consumers, c, bytes);
	}
}

/* ---- Handing over ---- */

/* Nobody is there to take them. The references are the deliveries'. */
static void give_back(struct queue *q, struct consumer *c, const struct delivery *deliveries,
		      size_t count)
{
	uint64_t seqs[QUEUE_BURST];

	for (size_t i = 0; i < count; i++) {
		seqs[i] = deliveries[i].seq;
		message_unref(deliveries[i].message);
	}
	if (q->is_gone)
		return;
	if (!c->no_ack)
		(void)queue_settle_slots(q, QUEUE_RETURN, seqs, count);
	queue_remove_consumer(q, c);
}

static void hand_over(struct queue *q, struct consumer *c, const struct delivery *deliveries,
		      size_t count)
{
	const struct delivery_source source = {
		.queue = q->ref,
		.consumer = (uint32_t)c->key.number,
		.no_ack = c->no_ack,
	};

	if (q->is_gone || !endpoint_post_deliver(c->key.endpoint, &source, deliveries, count))
		give_back(q, c, deliveries, count);
}

static void hand_over_chain(struct queue *q, const struct queue_burst *burst, struct consumer *c)
{
	struct delivery deliveries[QUEUE_BURST];
	uint16_t at = c->run_first;
	unsigned count = c->run_count;

	for (unsigned i = 0; i < count; i++) {
		deliveries[i] = burst->deliveries[at];
		at = burst->next[at];
	}
	hand_over(q, c, deliveries, count);
}

static void flush_consumer(struct queue *q, const struct queue_burst *burst, struct consumer *c)
{
	list_remove(&c->in_run);
	if (burst->is_mixed)
		hand_over_chain(q, burst, c);
	else
		hand_over(q, c, burst->deliveries, burst->n);
}

void queue_flush_consumer(struct queue *q, struct consumer *c)
{
	if (q->burst && list_is_linked(&c->in_run))
		flush_consumer(q, q->burst, c);
}

/* One burst; returns how many messages went. */
static unsigned deliver_burst(struct queue *q)
{
	struct queue_burst burst;

	burst.n = 0;
	burst.is_mixed = false;
	list_init(&burst.consumers);
	gather(q, &burst);
	loop_spend(burst.n);
	q->burst = &burst;
	while (!list_is_empty(&burst.consumers))
		flush_consumer(q, &burst,
			       container_of(burst.consumers.next, struct consumer, in_run));
	q->burst = NULL;
	return burst.n;
}

/* ---- Grants of channel-wide prefetch ---- */

static void ask_for_grants(struct queue *q)
{
	struct consumer *c;

	while (!q->is_gone && !queue_is_empty(q) && (c = consumer_asks(&q->consumers)))
		endpoint_post_want(c->key.endpoint, (uint32_t)c->key.number);
}

static void return_grants(struct queue *q)
{
	struct consumer *c;

	while (!q->is_gone && (c = consumer_holder(&q->consumers, queue_is_empty(q)))) {
		uint32_t count = consumer_take_grants(&q->consumers, c);

		endpoint_post_grants_returned(c->key.endpoint, (uint32_t)c->key.number, count);
	}
}

void queue_remove_consumer(struct queue *q, struct consumer *c)
{
	if (!c->level)
		return; /* it is out already */
	uint32_t grants = consumer_take_grants(&q->consumers, c);
	struct consumer_key key = c->key;
	consumer_remove(&q->consumers, c);
	counter_add(COUNTER_CONSUMERS_REMOVED, 1);
	if (q->consumers.count == 0) {
		q->used_at_ms = loop_now_ms();
		q->is_forsaken = q->options.auto_delete;
		loop_defer(&q->run);
	}
	if (grants > 0)
		endpoint_post_grants_returned(key.endpoint, (uint32_t)key.number, grants);
}

/* ---- The run ---- */

/*
 * There is more to deliver than a burst: after the other queues have had theirs. If the turn has
 * had enough, in the next one; and as deliveries do not keep up, less is published in those that
 * follow.
 */
static void run_again(struct queue *q)
{
	q->has_more = true;
	if (loop_spent() < LOOP_DELIVER_UNITS) {
		loop_defer(&q->run);
		return;
	}
	loop_shorten();
	loop_defer_next(&q->run);
}

/* Up to `bursts`; false when the queue is gone. When it is released it runs again. */
static bool deliver(struct queue *q, unsigned bursts)
{
	unsigned n = QUEUE_BURST;

	if (UNLIKELY(q->n_holds > 0))
		return true;
	q->has_more = false;
	queue_serve_gets(q);
	if (q->is_gone)
		return false;
	while (bursts-- > 0 && n == QUEUE_BURST) {
		n = deliver_burst(q);
		if (q->is_gone)
			return false;
	}
	if (n == QUEUE_BURST) {
		queue_read_ahead(q);
		run_again(q);
		return true;
	}
	if (q->is_lagging && (queue_is_empty(q) || q->consumers.count == 0)) {
		q->is_lagging = false;
		loop_lag_over();
	}
	if (!queue_expire_head(q, loop_now_ms()))
		loop_defer(&q->run);
	queue_read_ahead(q);
	queue_serve_gets(q);
	ask_for_grants(q);
	return_grants(q);
	return !q->is_gone;
}

/* Auto-delete and x-expires; the queue is gone then, or soon. */
static bool end_if_due(struct queue *q)
{
	bool is_due = q->is_forsaken && q->consumers.count == 0;

	q->is_forsaken = false;
	if (q->is_ending || (!is_due && !queue_is_unused(q)))
		return false;
	q->is_ending = true;
	declare_queue_expire(q->broker, q->entry);
	return true;
}

void queue_run(struct loop_task *task)
{
	struct queue *q = container_of(task, struct queue, run);

	/* However many they are, full bursts do not make the turn longer than it is to be. */
	if (q->has_more && loop_spent() >= LOOP_DELIVER_UNITS) {
		run_again(q);
		return;
	}
	if (!deliver(q, 1) || end_if_due(q))
		return;
	queue_expiry_arm(q);
}

/* In the midst of a burst the run goes on by itself. */
void queue_refresh(struct queue *q)
{
	OWN(q->ref.loop);
	if (q->burst || !deliver(q, REFRESH_BURSTS_MAX))
		return;
	queue_expiry_arm(q);
}
