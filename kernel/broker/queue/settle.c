/* SPDX-License-Identifier: MIT */
#include "broker/queue/queue.h"

#include <string.h>

#include "base/slab.h"
#include "broker/endpoint_post.h"
#include "broker/queue/state.h"
#include "loop/budget.h"
#include "loop/counters.h"
#include "loop/lag.h"
#include "loop/mailbox.h"

/*
 * What comes back from consumers: settled messages, bytes of credit, grants. On the queue's loop a
 * call, else a letter.
 */

static bool is_here(struct actor_ref ref)
{
	return ref.loop == loop_index(loop_self());
}

/* ---- Settling ---- */

static void drop(struct queue *q, uint64_t seq, struct slot *slot)
{
	bool logged = slot_is_logged(slot);

	message_unref(backlog_remove(&q->backlog, seq, slot));
	queue_log_gone(q, seq, logged, STORE_SETTLE);
}

static void requeue(struct queue *q, uint64_t seq, struct slot *slot)
{
	slot_mark_redelivered(slot);
	if (q->options.delivery_limit > 0 && slot_deliveries(slot) > q->options.delivery_limit) {
		drop(q, seq, slot);
		counter_add(COUNTER_MESSAGES_DROPPED, 1);
		return;
	}
	if (slot_is_logged(slot))
		queue_log_settle(q->home->log, &q->log, STORE_REQUEUE, seq);
	backlog_return(&q->backlog, seq, slot);
}

static uint32_t drop_all(struct queue *q, const uint64_t *seqs, size_t count)
{
	uint32_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct slot *slot = backlog_find_taken(&q->backlog, seqs[i]);

		if (!slot)
			continue;
		drop(q, seqs[i], slot);
		n++;
	}
	return n;
}

/* From the highest to the lowest, as far as they are in order: so the backlog takes them cheaply.
 */
static uint32_t return_all(struct queue *q, bool undelivered, const uint64_t *seqs, size_t count)
{
	uint32_t n = 0;

	bool ascends = count > 0 && seqs[0] < seqs[count - 1];

	for (size_t i = 0; i < count; i++) {
		uint64_t seq = ascends ? seqs[count - 1 - i] : seqs[i];
		struct slot *slot = backlog_find_taken(&q->backlog, seq);

		if (!slot)
			continue;
		if (undelivered)
			backlog_return(&q->backlog, seq, slot);
		else
			requeue(q, seq, slot);
		n++;
	}
	if (n == 0)
		return 0;
	if (!undelivered)
		counter_add(COUNTER_MESSAGES_REQUEUED, n);
	loop_defer(&q->run); /* for deliveries, and for what has expired meanwhile */
	return n;
}

uint32_t queue_settle_slots(struct queue *q, enum queue_outcome outcome, const uint64_t *seqs,
			    size_t count)
{
	uint32_t n;

	switch (outcome) {
	case QUEUE_ACK:
		n = drop_all(q, seqs, count);
		counter_add(COUNTER_MESSAGES_ACKED, n);
		return n;
	case QUEUE_DISCARD:
		n = drop_all(q, seqs, count);
		counter_add(COUNTER_MESSAGES_DROPPED, n);
		return n;
	case QUEUE_REQUEUE:
		return return_all(q, false, seqs, count);
	case QUEUE_RETURN:
		return return_all(q, true, seqs, count);
	}
	return 0;
}

static void settle_here(struct actor_ref ref, struct actor_ref endpoint, uint32_t number,
			enum queue_outcome outcome, const uint64_t *seqs, size_t count)
{
	struct queue *q = slots_get(ref);
	struct consumer *c;

	if (!q)
		return;
	uint32_t n = queue_settle_slots(q, outcome, seqs, count);
	if (n == 0 || number == QUEUE_NO_CONSUMER ||
	    !(c = consumer_find(&q->consumers, endpoint, number)))
		return;
	(void)consumer_settled(&q->consumers, c, n);
	if (queue_is_empty(q))
		return;
	if (c->prefetch > 0 || c->needs_grants) {
		q->is_lagging = true;
		loop_lag_settled(n);
	}
	queue_wake(q);
}

struct settle_letter {
	struct letter letter;
	struct actor_ref queue, endpoint;
	uint32_t consumer;
	enum queue_outcome outcome;
	size_t count;
	uint64_t seqs[];
};

static size_t settle_letter_size(size_t count)
{
	return sizeof(struct settle_letter) + count * sizeof(uint64_t);
}

static void settle_arrived(struct letter *letter)
{
	struct settle_letter *l = container_of(letter, struct settle_letter, letter);

	loop_spend(l->count);
	settle_here(l->queue, l->endpoint, l->consumer, l->outcome, l->seqs, l->count);
	slab_free(l, settle_letter_size(l->count));
}

void queue_settle(struct actor_ref queue, struct actor_ref endpoint, uint32_t consumer,
		  enum queue_outcome outcome, const uint64_t *seqs, size_t count)
{
	if (count == 0 || actor_ref_is_none(queue))
		return;
	if (is_here(queue)) {
		settle_here(queue, endpoint, consumer, outcome, seqs, count);
		return;
	}
	struct settle_letter *l = slab_alloc(settle_letter_size(count));
	l->letter.deliver = settle_arrived;
	l->queue = queue;
	l->endpoint = endpoint;
	l->consumer = consumer;
	l->outcome = outcome;
	l->count = count;
	memcpy(l->seqs, seqs, count * sizeof(*seqs));
	loop_post(queue.loop, &l->letter);
	if (consumer != QUEUE_NO_CONSUMER)
		loop_shorten(); /* the queue may have a backlog: its loop knows, this one does not
				 */
}

