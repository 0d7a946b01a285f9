/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_TOPOLOGY_FIXTURE_H
#define TESTS_UNIT_BROKER_TOPOLOGY_FIXTURE_H

/*
 * A whole broker without connections, its loops driven by hand: a store in memory that can be told
 * to fail, and three exchange types of the test's own (direct, fanout, picky), which count what
 * they are called for.
 */

#include <string.h>

#include <CUnit/CUnit.h>

#include "amqp/table_writer.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/change/declare.h"
#include "broker/topology/exchange_type.h"
#include "broker/message/message.h"
#include "broker/queue/queue.h"
#include "broker/topology/topology.h"
#include "loop/loop.h"
#include "store/engine.h"
#include "store/store.h"

/* ---- Exchange types ---- */

struct fake_bound {
	struct list link;
	const struct shunt_binding *binding;
};

struct fake_exchange {
	struct list bound;
	bool by_key;
	size_t n_bound;
};

static _Atomic int fake_instances; /* created and not destroyed */
static _Atomic bool fake_bind_fails;

static inline void fake_say(struct shunt_error *error, uint16_t code, const char *text)
{
	error->code = code;
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
}

static inline int fake_validate(void *plugin, const struct shunt_exchange *exchange,
				struct shunt_error *error)
{
	(void)plugin;
	if (exchange->auto_delete)
		return 0;
	fake_say(error, SHUNT_PRECONDITION_FAILED, "picky");
	return -1;
}

static inline int fake_create(bool by_key, void **ret_state)
{
	struct fake_exchange *state = mem_zalloc(sizeof(*state));

	list_init(&state->bound);
	state->by_key = by_key;
	fake_instances++;
	*ret_state = state;
	return 0;
}

static inline int fake_create_direct(void *plugin, const struct shunt_exchange *exchange,
				     void **ret_state, struct shunt_error *error)
{
	(void)plugin;
	(void)exchange;
	(void)error;
	return fake_create(true, ret_state);
}

static inline int fake_create_fanout(void *plugin, const struct shunt_exchange *exchange,
				     void **ret_state, struct shunt_error *error)
{
	(void)plugin;
	(void)exchange;
	(void)error;
	return fake_create(false, ret_state);
}

static inline void fake_destroy(void *state)
{
	struct fake_exchange *exchange = state;
	struct list *link;

	while ((link = list_pop(&exchange->bound)) != NULL)
		mem_free(container_of(link, struct fake_bound, link));
	mem_free(exchange);
	fake_instances--;
}

static inline int fake_validate_binding(const void *state, const struct shunt_binding *binding,
					struct shunt_error *error)
{
	(void)state;
	if (binding->routing_key.size != 3 || memcmp(binding->routing_key.data, "bad", 3) != 0)
		return 0;
	fake_say(error, SHUNT_PRECONDITION_FAILED, "bad key");
	return -1;
}

static inline int fake_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
			    struct shunt_error *error)
{
	struct fake_exchange *exchange = state;
	struct fake_bound *bound;

	if (fake_bind_fails) {
		fake_say(error, SHUNT_RESOURCE_ERROR, "out of memory");
		return -1;
	}
	bound = mem_zalloc(sizeof(*bound));
	bound->binding = binding;
	list_add_tail(&exchange->bound, &bound->link);
	exchange->n_bound++;
	*ret_cookie = bound;
	return 0;
}

static inline void fake_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct fake_exchange *exchange = state;
	struct fake_bound *bound = cookie;

	bug_on(bound->binding != binding);
	list_remove(&bound->link);
	mem_free(bound);
	exchange->n_bound--;
}

static inline void fake_route(const void *state, const struct shunt_message *message,
			      struct shunt_sink *sink)
{
	const struct fake_exchange *exchange = state;
	struct list *pos;

	list_for_each(pos, &exchange->bound) {
		const struct shunt_binding *binding =
			container_of(pos, struct fake_bound, link)->binding;

		if (!exchange->by_key ||
		    (binding->routing_key.size == message->routing_key.size &&
		     memcmp(binding->routing_key.data, message->routing_key.data,
			    message->routing_key.size) == 0))
			sink->emit(sink, &binding, 1);
	}
}

#define FAKE_TYPE(name_, create_, ...)                                                             \
	{                                                                                          \
		.size = sizeof(struct shunt_exchange_type), .name = (name_),                       \
		.description = "for tests", .create = (create_), .destroy = fake_destroy,          \
		.validate_binding = fake_validate_binding, .bind = fake_bind,                      \
		.unbind = fake_unbind, .route = fake_route, __VA_ARGS__                            \
	}

#ifndef FAKE_DIRECT_DEPENDS
#define FAKE_DIRECT_DEPENDS NULL /* nobody remembers its answers */
#endif

static const struct shunt_exchange_type fake_direct =
	FAKE_TYPE("direct", fake_create_direct, .depends = FAKE_DIRECT_DEPENDS);
static const struct shunt_exchange_type fake_fanout = FAKE_TYPE("fanout", fake_create_fanout, );
static const struct shunt_exchange_type fake_picky =
	FAKE_TYPE("picky", fake_create_fanout, .validate = fake_validate);

