/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_ROUTER_STATE_H
#define KERNEL_BROKER_ROUTER_STATE_H

/* What router.c (batches), find.c (finding the targets) and handover.c (giving them
 * the messages) share. */

#include "base/compiler.h"
#include "broker/router/router.h"

/* Where a message goes. */
struct route_target {
	struct actor_ref ref;
	uint64_t reply_key; /* not 0: ref is an endpoint with that reply key, else a queue */
};

/*
 * An exchange whose type observes is a target, too: ref.loop is the loop that observes, ref.slot is
 * this, which is no object's, and reply_key is the exchange's address, with a reference.
 */
#define ROUTE_OBSERVER UINT32_MAX

struct route_letter;
struct router_answers;
struct trial_marks;

/* What a batch sends to another loop. */
struct router_remote {
	uint32_t n_items, n_targets, n_outcomes;
	uint32_t last_item; /* index of the publication that was counted or put in last, + 1 */
	struct route_letter *letter;
};

/* A loop's scratch space. Belongs to the loop. */
struct router {
	struct shunt_sink sink; /* first: what plugins get is the router's address */
	struct broker *broker;	/* when it is busy */
	bool is_busy;

	/* Marks by dense index: what has the present epoch has been visited by the present message.
	 */
	uint32_t epoch;
	uint32_t *queue_marks, *exchange_marks;
	uint32_t n_queue_marks, n_exchange_marks;

	/* The present message. */
	struct vhost *vhost;
	struct routed_message routed;
	const struct slice *extra_keys;
	uint32_t n_extra_keys;
	size_t extra_keys_done; /* of the batch's: those of messages before */
	size_t n_emitted;	/* bindings that the present exchange's type gave */
	bool failed;		/* memory is out */
	unsigned answers_by;	/* of all exchanges that were visited: enum exchange_answers */
	struct exchange **work; /* exchanges to visit */
	size_t n_work, work_capacity;

	/* The targets of the messages that are routed and not yet handed over: those of the i-th
	 * are from first[i] to first[i + 1]. */
	struct route_target *targets;
	size_t n_targets, target_capacity;
	size_t *first;
	size_t first_capacity;
	unsigned own_loop;
	bool has_remote, has_observers;
	size_t sample; /* which target is named to the publisher */

	/* Under this read side, a message with the names of this one, and its properties if those
	 * count, goes to these targets. */
	const struct message *repeatable;
	unsigned repeatable_by;
	size_t repeatable_first, repeatable_end;

	/* The exchange that was found last. */
	struct exchange *cached;
	struct vhost *cached_vhost;
	uint64_t cached_generation;

	struct router_answers *answers;	 /* broker/router/answers.h; NULL until one is remembered */
	struct trial_marks *trial_marks; /* broker/upgrade/trial.h; NULL until one is on */
	bool was_tried;			 /* a message cost more than others: look at the clock */

	struct router_remote *remotes; /* one a loop */
	unsigned n_loops;
};

/* Where messages are routed from now on; without extra keys, and published by nobody. */
void router_set_vhost(struct router *router, struct vhost *vhost);

/* Enters the read side, with as many marks as it needs. */
void router_enter_read_side(struct router *router);

/*
 * Inside it: finds the targets of a message that comes by the exchange. 506 when memory is out.
 */
int router_walk(struct router *router, struct exchange *exchange, struct message *message,
		struct amqp_error *error) MUST_USE;

/*
 * Routes from publications[at] on, until the time is up or one fails; their targets go behind those
 * of publications[from..at - 1]. Returns where it stopped.
 */
size_t router_find_some(struct router *router, const struct publish_batch *batch, size_t from,
			size_t at, struct amqp_error *error, bool *ret_failed);

/* Where exchange types put their answers: router.sink.emit. */
void router_emit(struct shunt_sink *sink, const struct shunt_binding *const *bindings,
		 size_t count);

/* Doubles the room; false, and router.failed is set, when memory is out. */
bool router_grow_targets(struct router *router);

static inline void router_add_target(struct router *router, struct actor_ref ref,
				     uint64_t reply_key)
{
	if (UNLIKELY(router->n_targets == router->target_capacity) && !router_grow_targets(router))
		return;
	router->targets[router->n_targets++] =
		(struct route_target){.ref = ref, .reply_key = reply_key};
	router->has_remote |= ref.loop != router->own_loop;
}

/* One more target of the present message. False: memory is out. */
bool router_add_queue(struct router *router, struct actor_ref queue) MUST_USE;

/* Forgets all targets that were found. */
void router_forget_targets(struct router *router);

/*
 * Outside of the read side: gives the messages of publications[0..count - 1] to their targets. If
 * all or nothing is to be given, it may be nothing: -ENOMEM.
 */
int router_hand_over(struct router *router, const struct publish_batch *batch,
		     struct publication *publications, size_t count);

#endif
