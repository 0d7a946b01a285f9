/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/mem.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"
#include "broker/router/answers.h"
#include "broker/router/observe.h"
#include "broker/router/reply.h"
#include "broker/router/state.h"
#include "broker/upgrade/trial.h"

/*
 * In the read side: from a message's exchange and routing keys to its targets. Exchanges that
 * exchanges are bound to, and alternate exchanges, go on a work list, each once; every queue is a
 * target once. Where the routing key alone decides (shunt_exchange_type.routes_by_key), a message
 * with the names of the one before goes where that went; where properties may count, too
 * (.depends), one with the same properties. The read side ends, and begins anew for the rest of the
 * batch, when it has lasted too long; the clock is looked at every few messages only.
 */
#define READ_SIDE_NS	  80000
#define MESSAGES_PER_LOOK 8
#define TARGETS_PER_LOOK  512

/* ---- Targets ---- */

/* Doubles an array; false, and the router fails, when memory is out. */
static bool grow(struct router *router, void *array, size_t *capacity, size_t element_size)
{
	size_t wanted = *capacity > 0 ? *capacity * 2 : 64;
	void *old, *new;

	memcpy(&old, array, sizeof(old));
	new = mem_try_realloc(old, wanted * element_size);
	if (!new) {
		router->failed = true;
		return false;
	}
	memcpy(array, &new, sizeof(new));
	*capacity = wanted;
	return true;
}

bool router_grow_targets(struct router *router)
{
	return grow(router, &router->targets, &router->target_capacity, sizeof(*router->targets));
}

bool router_add_queue(struct router *router, struct actor_ref queue)
{
	router_add_target(router, queue, 0);
	if (LIKELY(!router->failed))
		return true;
	router->failed = false;
	return false;
}

static void add_queue(struct router *router, const struct queue_entry *entry)
{
	if (entry->pending || entry->doomed || router->queue_marks[entry->index] == router->epoch)
		return;
	router->queue_marks[entry->index] = router->epoch;
	router_add_target(router, entry->queue, 0);
}

static void add_exchange(struct router *router, struct exchange *exchange)
{
	if (exchange->pending || exchange->doomed ||
	    router->exchange_marks[exchange->index] == router->epoch)
		return;
	if (router->n_work == router->work_capacity &&
	    !grow(router, &router->work, &router->work_capacity, sizeof(*router->work)))
		return;
	router->exchange_marks[exchange->index] = router->epoch;
	router->work[router->n_work++] = exchange;
}

/* Such messages are routed one by one, so that each is observed. */
static NO_INLINE void add_observer(struct router *router, struct exchange *exchange)
{
	size_t before = router->n_targets;

	router->answers_by = 0;
	router->has_observers = true;
	router_add_target(router,
			  (struct actor_ref){.loop = exchange_own_loop(exchange, router->n_loops),
					     .slot = ROUTE_OBSERVER},
			  (uintptr_t)exchange);
	if (router->n_targets > before)
		exchange_ref(exchange);
}

void router_emit(struct shunt_sink *sink, const struct shunt_binding *const *bindings, size_t count)
{
	struct router *router = container_of(sink, struct router, sink);

	for (size_t i = 0; i < count; i++) {
		const struct binding *binding = container_of(bindings[i], struct binding, view);

		if (binding->pending || binding->doomed)
			continue;
		router->n_emitted++;
		if (binding->queue)
			add_queue(router, binding->queue);
		else
			add_exchange(router, binding->exchange);
	}
}

/* ---- Exchanges ---- */

void router_set_vhost(struct router *router, struct vhost *vhost)
{
	router->vhost = vhost;
	router->routed.view.vhost =
		(struct shunt_bytes){vhost->node.key.data, vhost->node.key.size};
	router->routed.view.user = (struct shunt_bytes){NULL, 0};
	router->n_extra_keys = 0;
}

static void set_routing_key(struct router *router, struct slice key)
{
	router->routed.view.routing_key = (struct shunt_bytes){key.data, key.size};
}

/* A name that is no queue's may be a reply consumer's. */
static void route_to_reply(struct router *router, struct slice key)
{
	struct actor_ref ref;
	uint64_t reply_key;

	if (key.size > 4 && key.data[0] == 'a' && router_reply_parse(key, &ref, &reply_key) &&
	    ref.loop < router->n_loops)
		router_add_target(router, ref, reply_key);
}

