/* SPDX-License-Identifier: MIT */
#include "broker/topology/topology.h"

#include "base/bug.h"
#include "base/mem.h"
#include "broker/topology/exchange_type.h"
#include "broker/topology/write.h"
#include "broker/upgrade/state.h"
#include "broker/vhost/state.h"

struct topology *topology_create(unsigned n_loops, const char *default_vhost)
{
	struct topology *topology = mem_zalloc(sizeof(*topology));

	topology->lock = brlock_create(n_loops);
	atomic_store(&topology->generation, 1);
	map_init(&topology->vhosts);
	map_init(&topology->vhost_homes);
	list_init(&topology->vhosts_in_order);
	list_init(&topology->types);
	list_init(&topology->typeless);
	list_init(&topology->upgrades);
	dense_init(&topology->exchanges);
	dense_init(&topology->queues);
	dense_init(&topology->bindings);
	topology->n_loops = n_loops;
	topology->queues_on = mem_zalloc(n_loops * sizeof(*topology->queues_on));
	if (default_vhost)
		(void)vhost_create(topology, slice_cstr(default_vhost), NULL);
	return topology;
}

void topology_destroy(struct topology *topology)
{
	struct map_cursor cursor;
	struct map_node *node;
	struct list *pos, *next;

	if (!topology)
		return;
	map_for_each(node, &topology->vhost_homes, &cursor)
		vhost_destroy(topology, container_of(node, struct vhost_home, node)->vhost);
	list_for_each_safe(pos, next, &topology->types)
		mem_free(container_of(pos, struct exchange_type, link));
	bug_on(!list_is_empty(&topology->upgrades));
	map_fini(&topology->vhosts);
	map_fini(&topology->vhost_homes);
	dense_fini(&topology->exchanges);
	dense_fini(&topology->queues);
	dense_fini(&topology->bindings);
	mem_free(topology->queues_on);
	brlock_destroy(topology->lock);
	mem_free(topology);
}

void topology_read_begin(struct topology *topology)
{
	brlock_read_acquire(topology->lock);
}

void topology_read_end(struct topology *topology)
{
	brlock_read_release(topology->lock);
}

void topology_write_begin(struct topology *topology)
{
	brlock_write_acquire(topology->lock);
}

void topology_write_end(struct topology *topology)
{
	bool must_nudge = topology->must_nudge;

	topology->must_nudge = false;
	atomic_fetch_add(&topology->generation, 1);
	brlock_write_release(topology->lock);
	if (UNLIKELY(must_nudge))
		upgrades_nudge(topology);
}

uint64_t topology_generation(const struct topology *topology)
{
	return atomic_load_explicit(&topology->generation, memory_order_acquire);
}

struct vhost *topology_vhost(struct topology *topology, struct slice name)
{
	struct map_node *node = map_find(&topology->vhosts, name);

	return node ? container_of(node, struct vhost, node) : NULL;
}

uint64_t topology_vhost_count(const struct topology *topology)
{
	return map_count(&topology->vhosts);
}

/* ---- Finding ---- */

struct exchange *topology_any_exchange(struct vhost *vhost, struct slice name)
{
	struct map_node *node = map_find(&vhost->exchanges, name);

	return node ? container_of(node, struct exchange, node) : NULL;
}

struct queue_entry *topology_any_queue(struct vhost *vhost, struct slice name)
{
	struct map_node *node = map_find(&vhost->queues, name);

	return node ? container_of(node, struct queue_entry, node) : NULL;
}

struct exchange *topology_exchange(struct vhost *vhost, struct slice name)
{
	struct exchange *exchange = topology_any_exchange(vhost, name);

	return exchange && !exchange->pending && !exchange->doomed ? exchange : NULL;
}

struct queue_entry *topology_queue(struct vhost *vhost, struct slice name)
{
	struct queue_entry *entry = topology_any_queue(vhost, name);

	return entry && !entry->pending && !entry->doomed ? entry : NULL;
}

uint32_t topology_exchange_limit(const struct topology *topology)
{
	return topology->exchanges.limit;
}

uint32_t topology_queue_limit(const struct topology *topology)
{
	return topology->queues.limit;
}

bool topology_has_trials(const struct topology *topology)
{
	return atomic_load_explicit(&topology->n_trials, memory_order_relaxed) > 0;
}

/* ---- Queue entries ---- */

struct queue_entry *queue_entry_create(struct vhost *vhost, struct slice name,
				       struct slice arguments)
{
	struct queue_entry *entry = mem_try_zalloc(sizeof(*entry) + name.size + arguments.size);

	if (!entry)
		return NULL;

	uint8_t *bytes = (uint8_t *)(entry + 1);

	entry->vhost = vhost_hold(vhost);
	entry->node.key = slice_make(bytes, name.size);
	entry->arguments = slice_make(bytes + name.size, arguments.size);
	if (name.size > 0)
		memcpy(bytes, name.data, name.size);
	if (arguments.size > 0)
		memcpy(bytes + name.size, arguments.data, arguments.size);
	list_init(&entry->incoming);
	turns_init(&entry->turns);
	atomic_init(&entry->refs, 1);
	return entry;
}

void queue_entry_insert(struct topology *topology, struct queue_entry *entry, unsigned loop)
{
	map_insert(&entry->vhost->queues, &entry->node, entry->node.key);
	entry->index = dense_add(&topology->queues, entry);
	entry->queue.loop = loop;
	atomic_fetch_add_explicit(&topology->queues_on[loop], 1, memory_order_relaxed);
}

