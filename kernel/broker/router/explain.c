/* SPDX-License-Identifier: MIT */
#include "broker/router/explain.h"

#include <errno.h>

#include "base/bug.h"
#include "base/mem.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"
#include "broker/message/message.h"
#include "broker/router/router.h"
#include "broker/router/reply.h"
#include "broker/topology/topology.h"
#include "loop/slots.h"

/*
 * All in one read side, so that the answer is of one moment. Whatever is in the way of a message
 * there is in the way here: what is pending or doomed is skipped, each exchange is visited and each
 * queue counted once (router.c).
 */
struct walk {
	struct shunt_sink sink; /* first: what plugins get is the walk's address */
	struct explanation *explanation;
	const struct explained_publish *publish;
	struct routed_message routed;
	uint8_t *queue_marks, *exchange_marks; /* bits by dense index */
	uint32_t n_queues, n_exchanges;	       /* for which there are bits */
	struct exchange *visited[EXPLAIN_EXCHANGES_MAX];
	size_t at; /* the present one */
	bool failed;
};

/* ---- Writing down ---- */

static struct slice copy(struct walk *walk, struct slice from)
{
	uint8_t *bytes;

	if (from.size == 0)
		return SLICE_EMPTY;
	bytes = mem_try_alloc(from.size);
	if (!bytes) {
		walk->failed = true;
		return SLICE_EMPTY;
	}
	memcpy(bytes, from.data, from.size);
	return slice_make(bytes, from.size);
}

static struct slice copy_bytes(struct walk *walk, struct shunt_bytes from)
{
	return copy(walk, slice_make(from.data, from.size));
}

/* True the first time. */
static bool mark(uint8_t *marks, uint32_t index)
{
	uint8_t bit = (uint8_t)(1u << index % 8);

	if ((marks[index / 8] & bit) != 0)
		return false;
	marks[index / 8] |= bit;
	return true;
}

static struct explained_exchange *present(struct walk *walk)
{
	return &walk->explanation->exchanges[walk->at];
}

static void add_queue(struct walk *walk, const struct queue_entry *entry)
{
	struct explanation *e = walk->explanation;

	if (entry->pending || entry->doomed || !mark(walk->queue_marks, entry->index))
		return;
	if (e->n_queues < EXPLAIN_QUEUES_MAX)
		e->queues[e->n_queues++] = copy(walk, entry->node.key);
	e->n_all_queues++;
}

static void add_exchange(struct walk *walk, struct exchange *exchange, enum explained_way way)
{
	struct explanation *e = walk->explanation;

	if (exchange->pending || exchange->doomed || !mark(walk->exchange_marks, exchange->index))
		return;
	if (e->n_exchanges == EXPLAIN_EXCHANGES_MAX) {
		e->is_cut = true;
		return;
	}
	walk->visited[e->n_exchanges] = exchange;
	e->exchanges[e->n_exchanges++] = (struct explained_exchange){
		.name = copy(walk, exchange->node.key),
		.type = (const char *)copy(walk, slice_make(exchange->type_name,
							    strlen(exchange->type_name) + 1))
				.data,
		.is_internal = exchange->internal,
		.is_loaded = exchange->type || exchange_is_default(exchange),
		.is_observed = exchange->type && exchange->type->own.observe,
		.way = way,
		.from = walk->at,
		.alternate = copy(walk, exchange->alternate),
	};
}

static void add_binding(struct walk *walk, const struct shunt_binding *view)
{
	struct explanation *e = walk->explanation;
	bool is_shown = view->arguments.size <= EXPLAIN_ARGUMENTS_MAX;

	present(walk)->n_matched++;
	if (e->n_all_bindings++ >= EXPLAIN_BINDINGS_MAX)
		return;
	e->bindings[e->n_bindings++] = (struct explained_binding){
		.exchange = walk->at,
		.routing_key = copy_bytes(walk, view->routing_key),
		.arguments = is_shown ? copy_bytes(walk, view->arguments) : SLICE_EMPTY,
		.destination = copy_bytes(walk, view->destination),
		.destination_is_exchange = view->destination_is_exchange,
		.lacks_arguments = !is_shown,
	};
}

static void emit(struct shunt_sink *sink, const struct shunt_binding *const *bindings, size_t count)
{
	struct walk *walk = container_of(sink, struct walk, sink);

	for (size_t i = 0; i < count; i++) {
		const struct binding *binding = container_of(bindings[i], struct binding, view);

		if (binding->pending || binding->doomed)
			continue;
		add_binding(walk, &binding->view);
		if (binding->queue)
			add_queue(walk, binding->queue);
		else
			add_exchange(walk, binding->exchange, EXPLAINED_BOUND);
	}
}

/* ---- Walking ---- */

/* The default exchange has a binding for each queue, by its name. */
static void visit_default(struct walk *walk, struct slice key)
{
	const struct queue_entry *entry = topology_queue(walk->publish->vhost, key);
	struct actor_ref ref;
	uint64_t reply_key;

	if (entry) {
		const struct shunt_bytes name = {key.data, key.size};
		const struct shunt_binding implied = {.routing_key = name, .destination = name};

		add_binding(walk, &implied);
		add_queue(walk, entry);
	} else if (router_reply_parse(key, &ref, &reply_key)) {
		present(walk)->matches_reply_name = true;
	}
}