static void route_by_queue_name(struct router *router, struct slice key)
{
	const struct queue_entry *entry = topology_queue(router->vhost, key);

	if (entry)
		add_queue(router, entry);
	else
		route_to_reply(router, key);
}

/* True: it has routed the message, beside the shadow. Each message is asked for by itself. */
static bool try_shadow(struct router *router, const struct exchange *exchange,
		       struct shadow *shadow)
{
	router->answers_by = 0;
	if (!trial_route(router, exchange, shadow))
		return false;
	router->was_tried = true;
	return true;
}

static void route_by_key(struct router *router, const struct exchange *exchange, struct slice key)
{
	if (exchange_is_default(exchange)) {
		route_by_queue_name(router, key);
	} else if (exchange->type) {
		struct shadow *shadow =
			atomic_load_explicit(&exchange->tried, memory_order_acquire);

		unsigned answers_by = exchange->type->answers_by;

		router->answers_by &= answers_by;
		set_routing_key(router, key);
		if (UNLIKELY(shadow != NULL) && try_shadow(router, exchange, shadow))
			return;
		if (UNLIKELY((answers_by & ANSWERS_REMEMBERED) != 0))
			router_answer(router, exchange);
		else
			exchange->type->functions->route(exchange->instance, &router->routed.view,
							 &router->sink);
	}
}

static NO_INLINE void route_by_extra_keys(struct router *router, const struct exchange *exchange)
{
	if (exchange->type && exchange->type->own.routes_by_first_key)
		return;
	for (uint32_t i = 0; i < router->n_extra_keys; i++)
		route_by_key(router, exchange, router->extra_keys[i]);
}

static void visit(struct router *router, struct exchange *exchange, struct slice key)
{
	router->n_emitted = 0;
	route_by_key(router, exchange, key);
	if (UNLIKELY(router->n_extra_keys > 0))
		route_by_extra_keys(router, exchange);
	if (UNLIKELY(exchange->type && exchange->type->own.observe))
		add_observer(router, exchange);
	if (router->n_emitted > 0 || exchange->alternate.size == 0)
		return;

	struct exchange *alternate = topology_exchange(router->vhost, exchange->alternate);

	if (alternate)
		add_exchange(router, alternate);
}

static struct exchange *find_exchange(struct router *router, uint64_t generation, struct slice name)
{
	struct exchange *exchange = router->cached;

	if (LIKELY(exchange && router->cached_generation == generation &&
		   router->cached_vhost == router->vhost && slice_equal(exchange->node.key, name)))
		return exchange;
	exchange = topology_exchange(router->vhost, name);
	router->cached = exchange;
	router->cached_vhost = router->vhost;
	router->cached_generation = generation;
	return exchange;
}

static int check_exchange(const struct router *router, const struct exchange *exchange,
			  struct slice name, struct amqp_error *error)
{
	if (UNLIKELY(!exchange))
		return amqp_error_set(error, AMQP_NOT_FOUND,
				      "no exchange '" SLICE_FMT "' in vhost '%s'", SLICE_ARG(name),
				      router->vhost->name);
	if (UNLIKELY(exchange->internal))
		return amqp_error_set(error, AMQP_ACCESS_REFUSED,
				      "cannot publish to internal exchange '" SLICE_FMT
				      "' in vhost '%s'",
				      SLICE_ARG(name), router->vhost->name);
	if (UNLIKELY(!exchange->type && !exchange_is_default(exchange)))
		return exchange_error_not_loaded(exchange, error);
	return 0;
}

/* No mark has the new epoch. */
static inline void begin_epoch(struct router *router)
{
	if (UNLIKELY(++router->epoch == 0)) {
		memset(router->queue_marks, 0,
		       router->n_queue_marks * sizeof(*router->queue_marks));
		memset(router->exchange_marks, 0,
		       router->n_exchange_marks * sizeof(*router->exchange_marks));
		router->epoch = 1;
	}
	router->n_work = 0;
}

static ALWAYS_INLINE int walk(struct router *router, struct exchange *exchange,
			      struct message *message, struct amqp_error *error)
{
	struct slice name = message_exchange(message), key = message_routing_key(message),
		     body = message_body(message);

	begin_epoch(router);
	router->answers_by =
		router->n_extra_keys == 0 ? ANSWERS_BY_NAMES | ANSWERS_BY_PROPERTIES : 0;
	router->exchange_marks[exchange->index] = router->epoch;
	router->routed.message = message;
	router->routed.view.exchange = (struct shunt_bytes){name.data, name.size};
	router->routed.view.body = (struct shunt_bytes){body.data, body.size};
	visit(router, exchange, key);
	for (size_t i = 0; i < router->n_work; i++)
		visit(router, router->work[i], key);
	if (UNLIKELY(router->failed)) {
		router->failed = false;
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	}
	return 0;
}

