/* SPDX-License-Identifier: MIT */
#include "broker/router/state.h"

#include <errno.h>

#include "base/bug.h"
#include "base/slab.h"
#include "broker/endpoint.h"
#include "broker/queue/queue.h"
#include "broker/queue/log.h"
#include "broker/router/observe.h"
#include "broker/router/reply.h"
#include "loop/budget.h"
#include "loop/lag.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

/*
 * Targets on this loop are called, in the order of the publications. For every other loop there is
 * one letter with all its messages and targets; the same letter comes back with how it went, so
 * that what one loop allocates it also frees.
 *
 * The bytes in a letter are the publisher's account (publication.inflight_bytes) until it comes
 * back. If the log over there is behind, and got more from this letter, the letter waits there. So
 * does what went to this loop's log: then nothing is under way, but the publisher's account is
 * charged all the same, until the log has caught up. Who has too much on its account is not read
 * from (conn/placement/pressure.h).
 *
 * A letter to a queue whose deliveries lag behind may be held there in the same way (loop/lag.h).
 *
 * Of an atomic batch, each loop gets its part at once, and so in one append to its log.
 */

/*
 * What a message costs on its way beside itself. Not memory, of which it takes some hundred bytes:
 * the time that others in the mailbox wait for it, in bytes that take as long. So a publisher has
 * no more than some hundred small messages under way, or some megabytes of large ones.
 */
#define WAY_COST 6144u

/* What it costs to take a message from a letter, by loop/budget.h: as much as to read one. */
#define ROUTE_UNITS 3u

struct route_item {
	struct message *message;
	uint64_t seq;
	uint32_t n_targets;
};

struct route_letter {
	struct letter letter;
	struct queue_log_waiter waiter;
	struct broker *broker;
	struct actor_ref publisher; /* none: nobody wants the letter back */
	struct loop_task release;   /* while it is held */
	bool is_atomic, is_logged;
	uint64_t taken_bytes;
	size_t size; /* of all of it, by which it is freed */
	uint32_t n_items, n_targets, n_outcomes;
	struct route_item *items;	  /* the three arrays lie behind the struct */
	struct route_target *targets;	  /* in the order of the items */
	struct publish_outcome *outcomes; /* filled over there */
	struct shunt_bytes user; /* who published, for observers: behind the arrays; empty: none */
};

/* Uses up one reference of the message, and the target's. */
static ALWAYS_INLINE enum queue_publish_result
give(struct broker *broker, const struct route_target *target, struct message *message,
     struct shunt_bytes user, struct actor_ref publisher, uint64_t seq)
{
	struct queue *queue;

	if (target->reply_key != 0 && target->ref.slot == ROUTE_OBSERVER) {
		router_observe(broker, target, message, user);
		return QUEUE_ACCEPTED;
	}
	if (target->reply_key != 0) {
		router_reply_deliver(target->ref, target->reply_key, message);
	} else {
		queue = slots_get(target->ref);
		if (queue)
			return queue_publish_take(queue, message, publisher, seq);
	}
	/* A queue that is gone has taken what it was to take: RabbitMQ confirms then, too. */
	message_unref(message);
	return QUEUE_ACCEPTED;
}

/* ---- The letter ---- */

/* Back on the publisher's loop. */
static void come_back(struct letter *letter)
{
	struct route_letter *route = container_of(letter, struct route_letter, letter);
	struct endpoint *endpoint = slots_get(route->publisher);

	if (endpoint)
		endpoint->ops->published(endpoint, route->outcomes, route->n_outcomes,
					 route->taken_bytes);
	slab_free(route, route->size);
}

static void go_back(struct queue_log_waiter *waiter)
{
	struct route_letter *route = container_of(waiter, struct route_letter, waiter);

	loop_post(route->publisher.loop, &route->letter);
}

/* All is done: the publisher hears of it when the log has caught up. */
static void end_route(struct route_letter *route)
{
	struct queue_log *log = broker_loop_self(route->broker)->log;

	route->letter.deliver = come_back;
	route->waiter.caught_up = go_back;
	if (route->is_logged && queue_log_is_behind(log))
		queue_log_wait(log, &route->waiter);
	else
		go_back(&route->waiter);
}

static void release(struct loop_task *task)
{
	end_route(container_of(task, struct route_letter, release));
}