void queue_entry_remove(struct topology *topology, struct queue_entry *entry)
{
	map_remove(&entry->vhost->queues, &entry->node);
	dense_remove(&topology->queues, entry->index);
	atomic_fetch_sub_explicit(&topology->queues_on[entry->queue.loop], 1, memory_order_relaxed);
}

void queue_entry_unref(struct queue_entry *entry)
{
	if (!entry || atomic_fetch_sub(&entry->refs, 1) != 1)
		return;
	turns_fini(&entry->turns);
	vhost_release(entry->vhost);
	mem_free(entry);
}

/*
 * Its own loop keeps a message's way short. Where connections stay, it is left only when it has
 * half as much again as its share; where they go to their queues, already when it has more than its
 * share: or all that one connection declares, and all who use it, would be on one loop.
 */
unsigned topology_place_queue(const struct topology *topology, unsigned own_loop,
			      bool connections_follow)
{
	uint64_t total = 0;
	uint32_t own = 0, fewest = UINT32_MAX;
	unsigned emptiest = own_loop;

	for (unsigned i = 0; i < topology->n_loops; i++) {
		uint32_t n = atomic_load_explicit(&topology->queues_on[i], memory_order_relaxed);

		total += n;
		if (i == own_loop)
			own = n;
		if (n < fewest) {
			fewest = n;
			emptiest = i;
		}
	}

	uint64_t share = total / topology->n_loops;

	return own > share + (connections_follow ? 0 : share / 2 + 16) ? emptiest : own_loop;
}

/* ---- Lists for operators ---- */

#define LIST_DECLARED                                                                              \
	((uint64_t)1 << 63) /* of a cursor: the default exchange's bindings are over */

/* How far one call looks at most, when most objects are another vhost's. */
static uint32_t list_end(uint32_t limit, uint64_t begin, unsigned slice)
{
	uint64_t end = begin + (uint64_t)slice * 8;

	return end < limit ? (uint32_t)end : limit;
}

uint64_t topology_list_exchanges(struct topology *topology, struct vhost *vhost, uint64_t cursor,
				 unsigned limit,
				 void (*visit)(void *context, const struct exchange *exchange),
				 void *context)
{
	topology_read_begin(topology);
	uint32_t end = list_end(topology->exchanges.limit, cursor, limit);

	for (; cursor < end && limit > 0; cursor++) {
		const struct exchange *exchange = dense_get(&topology->exchanges, (uint32_t)cursor);

		if (!exchange || exchange->vhost != vhost || exchange->pending || exchange->doomed)
			continue;
		visit(context, exchange);
		limit--;
	}
	if (cursor >= topology->exchanges.limit)
		cursor = 0;
	topology_read_end(topology);
	return cursor;
}

/* The default exchange's binding to a queue, which exists on paper only. */
static void visit_default_binding(struct exchange *source, struct queue_entry *entry,
				  void (*visit)(void *context, const struct binding *binding),
				  void *context)
{
	struct shunt_bytes name = {entry->node.key.data, entry->node.key.size};
	struct binding binding = {
		.view = {.size = sizeof(struct shunt_binding),
			 .routing_key = name,
			 .destination = name},
		.source = source,
		.queue = entry,
		.durable = entry->durable,
	};

	visit(context, &binding);
}

static uint64_t list_default_bindings(struct topology *topology, struct vhost *vhost,
				      uint64_t cursor, unsigned limit,
				      void (*visit)(void *context, const struct binding *binding),
				      void *context)
{
	uint32_t end = list_end(topology->queues.limit, cursor, limit);
	struct exchange *source = topology_any_exchange(vhost, SLICE_EMPTY);

	for (; cursor < end && limit > 0; cursor++) {
		struct queue_entry *entry = dense_get(&topology->queues, (uint32_t)cursor);

		if (!entry || entry->vhost != vhost || entry->pending || entry->doomed)
			continue;
		visit_default_binding(source, entry, visit, context);
		limit--;
	}
	return cursor >= topology->queues.limit ? LIST_DECLARED : cursor;
}

static uint64_t list_bindings(struct topology *topology, struct vhost *vhost, uint64_t cursor,
			      unsigned limit,
			      void (*visit)(void *context, const struct binding *binding),
			      void *context)
{
	uint32_t end = list_end(topology->bindings.limit, cursor, limit);

	for (; cursor < end && limit > 0; cursor++) {
		const struct binding *binding = dense_get(&topology->bindings, (uint32_t)cursor);

		if (!binding || binding->source->vhost != vhost || binding->pending ||
		    binding->doomed)
			continue;
		visit(context, binding);
		limit--;
	}
	return cursor >= topology->bindings.limit ? 0 : LIST_DECLARED | cursor;
}

uint64_t topology_list_bindings(struct topology *topology, struct vhost *vhost, uint64_t cursor,
				unsigned limit,
				void (*visit)(void *context, const struct binding *binding),
				void *context)
{
	topology_read_begin(topology);
	if ((cursor & LIST_DECLARED) == 0)
		cursor = list_default_bindings(topology, vhost, cursor, limit, visit, context);
	else
		cursor = list_bindings(topology, vhost, cursor & ~LIST_DECLARED, limit, visit,
				       context);
	topology_read_end(topology);
	return cursor;
}
