/* SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "base/mem.h"
#include "broker/change/arguments.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"
#include "broker/queue/queue.h"
#include "broker/queue/restore.h"
#include "broker/restore/state.h"
#include "broker/topology/write.h"
#include "loop/loop.h"

/*
 * Exchanges and queues. No loop runs, so the topology is changed without its lock.
 */

/* ---- Exchanges ---- */

/* Without an instance it waits for a start at which its type is there again. */
static bool bring_to_life(struct restore *restore, struct slice key, struct exchange *exchange)
{
	static struct log_limit limit = LOG_LIMIT(20);
	struct exchange_type *type =
		exchange_type_find(restore->broker->topology, slice_cstr(exchange->type_name));
	struct amqp_error error;
	char quoted[300];

	if (!type) {
		log_limited(&limit, LOG_LEVEL_WARNING, "restore",
			    "an exchange's type is not loaded: exchange=%s type=\"%s\"",
			    log_quote(quoted, sizeof(quoted), exchange->node.key),
			    exchange->type_name);
		return true;
	}
	if (exchange_bring_to_life(exchange, type, &error) == 0)
		return true;
	restore_refuse(restore, key, "%s", error.text);
	return false;
}

static void make_exchange(struct restore *restore, struct slice key,
			  const struct definition *definition)
{
	struct exchange_options options = {
		.name = definition->name,
		.type = definition->type,
		.arguments = definition->arguments,
		.durable = true,
		.auto_delete = definition->auto_delete,
		.internal = definition->internal,
	};
	struct exchange *exchange;
	struct amqp_error error;

	if (arguments_check_exchange(definition->arguments, definition->name, definition->vhost,
				     &error) != 0) {
		restore_refuse(restore, key, "%s", error.text);
		return;
	}
	exchange = exchange_create(restore->vhost, &options);
	if (!exchange) {
		restore_refuse(restore, key, "out of memory");
		return;
	}
	if (!bring_to_life(restore, key, exchange)) {
		exchange_unref(exchange);
		return;
	}
	exchange_insert(restore->broker->topology, exchange);
	restore->n_exchanges++;
}

static void visit_exchange(void *context, struct slice key, struct slice value, uint64_t revision)
{
	struct restore *restore = context;
	struct definition definition;

	(void)revision;
	if (!restore_read(restore, key, value, DEFINITION_EXCHANGE, &definition))
		return;
	if (topology_any_exchange(restore->vhost, definition.name))
		restore_refuse(restore, key, "its name is that of a predeclared exchange");
	else
		make_exchange(restore, key, &definition);
}

int restore_exchanges(struct restore *restore)
{
	return store_definitions_load(restore->broker->store, SLICE_LITERAL("exchange/"),
				      visit_exchange, restore);
}

/* ---- Queues ---- */

struct new_queue {
	struct restore *restore;
	struct restored_queue *restored;
	const struct queue_options *options;
};

static void make_queue_here(void *arg)
{
	const struct new_queue *new = arg;
	struct queue_entry *entry = new->restored->entry;
	struct queue *queue = queue_create(new->restore->broker, entry, entry->id, new->options);

	queue_restore_begin(queue);
	entry->queue = queue_ref(queue);
	new->restored->queue = queue;
}

static void make_queue(struct restore *restore, struct queue_entry *entry,
		       const struct queue_options *options)
{
	unsigned loop = (unsigned)(entry->id % restore->broker->n_loops);
	struct restored_queue *restored = mem_zalloc(sizeof(*restored));
	struct new_queue new = {.restore = restore, .restored = restored, .options = options};

	restored->id = entry->id;
	restored->entry = entry;
	map_insert(&restore->queues, &restored->node,
		   slice_make(&restored->id, sizeof(restored->id)));
	queue_entry_insert(restore->broker->topology, entry, loop);
	loop_pool_visit(loop, make_queue_here, &new);
	restore->n_queues++;
}

/* NULL: refused. */
static struct queue_entry *make_entry(struct restore *restore, struct slice key,
				      const struct definition *definition,
				      struct queue_options *ret_options)
{
	struct queue_entry *entry;
	struct amqp_error error;

	*ret_options =
		(struct queue_options){.durable = true, .auto_delete = definition->auto_delete};
	if (arguments_read_queue(definition->arguments, definition->name, definition->vhost,
				 ret_options, &error) != 0) {
		restore_refuse(restore, key, "%s", error.text);
		return NULL;
	}
	entry = queue_entry_create(restore->vhost, definition->name, definition->arguments);
	if (!entry) {
		restore_refuse(restore, key, "out of memory");
		return NULL;
	}
	entry->id = definition->id;
	entry->durable = true;
	entry->auto_delete = definition->auto_delete;
	return entry;
}

static void visit_queue(void *context, struct slice key, struct slice value, uint64_t revision)
{
	struct restore *restore = context;
	struct definition definition;
	struct queue_options options;
	struct queue_entry *entry;

	(void)revision;
	if (!restore_read(restore, key, value, DEFINITION_QUEUE, &definition))
		return;
	if (definition.id == 0 || definition.id >= STORE_TRANSIENT_ID ||
	    restore_find_queue(restore, definition.id)) {
		restore_refuse(restore, key, "its id is none, or another's: id=%llu",
			       (unsigned long long)definition.id);
	} else {
		entry = make_entry(restore, key, &definition, &options);
		if (entry)
			make_queue(restore, entry, &options);
	}
}

int restore_queues(struct restore *restore)
{
	return store_definitions_load(restore->broker->store, SLICE_LITERAL("queue/"), visit_queue,
				      restore);
}