/* ---- The broker ---- */

static struct broker *broker;
static struct store *store;
static struct vhost *vhost;
static struct store_engine_ops store_ops;
static void (*store_real_commit)(struct store *store, struct store_commit *commit);
static bool store_fails, store_holds; /* commits fail, or wait until store_release() */
static struct store_commit *store_held[64];
static size_t n_store_held;
static _Atomic size_t n_store_commits, n_store_changes;

static inline void store_count_commit(struct store *s, struct store_commit *commit)
{
	n_store_commits++;
	n_store_changes += commit->n_changes;
	if (store_fails) {
		/* Expects the impossible: refused by the engine, and told in its own time. */
		static const struct store_change refused = {
			{(const uint8_t *)"no/such", 7}, {NULL, 0}, 12345};

		commit->changes = &refused;
		commit->n_changes = 1;
	}
	store_real_commit(s, commit);
}

static void (*held_done[64])(struct store_commit *commit, enum store_result result,
			     uint64_t revision);

/* Keeps the completion back. */
static inline void store_hold_done(struct store_commit *commit, enum store_result result,
				   uint64_t revision)
{
	(void)result;
	(void)revision;
	store_held[n_store_held++] = commit;
}

static inline void store_hook_commit(struct store *s, struct store_commit *commit)
{
	if (store_holds) {
		held_done[n_store_held] = commit->done;
		commit->done = store_hold_done;
	}
	store_count_commit(s, commit);
}

static inline void turn_one(void *arg)
{
	(void)arg;
	loop_run_once(false);
}

/* Enough turns of all loops for whatever is under way. */
static inline void turn(void)
{
	for (int i = 0; i < 12; i++) {
		for (unsigned loop = 0; loop < loop_count(); loop++)
			loop_pool_visit(loop, turn_one, NULL);
	}
}

static inline void store_release(void)
{
	turn();
	for (size_t i = 0; i < n_store_held; i++)
		held_done[i](store_held[i], store_held[i]->result, store_held[i]->revision);
	n_store_held = 0;
	store_holds = false;
	turn();
}

static inline void register_type(const struct shunt_exchange_type *type)
{
	CU_ASSERT_EQUAL_FATAL(exchange_type_register(broker->topology, type, NULL, "fake"), 0);
}

static inline void store_begin(unsigned n_loops)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(n_loops), 0);
	store = store_memory_create(n_loops);
	store_ops = *store->ops;
	store_real_commit = store_ops.commit;
	store_ops.commit = store_hook_commit;
	store->ops = &store_ops;
	store_fails = store_holds = false;
	n_store_held = 0;
	n_store_commits = 0;
	n_store_changes = 0;
	fake_bind_fails = false;
}

