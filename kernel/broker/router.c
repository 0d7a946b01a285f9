/* SPDX-License-Identifier: MIT */
#include "broker/router.h"

#include "base/bug.h"
#include "base/clock.h"
#include "base/mem.h"
#include "broker/alarm.h"
#include "broker/exchange.h"
#include "broker/exchange_type.h"
#include "broker/router_observe.h"
#include "broker/router_reply.h"
#include "broker/router_state.h"
#include "broker/trial.h"
#include "loop/counters.h"
#include "loop/loop.h"

/*
 * In the read side: from a message's exchange and routing keys to its targets. Exchanges that
 * exchanges are bound to, and alternate exchanges, go on a work list, each once; every queue is a
 * target once. Where the routing key alone decides (shunt_exchange_type.routes_by_key), a message
 * with the names of the one before goes where that went. The read side ends, and begins anew for
 * the rest of the batch, when it has lasted too long; the clock is looked at every few messages
 * only.
 *
 * What is routed by then is handed over, unless the batch is atomic: then the targets of all of it
 * are gathered first.
 */
#define READ_SIDE_NS	  80000
#define MESSAGES_PER_LOOK 8
#define TARGETS_PER_LOOK  512
#define TARGETS_KEPT	  65536u /* room that is kept after an atomic batch */

static void emit(struct shunt_sink *sink, const struct shunt_binding *const *bindings,
		 size_t count);

struct router *router_create(void)
{
	struct router *router = mem_zalloc(sizeof(*router));

	router->sink.emit = emit;
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
	trial_marks_free(router->trial_marks);
	mem_free(router);
}

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

static inline void add_target(struct router *router, struct actor_ref ref, uint64_t reply_key)
{
	if (UNLIKELY(router->n_targets == router->target_capacity) &&
	    !grow(router, &router->targets, &router->target_capacity, sizeof(*router->targets)))
		return;
	router->targets[router->n_targets++] =
		(struct route_target){.ref = ref, .reply_key = reply_key};
	router->has_remote |= ref.loop != router->own_loop;
}

bool router_add_queue(struct router *router, struct actor_ref queue)
{
	add_target(router, queue, 0);
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
	add_target(router, entry->queue, 0);
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

	router->is_repeatable = false;
	router->has_observers = true;
	add_target(router,
		   (struct actor_ref){.loop = exchange_own_loop(exchange, router->n_loops),
				      .slot = ROUTE_OBSERVER},
		   (uintptr_t)exchange);
	if (router->n_targets > before)
		exchange_ref(exchange);
}

static void emit(struct shunt_sink *sink, const struct shunt_binding *const *bindings, size_t count)
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
		add_target(router, ref, reply_key);
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
	router->is_repeatable = false;
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

		router->is_repeatable &= exchange->type->own.routes_by_key;
		set_routing_key(router, key);
		if (UNLIKELY(shadow != NULL) && try_shadow(router, exchange, shadow))
			return;
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
	router->is_repeatable = router->n_extra_keys == 0;
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

static bool is_repeated(const struct router *router, const struct message *message)
{
	const struct message *before = router->repeatable;

	return before && before->exchange_size == message->exchange_size &&
	       before->routing_key_size == message->routing_key_size &&
	       memcmp(before->bytes, message->bytes, message_names(message).size) == 0;
}

static int repeat_targets(struct router *router, struct amqp_error *error)
{
	for (size_t i = router->repeatable_first; i < router->repeatable_end; i++)
		add_target(router, router->targets[i].ref, router->targets[i].reply_key);
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
	if (!router->is_repeatable)
		return 0;
	router->repeatable = message;
	router->repeatable_first = first;
	router->repeatable_end = router->n_targets;
	return 0;
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

/* When to look at the clock, and what it said at first. */
struct pace {
	uint64_t start_ns;
	size_t n_messages, n_targets;
};

static bool is_time_up(struct router *router, struct pace *pace)
{
	if (++pace->n_messages < MESSAGES_PER_LOOK &&
	    router->n_targets - pace->n_targets < TARGETS_PER_LOOK && !router->was_tried)
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

void router_forget_targets(struct router *router)
{
	router->n_targets = 0;
	router->has_remote = router->has_observers = false;
	router->first[0] = 0;
}

/*
 * Routes from publications[at] on, until the time is up or one fails; their targets go behind those
 * of publications[from..at - 1]. Returns where it stopped.
 */
static size_t route_some(struct router *router, const struct publish_batch *batch, size_t from,
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
		handled = route_some(router, batch, from, from, error, &failed);
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
		n = route_some(router, batch, 0, n, error, &failed);
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
	router->extra_keys_done = 0;
	batch->loop = ROUTER_NO_LOOP;
	handled = batch->is_atomic ? publish_whole(router, batch, error)
				   : publish_in_turn(router, batch, error);
	router->is_busy = false;
	alarms_check(broker->alarms);
	return handled;
}