static int find_targets(struct router *router, uint64_t generation, struct message *message,
			struct amqp_error *error)
{
	struct slice name = message_exchange(message);
	struct exchange *exchange = find_exchange(router, generation, name);

	if (check_exchange(router, exchange, name, error) != 0)
		return -EPROTO;
	return walk(router, exchange, message, error);
}

int router_walk(struct router *router, struct exchange *exchange, struct message *message,
		struct amqp_error *error)
{
	return walk(router, exchange, message, error);
}

/* ---- Repeated messages ---- */

/* The names are. */
static NO_INLINE bool has_same_properties(const struct message *before,
					  const struct message *message)
{
	return slice_equal(message_properties(before), message_properties(message));
}

static bool is_repeated(const struct router *router, const struct message *message)
{
	const struct message *before = router->repeatable;

	return before && before->exchange_size == message->exchange_size &&
	       before->routing_key_size == message->routing_key_size &&
	       memcmp(before->bytes, message->bytes, message_names(message).size) == 0 &&
	       (LIKELY((router->repeatable_by & ANSWERS_BY_NAMES) != 0) ||
		has_same_properties(before, message));
}

static int repeat_targets(struct router *router, struct amqp_error *error)
{
	for (size_t i = router->repeatable_first; i < router->repeatable_end; i++)
		router_add_target(router, router->targets[i].ref, router->targets[i].reply_key);
	if (LIKELY(!router->failed))
		return 0;
	router->failed = false;
	return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
}

static int route(struct router *router, uint64_t generation, struct message *message,
		 struct amqp_error *error)
{
	size_t first = router->n_targets;

	if (router->n_extra_keys == 0 && is_repeated(router, message))
		return repeat_targets(router, error);
	router->repeatable = NULL;
	if (find_targets(router, generation, message, error) != 0)
		return -EPROTO;
	if (router->answers_by == 0)
		return 0;
	router->repeatable = message;
	router->repeatable_by = router->answers_by;
	router->repeatable_first = first;
	router->repeatable_end = router->n_targets;
	return 0;
}

/* ---- As long as there is time ---- */

/* When to look at the clock, and what it said at first. */
struct pace {
	uint64_t start_ns;
	size_t n_messages, n_targets;
};

static bool is_time_up(struct router *router, struct pace *pace)
{
	if (++pace->n_messages < MESSAGES_PER_LOOK &&
	    router->n_targets - pace->n_targets < TARGETS_PER_LOOK && !router->was_tried &&
	    router->n_extra_keys == 0)
		return false;
	router->was_tried = false;
	pace->n_messages = 0;
	pace->n_targets = router->n_targets;
	return clock_monotonic_ns() - pace->start_ns > READ_SIDE_NS;
}

/* The keys of the batch's publication `at`, which come in order. */
static void set_extra_keys(struct router *router, const struct publish_batch *batch, size_t at)
{
	if (LIKELY(!batch->n_extra_keys))
		return;
	router->extra_keys = batch->extra_keys + router->extra_keys_done;
	router->n_extra_keys = batch->n_extra_keys[at];
	router->extra_keys_done += router->n_extra_keys;
}

size_t router_find_some(struct router *router, const struct publish_batch *batch, size_t from,
			size_t at, struct amqp_error *error, bool *ret_failed)
{
	struct topology *topology = router->broker->topology;
	size_t end = batch->count - at < ROUTER_BATCH_MAX ? batch->count : at + ROUTER_BATCH_MAX;
	struct pace pace = {
		.start_ns = end - at > MESSAGES_PER_LOOK / 2 || router->trial_marks
				    ? clock_monotonic_ns()
				    : 0,
		.n_targets = router->n_targets,
	};

	router_enter_read_side(router);
	router->repeatable = NULL;
	uint64_t generation = topology_generation(topology);

	while (at < end) {
		set_extra_keys(router, batch, at);
		if (route(router, generation, batch->publications[at].message, error) != 0) {
			router_cut_targets(router, router->first[at - from]);
			*ret_failed = true;
			break;
		}
		router->first[++at - from] = router->n_targets;
		if (at < end && is_time_up(router, &pace))
			break;
	}
	topology_read_end(topology);
	return at;
}
