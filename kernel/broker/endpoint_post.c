/* SPDX-License-Identifier: MIT */
#include "broker/endpoint_post.h"

#include <string.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/slab.h"
#include "broker/queue/queue.h"
#include "broker/queue/state.h"
#include "loop/budget.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

static bool is_here(struct actor_ref ref)
{
	return ref.loop == loop_index(loop_self());
}

/* ---- Deliveries ---- */

struct deliver_letter {
	struct letter letter;
	struct actor_ref endpoint;
	struct delivery_source source;
	size_t count;
	struct delivery deliveries[];
};

static size_t deliver_letter_size(size_t count)
{
	return sizeof(struct deliver_letter) + count * sizeof(struct delivery);
}

/* Letters are as short as the queue's bursts. */
static void give_back(const struct deliver_letter *l)
{
	uint64_t seqs[QUEUE_BURST];

	bug_on(l->count > QUEUE_BURST);
	for (size_t i = 0; i < l->count; i++) {
		seqs[i] = l->deliveries[i].seq;
		message_unref(l->deliveries[i].message);
	}
	/* First, or they would come here again at once. */
	queue_forget_consumer(l->source.queue, l->endpoint, l->source.consumer);
	if (!l->source.no_ack)
		queue_settle(l->source.queue, l->endpoint, l->source.consumer, QUEUE_RETURN, seqs,
			     l->count);
}

static void deliver_arrived(struct letter *letter)
{
	struct deliver_letter *l = container_of(letter, struct deliver_letter, letter);
	struct endpoint *endpoint = slots_get(l->endpoint);

	loop_spend(l->count);
	if (endpoint)
		endpoint->ops->deliver(endpoint, l->source.consumer, l->deliveries, l->count);
	else
		give_back(l);
	slab_free(l, deliver_letter_size(l->count));
}

bool endpoint_post_deliver(struct actor_ref ref, const struct delivery_source *source,
			   const struct delivery *deliveries, size_t count)
{
	if (is_here(ref)) {
		struct endpoint *endpoint = slots_get(ref);

		if (endpoint)
			endpoint->ops->deliver(endpoint, source->consumer, deliveries, count);
		return endpoint != NULL;
	}

	struct deliver_letter *l = slab_alloc(deliver_letter_size(count));
	l->letter.deliver = deliver_arrived;
	l->endpoint = ref;
	l->source = *source;
	l->count = count;
	memcpy(l->deliveries, deliveries, count * sizeof(*deliveries));
	loop_post(ref.loop, &l->letter);
	return true;
}

/* ---- Notes about a consumer ---- */

enum note { NOTE_CANCELLED, NOTE_WANT, NOTE_GRANTS_RETURNED };

struct note_letter {
	struct letter letter;
	struct actor_ref endpoint;
	enum note note;
	uint32_t consumer, count;
};

static void note_here(struct actor_ref ref, enum note note, uint32_t consumer, uint32_t count)
{
	struct endpoint *endpoint = slots_get(ref);

	if (!endpoint)
		return;
	switch (note) {
	case NOTE_CANCELLED:
		endpoint->ops->cancelled(endpoint, consumer);
		break;
	case NOTE_WANT:
		endpoint->ops->want(endpoint, consumer);
		break;
	case NOTE_GRANTS_RETURNED:
		endpoint->ops->grants_returned(endpoint, consumer, count);
		break;
	}
}

static void note_arrived(struct letter *letter)
{
	struct note_letter *l = container_of(letter, struct note_letter, letter);

	note_here(l->endpoint, l->note, l->consumer, l->count);
	slab_free(l, sizeof(*l));
}

static void post_note(struct actor_ref ref, enum note note, uint32_t consumer, uint32_t count)
{
	if (is_here(ref)) {
		note_here(ref, note, consumer, count);
		return;
	}
	struct note_letter *l = slab_alloc(sizeof(*l));
	*l = (struct note_letter){
		.letter.deliver = note_arrived,
		.endpoint = ref,
		.note = note,
		.consumer = consumer,
		.count = count,
	};
	loop_post(ref.loop, &l->letter);
}

void endpoint_post_cancelled(struct actor_ref endpoint, uint32_t consumer)
{
	post_note(endpoint, NOTE_CANCELLED, consumer, 0);
}

void endpoint_post_want(struct actor_ref endpoint, uint32_t consumer)
{
	post_note(endpoint, NOTE_WANT, consumer, 0);
}

void endpoint_post_grants_returned(struct actor_ref endpoint, uint32_t consumer, uint32_t count)
{
	post_note(endpoint, NOTE_GRANTS_RETURNED, consumer, count);
}

/* ---- Outcomes of publishes ---- */

struct published_letter {
	struct letter letter;
	struct actor_ref endpoint;
	size_t count;
	struct publish_outcome outcomes[];
};

static void published_here(struct actor_ref ref, const struct publish_outcome *outcomes,
			   size_t count)
{
	struct endpoint *endpoint = slots_get(ref);

	if (endpoint)
		endpoint->ops->published(endpoint, outcomes, count, 0);
}

static size_t published_letter_size(size_t count)
{
	return sizeof(struct published_letter) + count * sizeof(struct publish_outcome);
}

static void published_arrived(struct letter *letter)
{
	struct published_letter *l = container_of(letter, struct published_letter, letter);

	published_here(l->endpoint, l->outcomes, l->count);
	slab_free(l, published_letter_size(l->count));
}

void endpoint_post_published(struct actor_ref ref, const struct publish_outcome *outcomes,
			     size_t count)
{
	if (is_here(ref)) {
		published_here(ref, outcomes, count);
		return;
	}
	struct published_letter *l = slab_alloc(published_letter_size(count));
	l->letter.deliver = published_arrived;
	l->endpoint = ref;
	l->count = count;
	memcpy(l->outcomes, outcomes, count * sizeof(*outcomes));
	loop_post(ref.loop, &l->letter);
}
