/* SPDX-License-Identifier: MIT */
/* What operators see of a loop's queues, in slices. */
#include <string.h>

#include "amqp/properties.h"
#include "base/bug.h"
#include "broker/queue/state.h"

/* ---- Queues ---- */

static struct queue *at_link(struct list *link)
{
	return container_of(link, struct queue, on_loop);
}

/*
 * Serials grow on a loop, so they are in the order of the list. If the last one is gone, the one
 * where the slice before began is most probably there, and near.
 */
static struct list *list_begin(struct list *queues, const struct queue_cursor *cursor)
{
	struct queue *near = slots_get(cursor->last);
	struct list *link;

	if (near != NULL)
		return near->on_loop.next;
	near = slots_get(cursor->first);
	link = near != NULL ? near->on_loop.next : queues->next;
	while (link != queues && at_link(link)->ref.serial <= cursor->last.serial)
		link = link->next;
	return link;
}

bool queue_list(struct broker *broker, struct queue_cursor *cursor, unsigned limit,
		void (*visit)(void *context, struct queue *queue), void *context)
{
	struct list *queues = &broker_loop_self(broker)->queues;
	struct list *link = list_begin(queues, cursor);

	for (unsigned i = 0; link != queues && i < limit; link = link->next, i++) {
		cursor->last = at_link(link)->ref;
		if (i == 0)
			cursor->first = cursor->last;
		visit(context, at_link(link));
	}
	return link != queues;
}

/* ---- Consumers ---- */

static void show(const struct consumer *c,
		 void (*visit)(void *context, const struct queue_consumer_info *info),
		 void *context)
{
	const struct queue_consumer_info info = {
		.endpoint = c->key.endpoint,
		.number = c->key.number,
		.tag = c->tag,
		.arguments = c->arguments,
		.prefetch = c->prefetch,
		.priority = c->level->priority,
		.no_ack = c->no_ack,
		.exclusive = c->exclusive,
		.active = true,
	};

	visit(context, &info);
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_keys(const struct consumer_key *a, const struct consumer_key *b)
{
	int order = compare(a->endpoint.loop, b->endpoint.loop);

	if (order == 0)
		order = compare(a->endpoint.serial, b->endpoint.serial);
	return order != 0 ? order : compare(a->number, b->number);
}

struct consumer_choice {
	struct consumer_key after;
	const struct consumer *items[QUEUE_CONSUMERS_MAX]; /* by key */
	unsigned n, limit;
	bool has_more;
};

/* Puts it in its place among those with smaller keys, at most `limit` of them. */
static void choose(void *context, const struct consumer *c)
{
	struct consumer_choice *choice = context;
	unsigned i;

	if (compare_keys(&c->key, &choice->after) <= 0)
		return;
	if (choice->n == choice->limit) {
		choice->has_more = true;
		if (compare_keys(&c->key, &choice->items[choice->n - 1]->key) > 0)
			return;
		choice->n--;
	}
	for (i = choice->n++; i > 0 && compare_keys(&choice->items[i - 1]->key, &c->key) > 0; i--)
		choice->items[i] = choice->items[i - 1];
	choice->items[i] = c;
}

bool queue_list_consumers(const struct queue *q, struct queue_consumer_cursor *cursor,
			  unsigned limit,
			  void (*visit)(void *context, const struct queue_consumer_info *info),
			  void *context)
{
	struct consumer_choice choice = {
		.after = {cursor->endpoint, cursor->number},
		.limit = limit,
	};

	bug_on(limit == 0 || limit > QUEUE_CONSUMERS_MAX);
	consumer_for_each(&q->consumers, choose, &choice);
	for (unsigned i = 0; i < choice.n; i++)
		show(choice.items[i], visit, context);
	if (choice.n != 0) {
		const struct consumer_key *last = &choice.items[choice.n - 1]->key;

		*cursor = (struct queue_consumer_cursor){last->endpoint, last->number};
	}
	return choice.has_more;
}

bool queue_has_able_consumer(const struct queue *q)
{
	return q->consumers.n_able > 0;
}

/* ---- Messages ---- */

bool queue_head_timestamp(struct queue *q, uint64_t *ret_seconds)
{
	struct amqp_properties properties;
	const struct message *m;
	struct slot *slot;
	uint64_t seq;

	slot = backlog_ready(&q->backlog) != 0 ? backlog_head(&q->backlog, &seq) : NULL;
	m = slot != NULL ? slot_message(slot) : NULL;
	if (m == NULL || amqp_properties_decode(&properties, message_properties(m)) != 0 ||
	    !amqp_properties_has(&properties, AMQP_PROPERTY_TIMESTAMP))
		return false;
	*ret_seconds = properties.timestamp;
	return true;
}