static void give_item(struct route_letter *route, const struct route_item *item,
		      const struct route_target *targets)
{
	for (uint32_t i = 0; i < item->n_targets; i++) {
		bool is_last = i + 1 == item->n_targets;
		struct message *message = is_last ? item->message : message_ref(item->message);
		enum queue_publish_result result = give(route->broker, &targets[i], message,
							route->user, route->publisher, item->seq);

		if (item->seq != 0 && result != QUEUE_PENDING)
			route->outcomes[route->n_outcomes++] = (struct publish_outcome){
				.seq = item->seq, .rejected = result == QUEUE_REJECTED};
	}
}

static void arrive(struct letter *letter)
{
	struct route_letter *route = container_of(letter, struct route_letter, letter);
	const struct route_target *targets = route->targets;
	struct queue_log *log = broker_loop_self(route->broker)->log;
	uint64_t added = queue_log_added(log);
	size_t fed = loop_lag_count_fed();

	loop_spend(ROUTE_UNITS * route->n_targets + loop_units_of(route->taken_bytes));
	for (uint32_t i = 0; i < route->n_items; i++) {
		give_item(route, &route->items[i], targets);
		targets += route->items[i].n_targets;
	}
	if (route->is_atomic)
		queue_log_make_atomic(log);
	if (actor_ref_is_none(route->publisher)) {
		slab_free(route, route->size);
		return;
	}
	route->is_logged = queue_log_added(log) != added;
	loop_task_init(&route->release, release);
	if (loop_lag_count_fed() != fed && loop_lag_holds())
		loop_lag_hold(&route->release);
	else
		end_route(route);
}

/* Nobody else asks for it. */
static struct shunt_bytes user_for_observers(const struct router *router)
{
	return router->has_observers ? router->routed.view.user : (struct shunt_bytes){NULL, 0};
}

/* The size depends on how many bindings there are, so it may fail. */
static struct route_letter *letter_create(const struct router *router,
					  const struct router_remote *remote,
					  const struct publish_batch *batch)
{
	struct shunt_bytes user = user_for_observers(router);
	size_t items_size = remote->n_items * sizeof(struct route_item);
	size_t targets_size = remote->n_targets * sizeof(struct route_target);
	size_t outcomes_size = remote->n_outcomes * sizeof(struct publish_outcome);
	size_t size =
		sizeof(struct route_letter) + items_size + targets_size + outcomes_size + user.size;
	struct route_letter *route = slab_try_alloc(size);

	if (!route)
		return NULL;
	*route = (struct route_letter){
		.letter = {.deliver = arrive},
		.broker = router->broker,
		.publisher = batch->publisher,
		.is_atomic = batch->is_atomic,
		.size = size,
	};
	route->items = (struct route_item *)(route + 1);
	route->targets = (struct route_target *)(route->items + remote->n_items);
	route->outcomes = (struct publish_outcome *)(route->targets + remote->n_targets);
	if (user.size > 0)
		route->user = (struct shunt_bytes){
			memcpy(route->outcomes + remote->n_outcomes, user.data, user.size),
			user.size};
	return route;
}

/* What will be in the letters, so that each is allocated once. */
static void count_remotes(struct router *router, const struct publication *publications,
			  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t t = router->first[i]; t < router->first[i + 1]; t++) {
			struct router_remote *remote =
				&router->remotes[router->targets[t].ref.loop];

			remote->n_items += remote->last_item != i + 1;
			remote->last_item = (uint32_t)i + 1;
			remote->n_targets++;
			remote->n_outcomes += publications[i].seq != 0;
		}
	}
}

/* False: not all. */
static bool create_letters(struct router *router, const struct publish_batch *batch)
{
	bool is_done = true;

	for (unsigned i = 0; i < router->n_loops; i++) {
		struct router_remote *remote = &router->remotes[i];

		remote->last_item = 0;
		if (i == router->own_loop || remote->n_targets == 0)
			continue;
		remote->letter = letter_create(router, remote, batch);
		is_done = is_done && remote->letter;
	}
	return is_done;
}

/* Nothing has been put in them. */
static void destroy_letters(struct router *router)
{
	for (unsigned i = 0; i < router->n_loops; i++) {
		if (router->remotes[i].letter)
			slab_free(router->remotes[i].letter, router->remotes[i].letter->size);
		router->remotes[i] = (struct router_remote){0};
	}
}

static void put_in_letter(struct router_remote *remote, struct publication *publication,
			  uint32_t index, const struct route_target *target)
{
	struct route_letter *route = remote->letter;

	if (!route) {
		publication->rejected = true; /* no memory for it */
		route_target_drop(target);
		return;
	}
	if (remote->last_item != index + 1) {
		struct message *message = message_ref(publication->message);

		remote->last_item = index + 1;
		route->items[route->n_items++] =
			(struct route_item){.message = message, .seq = publication->seq};
		route->taken_bytes += message->alloc_size + WAY_COST;
		publication->inflight_bytes += message->alloc_size + WAY_COST;
	}
	route->items[route->n_items - 1].n_targets++;
	route->targets[route->n_targets++] = *target;
	publication->n_pending += publication->seq != 0;
}