static inline void broker_begin(unsigned n_loops)
{
	store_begin(n_loops);
	broker = broker_create(n_loops, store, "/");
	vhost = topology_vhost(broker->topology, SLICE_LITERAL("/"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(vhost);
	register_type(&fake_direct);
	register_type(&fake_fanout);
	register_type(&fake_picky);
}

static inline void broker_end(void)
{
	turn();
	broker_destroy(broker);
	turn();
	store_destroy(store);
	loop_pool_destroy();
	CU_ASSERT_EQUAL(fake_instances, 0);
}

/* ---- Asking ---- */

#define CONNECTION 7u

struct ask {
	struct declare_request request;
	bool is_done;
};

static inline void ask_done(struct declare_request *request)
{
	container_of(request, struct ask, request)->is_done = true;
}

static inline void ask_begin(struct ask *ask, enum declare_operation operation, const char *name)
{
	*ask = (struct ask){.request = {
				    .operation = operation,
				    .broker = broker,
				    .vhost = vhost,
				    .connection = CONNECTION,
				    .done = ask_done,
				    .name = slice_cstr(name),
			    }};
}

/* On the loop of the caller; the answer's code. */
static inline int ask_wait(struct ask *ask)
{
	if (!ask->is_done)
		turn();
	CU_ASSERT_TRUE_FATAL(ask->is_done);
	return ask->request.error.code;
}

static inline int ask_now(struct ask *ask)
{
	declare_submit(&ask->request);
	return ask_wait(ask);
}

static struct ask asked; /* the last one of the functions below */

enum flags {
	DURABLE = 1,
	AUTO_DELETE = 2,
	INTERNAL = 4,
	EXCLUSIVE = 8,
	PASSIVE = 16,
	SERVER_NAMED = 32
};

static inline int exchange_declare_with(const char *name, const char *type, unsigned flags,
					struct slice arguments)
{
	ask_begin(&asked, DECLARE_EXCHANGE, name);
	asked.request.arguments = arguments;
	asked.request.exchange.type = slice_cstr(type);
	asked.request.exchange.durable = (flags & DURABLE) != 0;
	asked.request.exchange.auto_delete = (flags & AUTO_DELETE) != 0;
	asked.request.exchange.internal = (flags & INTERNAL) != 0;
	asked.request.exchange.passive = (flags & PASSIVE) != 0;
	return ask_now(&asked);
}

static inline int exchange_declare(const char *name, const char *type, unsigned flags)
{
	return exchange_declare_with(name, type, flags, SLICE_EMPTY);
}

static inline int exchange_delete(const char *name, bool if_unused)
{
	ask_begin(&asked, DECLARE_EXCHANGE_DELETE, name);
	asked.request.exchange_delete.if_unused = if_unused;
	return ask_now(&asked);
}

static inline void queue_ask(struct ask *ask, const char *name, unsigned flags,
			     struct slice arguments)
{
	ask_begin(ask, DECLARE_QUEUE, name);
	ask->request.arguments = arguments;
	ask->request.queue_declare.durable = (flags & DURABLE) != 0;
	ask->request.queue_declare.auto_delete = (flags & AUTO_DELETE) != 0;
	ask->request.queue_declare.exclusive = (flags & EXCLUSIVE) != 0;
	ask->request.queue_declare.passive = (flags & PASSIVE) != 0;
	ask->request.queue_declare.server_named = (flags & SERVER_NAMED) != 0;
}

static inline int queue_declare_with(const char *name, unsigned flags, struct slice arguments)
{
	queue_ask(&asked, name, flags, arguments);
	return ask_now(&asked);
}

static inline int queue_declare(const char *name, unsigned flags)
{
	return queue_declare_with(name, flags, SLICE_EMPTY);
}

static inline int queue_delete(const char *name, bool if_unused, bool if_empty)
{
	ask_begin(&asked, DECLARE_QUEUE_DELETE, name);
	asked.request.queue_delete.if_unused = if_unused;
	asked.request.queue_delete.if_empty = if_empty;
	return ask_now(&asked);
}

static inline void bind_ask(struct ask *ask, enum declare_operation operation,
			    const char *destination, const char *source, const char *key,
			    bool is_exchange)
{
	ask_begin(ask, operation, destination);
	ask->request.bind.source = slice_cstr(source);
	ask->request.bind.routing_key = slice_cstr(key);
	ask->request.bind.destination_is_exchange = is_exchange;
}

static inline int queue_bind(const char *queue, const char *source, const char *key)
{
	bind_ask(&asked, DECLARE_BIND, queue, source, key, false);
	return ask_now(&asked);
}

static inline int queue_unbind(const char *queue, const char *source, const char *key)
{
	bind_ask(&asked, DECLARE_UNBIND, queue, source, key, false);
	return ask_now(&asked);
}

static inline int exchange_bind(const char *destination, const char *source, const char *key)
{
	bind_ask(&asked, DECLARE_BIND, destination, source, key, true);
	return ask_now(&asked);
}

static inline int exchange_unbind(const char *destination, const char *source, const char *key)
{
	bind_ask(&asked, DECLARE_UNBIND, destination, source, key, true);
	return ask_now(&asked);
}

/* The text of the last answer. */
#define ASSERT_SAID(text_)                                                                         \
	do {                                                                                       \
		CU_ASSERT_STRING_EQUAL(asked.request.error.text, (text_));                         \
		if (strcmp(asked.request.error.text, (text_)) != 0)                                \
			(void)printf("\n    said: %s\n", asked.request.error.text);                \
	} while (0)

/* ---- Publishing, past the router ---- */

static inline void publish_to(const char *queue)
{
	struct actor_ref ref;
	struct amqp_error error;
	struct message *message =
		message_create(SLICE_EMPTY, slice_cstr(queue), slice_make("\0\0", 2), 0);

	message->expiration_ms = MESSAGE_NO_EXPIRATION;
	CU_ASSERT_EQUAL_FATAL(declare_find_queue(broker, vhost, slice_cstr(queue), 0, &ref, &error),
			      0);
	(void)queue_publish(slots_get(ref), message, ACTOR_REF_NONE, 0);
	message_unref(message);
}

/* ---- Looking ---- */

static inline bool has_exchange(const char *name)
{
	topology_read_begin(broker->topology);
	bool found = topology_exchange(vhost, slice_cstr(name)) != NULL;
	topology_read_end(broker->topology);
	return found;
}

static inline bool has_queue(const char *name)
{
	topology_read_begin(broker->topology);
	bool found = topology_queue(vhost, slice_cstr(name)) != NULL;
	topology_read_end(broker->topology);
	return found;
}

static inline void count_binding(void *context, const struct binding *binding)
{
	if (binding->source->node.key.size > 0)
		++*(size_t *)context;
}

/* Declared ones, those of the default exchange not among them. */
static inline size_t count_bindings(void)
{
	uint64_t cursor = 0;
	size_t n = 0;

	do
		cursor = topology_list_bindings(broker->topology, vhost, cursor, 100, count_binding,
						&n);
	while (cursor != 0);
	return n;
}

static inline void count_definition(void *context, struct slice key, struct slice value,
				    uint64_t revision)
{
	(void)key;
	(void)value;
	(void)revision;
	++*(size_t *)context;
}

static inline size_t count_stored(const char *prefix)
{
	size_t n = 0;

	CU_ASSERT_EQUAL(store_definitions_load(store, slice_cstr(prefix), count_definition, &n), 0);
	return n;
}

#endif