static void visit_by_key(struct walk *walk, const struct exchange *exchange, struct slice key)
{
	walk->routed.view.routing_key = (struct shunt_bytes){key.data, key.size};
	if (exchange_is_default(exchange))
		visit_default(walk, key);
	else if (exchange->type)
		exchange->type->functions->route(exchange->instance, &walk->routed.view,
						 &walk->sink);
}

static void visit(struct walk *walk, const struct exchange *exchange)
{
	struct exchange *alternate = NULL;

	visit_by_key(walk, exchange, message_routing_key(walk->publish->message));
	if (!exchange->type || !exchange->type->own.routes_by_first_key) {
		for (size_t i = 0; i < walk->publish->n_extra_keys; i++)
			visit_by_key(walk, exchange, walk->publish->extra_keys[i]);
	}
	if (present(walk)->n_matched == 0 && exchange->alternate.size > 0)
		alternate = topology_exchange(walk->publish->vhost, exchange->alternate);
	if (alternate) {
		present(walk)->alternate_is_used = true;
		add_exchange(walk, alternate, EXPLAINED_ALTERNATE);
	}
}

static int walk_from(struct walk *walk, struct slice name)
{
	struct exchange *first = topology_exchange(walk->publish->vhost, name);

	if (!first)
		return -ENOENT;
	add_exchange(walk, first, EXPLAINED_PUBLISHED);
	for (; walk->at < walk->explanation->n_exchanges; walk->at++)
		visit(walk, walk->visited[walk->at]);
	return 0;
}

/* ---- Room ---- */

static bool explanation_init(struct explanation *e)
{
	*e = (struct explanation){
		.exchanges = mem_try_zalloc(EXPLAIN_EXCHANGES_MAX * sizeof(*e->exchanges)),
		.bindings = mem_try_zalloc(EXPLAIN_BINDINGS_MAX * sizeof(*e->bindings)),
		.queues = mem_try_zalloc(EXPLAIN_QUEUES_MAX * sizeof(*e->queues)),
	};
	return e->exchanges && e->bindings && e->queues;
}

static void free_slice(struct slice slice)
{
	mem_free((void *)(uintptr_t)slice.data);
}

void explanation_fini(struct explanation *e)
{
	for (size_t i = 0; i < e->n_exchanges; i++) {
		free_slice(e->exchanges[i].name);
		free_slice(e->exchanges[i].alternate);
		mem_free((void *)(uintptr_t)e->exchanges[i].type);
	}
	for (size_t i = 0; i < e->n_bindings; i++) {
		free_slice(e->bindings[i].routing_key);
		free_slice(e->bindings[i].arguments);
		free_slice(e->bindings[i].destination);
	}
	for (size_t i = 0; i < e->n_queues; i++)
		free_slice(e->queues[i]);
	mem_free(e->exchanges);
	mem_free(e->bindings);
	mem_free(e->queues);
}

/* Marks are made outside of the read side, so they may have become too few meanwhile. */
static bool make_marks(struct walk *walk, uint32_t n_queues, uint32_t n_exchanges)
{
	mem_free(walk->queue_marks);
	mem_free(walk->exchange_marks);
	walk->n_queues = n_queues + 64;
	walk->n_exchanges = n_exchanges + 64;
	walk->queue_marks = mem_try_zalloc(walk->n_queues / 8 + 1);
	walk->exchange_marks = mem_try_zalloc(walk->n_exchanges / 8 + 1);
	return walk->queue_marks && walk->exchange_marks;
}

static bool enter_read_side(struct walk *walk, struct topology *topology)
{
	for (;;) {
		topology_read_begin(topology);
		uint32_t n_queues = topology_queue_limit(topology),
			 n_exchanges = topology_exchange_limit(topology);

		if (n_queues <= walk->n_queues && n_exchanges <= walk->n_exchanges)
			return true;
		topology_read_end(topology);
		if (!make_marks(walk, n_queues, n_exchanges))
			return false;
	}
}

static void show(struct walk *walk)
{
	struct message *message = walk->publish->message;
	struct slice exchange = message_exchange(message), body = message_body(message),
		     vhost = walk->publish->vhost->node.key, user = walk->publish->user;

	walk->routed = (struct routed_message){
		.view = {.size = sizeof(walk->routed.view),
			 .exchange = {exchange.data, exchange.size},
			 .body = {body.data, body.size},
			 .vhost = {vhost.data, vhost.size},
			 .user = {user.data, user.size}},
		.message = message,
	};
}

int explain(struct broker *broker, const struct explained_publish *publish,
	    struct explanation *ret_explanation)
{
	struct explanation e;
	struct walk *walk = mem_try_zalloc(sizeof(*walk));
	int r = -ENOMEM;

	if (!explanation_init(&e) || !walk)
		goto out;
	walk->sink.emit = emit;
	walk->explanation = &e;
	walk->publish = publish;
	show(walk);
	if (!enter_read_side(walk, broker->topology))
		goto out;
	r = walk_from(walk, message_exchange(publish->message));
	topology_read_end(broker->topology);
	if (r == 0 && walk->failed)
		r = -ENOMEM;
	if (r == 0)
		*ret_explanation = e;
out:
	if (walk) {
		mem_free(walk->queue_marks);
		mem_free(walk->exchange_marks);
	}
	mem_free(walk);
	if (r != 0)
		explanation_fini(&e);
	return r;
}
