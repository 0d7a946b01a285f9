/* SPDX-License-Identifier: MIT */
#include "broker/router/router.h"

#include "base/bug.h"
#include "base/mem.h"
#include "broker/alarm.h"
#include "broker/router/answers.h"
#include "broker/router/observe.h"
#include "broker/router/state.h"
#include "broker/upgrade/trial.h"
#include "loop/counters.h"
#include "loop/loop.h"

/*
 * Batches. Their targets are found in the read side (find.c), which may end before the batch
 * does; what is routed by then is handed over (handover.c), unless the batch is atomic: then
 * the targets of all of it are gathered first.
 */
#define TARGETS_KEPT 65536u /* room that is kept after an atomic batch */

struct router *router_create(void)
{
	struct router *router = mem_zalloc(sizeof(*router));

	router->sink.emit = router_emit;
	router->routed.view.size = sizeof(struct shunt_message);
	router->own_loop = loop_index(loop_self());
	router->n_loops = loop_count();
	router->remotes = mem_zalloc(router->n_loops * sizeof(*router->remotes));
	router->first_capacity = ROUTER_BATCH_MAX + 1;
	router->first = mem_alloc(router->first_capacity * sizeof(*router->first));
	return router;
}

void router_destroy(struct router *router)
{
	if (!router)
		return;
	mem_free(router->queue_marks);
	mem_free(router->exchange_marks);
	mem_free(router->work);
	mem_free(router->targets);
	mem_free(router->first);
	mem_free(router->remotes);
	router_answers_free(router->answers);
	trial_marks_free(router->trial_marks);
	mem_free(router);
}

/* ---- Batches ---- */

static uint32_t *grow_marks(uint32_t *marks, uint32_t *n, uint32_t limit)
{
	uint32_t wanted = limit + limit / 2 + 64;

	marks = mem_realloc(marks, wanted * sizeof(*marks));
	memset(marks + *n, 0, (wanted - *n) * sizeof(*marks));
	*n = wanted;
	return marks;
}

/* The marks are made outside. */
void router_enter_read_side(struct router *router)
{
	struct topology *topology = router->broker->topology;

	for (;;) {
		if (UNLIKELY(topology_has_trials(topology)))
			trial_make_room(router);
		topology_read_begin(topology);
		uint32_t queues = topology_queue_limit(topology),
			 exchanges = topology_exchange_limit(topology);

		if (LIKELY(queues <= router->n_queue_marks &&
			   exchanges <= router->n_exchange_marks))
			return;
		topology_read_end(topology);
		if (queues > router->n_queue_marks)
			router->queue_marks =
				grow_marks(router->queue_marks, &router->n_queue_marks, queues);
		if (exchanges > router->n_exchange_marks)
			router->exchange_marks = grow_marks(router->exchange_marks,
							    &router->n_exchange_marks, exchanges);
	}
}

void router_forget_targets(struct router *router)
{
	router->n_targets = 0;
	router->has_remote = router->has_observers = false;
	router->first[0] = 0;
}

static size_t count_routed(const struct publication *publications, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += !publications[i].unroutable;
	return n;
}

/* The last ones that were routed stand for the batch. */
static unsigned sample_loop(struct router *router)
{
	if (router->n_targets == 0)
		return ROUTER_NO_LOOP;

	const struct route_target *target = &router->targets[router->sample++ % router->n_targets];

	return target->ref.slot != ROUTE_OBSERVER ? target->ref.loop : ROUTER_NO_LOOP;
}

static size_t publish_in_turn(struct router *router, struct publish_batch *batch,
			      struct amqp_error *error)
{
	size_t handled = 0;
	bool failed = false;

	bug_on(batch->count > ROUTER_BATCH_MAX);
	while (handled < batch->count && !failed) {
		size_t from = handled;

		router_forget_targets(router);
		handled = router_find_some(router, batch, from, from, error, &failed);
		(void)router_hand_over(router, batch, batch->publications + from, handled - from);
		counter_add(COUNTER_MESSAGES_ROUTED,
			    count_routed(batch->publications + from, handled - from));
	}
	batch->loop = sample_loop(router);
	return handled;
}

/* How much it takes is the publisher's doing. */
static bool make_room(struct router *router, size_t count)
{
	size_t *first;

	if (count < router->first_capacity)
		return true;
	first = mem_try_realloc(router->first, (count + 1) * sizeof(*first));
	if (!first)
		return false;
	router->first = first;
	router->first_capacity = count + 1;
	return true;
}

static void give_room_back(struct router *router)
{
	if (router->target_capacity > TARGETS_KEPT) {
		mem_free(router->targets);
		router->targets = NULL;
		router->target_capacity = 0;
	}
	if (router->first_capacity > TARGETS_KEPT) {
		mem_free(router->first);
		router->first_capacity = ROUTER_BATCH_MAX + 1;
		router->first = mem_alloc(router->first_capacity * sizeof(*router->first));
	}
}

static size_t publish_whole(struct router *router, const struct publish_batch *batch,
			    struct amqp_error *error)
{
	size_t n = 0;
	bool failed = false;

	if (!make_room(router, batch->count)) {
		(void)amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
		return 0;
	}
	router_forget_targets(router);
	while (n < batch->count && !failed)
		n = router_find_some(router, batch, 0, n, error, &failed);
	if (!failed && router_hand_over(router, batch, batch->publications, n) != 0) {
		(void)amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
		failed = true;
	}
	if (failed)
		router_cut_targets(router, 0);
	else
		counter_add(COUNTER_MESSAGES_ROUTED, count_routed(batch->publications, n));
	give_room_back(router);
	return failed ? 0 : n;
}

size_t router_publish(struct broker *broker, struct publish_batch *batch, struct amqp_error *error)
{
	struct router *router = broker_loop_self(broker)->router;
	size_t handled;

	bug_on(router->is_busy);
	router->is_busy = true;
	router->broker = broker;
	router_set_vhost(router, batch->vhost);
	router->routed.view.user = (struct shunt_bytes){batch->user.data, batch->user.size};
	router->extra_keys_done = 0;
	batch->loop = ROUTER_NO_LOOP;
	handled = batch->is_atomic ? publish_whole(router, batch, error)
				   : publish_in_turn(router, batch, error);
	router->is_busy = false;
	alarms_check(broker->alarms);
	return handled;
}