static void post_letters(struct router *router)
{
	for (unsigned i = 0; i < router->n_loops; i++) {
		if (router->remotes[i].letter)
			loop_post(i, &router->remotes[i].letter->letter);
		router->remotes[i] = (struct router_remote){0};
	}
}

/* ---- What this loop's log has got ---- */

/* On a publisher's account until the log has caught up. */
struct route_charge {
	struct queue_log_waiter waiter;
	struct actor_ref publisher;
	uint64_t bytes;
};

static void take_off(struct queue_log_waiter *waiter)
{
	struct route_charge *charge = container_of(waiter, struct route_charge, waiter);
	struct endpoint *endpoint = slots_get(charge->publisher);

	if (endpoint)
		endpoint->ops->published(endpoint, NULL, 0, charge->bytes);
	slab_free(charge, sizeof(*charge));
}

static void charge_for_log(struct queue_log *log, struct actor_ref publisher,
			   struct publication *publication, uint64_t bytes)
{
	struct route_charge *charge = slab_alloc(sizeof(*charge));

	*charge = (struct route_charge){
		.waiter = {.caught_up = take_off}, .publisher = publisher, .bytes = bytes};
	publication->inflight_bytes += bytes;
	queue_log_wait(log, &charge->waiter);
}

/* ---- One publication ---- */

static ALWAYS_INLINE void hand_over_one(struct router *router, struct actor_ref publisher,
					struct publication *publication, size_t index)
{
	const struct route_target *target = &router->targets[router->first[index]];
	const struct route_target *end = &router->targets[router->first[index + 1]];
	struct message *message = publication->message;

	for (; target < end; target++) {
		if (target->ref.loop != router->own_loop) {
			put_in_letter(&router->remotes[target->ref.loop], publication,
				      (uint32_t)index, target);
			continue;
		}

		/* The last target gets the publication's own reference. */
		bool is_last = target + 1 == end;
		enum queue_publish_result result =
			give(router->broker, target, is_last ? message : message_ref(message),
			     router->routed.view.user, publisher, publication->seq);

		publication->rejected |= result == QUEUE_REJECTED;
		publication->n_pending += result == QUEUE_PENDING;
		if (is_last)
			publication->message = NULL;
	}
	if (publication->message)
		message_unref(publication->message);
	publication->message = NULL;
}

static inline void begin_publication(const struct router *router, struct publication *publication,
				     size_t index)
{
	publication->rejected = false;
	publication->n_pending = 0;
	publication->inflight_bytes = 0;
	publication->unroutable = router->first[index] == router->first[index + 1];
}

/* What only observers get is unroutable all the same, and the caller's. */
static NO_INLINE void hand_over_observed(struct router *router, struct actor_ref publisher,
					 struct publication *publications, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct publication *publication = &publications[i];
		struct message *message = NULL;

		begin_publication(router, publication, i);
		publication->unroutable = router_reached_no_queue(router, i);
		if (publication->unroutable)
			message = message_ref(publication->message);
		hand_over_one(router, publisher, publication, i);
		publication->message = message;
	}
}

static inline void hand_over_each(struct router *router, struct actor_ref publisher,
				  struct publication *publications, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		begin_publication(router, &publications[i], i);
		if (!publications[i].unroutable)
			hand_over_one(router, publisher, &publications[i], i);
	}
}

int router_hand_over(struct router *router, const struct publish_batch *batch,
		     struct publication *publications, size_t count)
{
	struct queue_log *log = broker_loop_self(router->broker)->log;
	uint64_t added = queue_log_added(log);

	if (router->has_remote) {
		count_remotes(router, publications, count);
		if (!create_letters(router, batch) && batch->is_atomic) {
			destroy_letters(router);
			return -ENOMEM;
		}
	}
	if (UNLIKELY(router->has_observers))
		hand_over_observed(router, batch->publisher, publications, count);
	else
		hand_over_each(router, batch->publisher, publications, count);
	if (router->has_remote)
		post_letters(router);
	if (batch->is_atomic)
		queue_log_make_atomic(log);
	if (queue_log_added(log) != added && queue_log_is_behind(log))
		charge_for_log(log, batch->publisher, &publications[count - 1],
			       queue_log_added(log) - added);
	return 0;
}