/* ---- Credit, grants, and consumers whose endpoint is gone ---- */

enum note {
	NOTE_CREDIT,
	NOTE_PREFETCH,
	NOTE_GRANT,
	NOTE_LIMIT,
	NOTE_FORGET,
	/* Not about a consumer: */
	NOTE_HOLD,
	NOTE_RELEASE,
};

struct note_letter {
	struct letter letter;
	struct actor_ref queue, endpoint;
	enum note note;
	uint32_t consumer;
	uint64_t amount;
};

/* A grant that finds no consumer goes back: the channel counts it. */
static void note_for_nobody(const struct note_letter *l)
{
	if (l->note == NOTE_GRANT)
		endpoint_post_grants_returned(l->endpoint, l->consumer, (uint32_t)l->amount);
}

static void note_for_consumer(struct queue *q, struct consumer *c, const struct note_letter *l)
{
	switch (l->note) {
	case NOTE_CREDIT:
		(void)consumer_credited(&q->consumers, c, l->amount);
		if (!queue_is_empty(q))
			queue_wake(q);
		break;
	case NOTE_PREFETCH:
		consumer_change_prefetch(&q->consumers, c, (uint32_t)l->amount);
		loop_defer(&q->run); /* there may be room now, or grants that it cannot use */
		break;
	case NOTE_GRANT:
		(void)consumer_granted(&q->consumers, c, (uint32_t)l->amount);
		loop_defer(&q->run); /* to use it or to return it */
		break;
	case NOTE_LIMIT:
		consumer_limit(&q->consumers, c, l->amount != 0);
		queue_wake(q);
		break;
	case NOTE_FORGET:
		queue_remove_consumer(q, c);
		break;
	case NOTE_HOLD:
	case NOTE_RELEASE:
		break;
	}
}

static void hold_here(struct queue *q, bool is_held)
{
	bug_on(!is_held && q->n_holds == 0);
	if (is_held)
		q->n_holds++;
	else if (--q->n_holds == 0)
		loop_defer(&q->run);
}

static void note_here(const struct note_letter *l)
{
	struct queue *q = slots_get(l->queue);
	struct consumer *c;

	if (!q)
		return;
	if (l->note == NOTE_HOLD || l->note == NOTE_RELEASE) {
		hold_here(q, l->note == NOTE_HOLD);
		return;
	}
	c = consumer_find(&q->consumers, l->endpoint, l->consumer);
	if (c)
		note_for_consumer(q, c, l);
	else
		note_for_nobody(l);
}

static void note_arrived(struct letter *letter)
{
	struct note_letter *l = container_of(letter, struct note_letter, letter);

	note_here(l);
	slab_free(l, sizeof(*l));
}

static void post_note(const struct note_letter *note)
{
	if (actor_ref_is_none(note->queue))
		return;
	if (is_here(note->queue)) {
		note_here(note);
		return;
	}
	struct note_letter *l = slab_alloc(sizeof(*l));
	*l = *note;
	l->letter.deliver = note_arrived;
	loop_post(note->queue.loop, &l->letter);
}

void queue_credit(struct actor_ref queue, struct actor_ref endpoint, uint32_t consumer,
		  uint64_t bytes)
{
	post_note(&(struct note_letter){.queue = queue,
					.endpoint = endpoint,
					.note = NOTE_CREDIT,
					.consumer = consumer,
					.amount = bytes});
}

void queue_change_prefetch(struct actor_ref queue, struct actor_ref endpoint, uint32_t consumer,
			   uint32_t prefetch)
{
	post_note(&(struct note_letter){.queue = queue,
					.endpoint = endpoint,
					.note = NOTE_PREFETCH,
					.consumer = consumer,
					.amount = prefetch});
}

void queue_grant(struct actor_ref queue, struct actor_ref endpoint, uint32_t consumer,
		 uint32_t count)
{
	post_note(&(struct note_letter){.queue = queue,
					.endpoint = endpoint,
					.note = NOTE_GRANT,
					.consumer = consumer,
					.amount = count});
}

void queue_limit(struct actor_ref queue, struct actor_ref endpoint, uint32_t consumer,
		 bool needs_grants)
{
	post_note(&(struct note_letter){.queue = queue,
					.endpoint = endpoint,
					.note = NOTE_LIMIT,
					.consumer = consumer,
					.amount = needs_grants});
}

void queue_hold(struct actor_ref queue)
{
	post_note(&(struct note_letter){.queue = queue, .note = NOTE_HOLD});
}

void queue_release(struct actor_ref queue)
{
	post_note(&(struct note_letter){.queue = queue, .note = NOTE_RELEASE});
}

void queue_forget_consumer(struct actor_ref queue, struct actor_ref endpoint, uint32_t consumer)
{
	post_note(&(struct note_letter){
		.queue = queue, .endpoint = endpoint, .note = NOTE_FORGET, .consumer = consumer});
}
