/* SPDX-License-Identifier: MIT */
#include "broker/topology/binding.h"

#include <errno.h>
#include <stdlib.h>

#include "amqp/table.h"
#include "base/bug.h"
#include "base/mem.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"
#include "broker/topology/write.h"
#include "broker/upgrade/state.h"

/* ---- The key ---- */

/* One entry of the arguments, name and value, as it lies in the table. */
struct entry {
	struct slice name, raw;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = slice_compare(x->name, y->name);

	/* Entries of one name stay in their order. */
	return r != 0 ? r : (x->raw.data > y->raw.data) - (x->raw.data < y->raw.data);
}

/* Writes the entries sorted by name, so that their order makes no difference: as RabbitMQ. */
static int put_sorted(uint8_t *out, struct slice arguments)
{
	size_t count = amqp_table_count(arguments), n = 0;
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice name;

	if (count <= 1) {
		if (arguments.size > 0)
			memcpy(out, arguments.data, arguments.size);
		return 0;
	}

	struct entry *entries = mem_try_alloc(count * sizeof(*entries));

	if (!entries)
		return -1;
	amqp_table_iter_init(&iter, arguments);
	for (const uint8_t *begin = arguments.data;
	     n < count && amqp_table_iter_next(&iter, &name, &value) == 1; n++) {
		entries[n].name = name;
		entries[n].raw = slice_make(begin, (size_t)(iter.reader.p - begin));
		begin = iter.reader.p;
	}
	qsort(entries, n, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < n; i++) {
		memcpy(out, entries[i].raw.data, entries[i].raw.size);
		out += entries[i].raw.size;
	}
	mem_free(entries);
	return 0;
}

/* A length octet and the bytes. Returns where they lie. */
static struct shunt_bytes put_short(uint8_t **at, struct slice from)
{
	struct shunt_bytes copy = {*at + 1, from.size};

	**at = (uint8_t)from.size;
	if (from.size > 0)
		memcpy(*at + 1, from.data, from.size);
	*at += 1 + from.size;
	return copy;
}

struct binding *binding_create(const struct binding_options *options)
{
	const struct slice *o[] = {&options->source, &options->destination, &options->routing_key};
	size_t size = 4 + options->arguments.size;

	for (size_t i = 0; i < 3; i++) {
		if (o[i]->size > UINT8_MAX)
			return NULL;
		size += o[i]->size;
	}

	struct binding *binding = mem_try_zalloc(sizeof(*binding) + size);

	if (!binding)
		return NULL;

	uint8_t *key = (uint8_t *)(binding + 1), *at = key;

	*at++ = options->destination_is_exchange;
	(void)put_short(&at, options->source);
	binding->view.size = sizeof(struct shunt_binding);
	binding->view.destination_is_exchange = options->destination_is_exchange;
	binding->view.destination = put_short(&at, options->destination);
	binding->view.routing_key = put_short(&at, options->routing_key);
	binding->view.arguments = (struct shunt_bytes){at, options->arguments.size};
	binding->node.key = slice_make(key, size);
	list_init(&binding->from_source);
	list_init(&binding->to_destination);
	atomic_init(&binding->holders, 1);
	if (put_sorted(at, options->arguments) == 0)
		return binding;
	mem_free(binding);
	return NULL;
}

/* ---- Its place in the topology ---- */

struct binding *binding_find(struct vhost *vhost, const struct binding *like)
{
	struct map_node *node = map_find(&vhost->bindings, like->node.key);

	return node ? container_of(node, struct binding, node) : NULL;
}

static struct list *incoming_of(struct binding *binding)
{
	return binding->queue ? &binding->queue->incoming : &binding->exchange->incoming;
}

static void link_ends(struct binding *binding)
{
	list_add_tail(&binding->source->outgoing, &binding->from_source);
	list_add_tail(incoming_of(binding), &binding->to_destination);
	binding->source->n_outgoing++;
}

/* ---- What instances know of it ---- */

/* What was remembered of its answers does not count any more. */
static void note_change(struct exchange *exchange, unsigned slot)
{
	if (slot == exchange->active)
		exchange->knowledge++;
}

int binding_tell(struct binding *binding, unsigned slot, struct amqp_error *error)
{
	const struct exchange_instance *instance = &binding->source->instances[slot];
	struct shunt_error said = {0};
	void *cookie = NULL;

	if (!instance->type || binding->serials[slot] == instance->serial)
		return 0;
	note_change(binding->source, slot);
	if (instance->type->functions->bind &&
	    instance->type->functions->bind(instance->state, &binding->view, &cookie, &said) != 0)
		return exchange_plugin_error(instance->type, &said, error);
	binding->cookies[slot] = cookie;
	binding->serials[slot] = instance->serial;
	return 0;
}

static void untell(struct binding *binding, unsigned slot)
{
	const struct exchange_instance *instance = &binding->source->instances[slot];

	if (!instance->type || binding->serials[slot] != instance->serial)
		return;
	note_change(binding->source, slot);
	if (instance->type->functions->unbind)
		instance->type->functions->unbind(instance->state, &binding->view,
						  binding->cookies[slot]);
	binding->serials[slot] = 0;
}

/* ---- Coming and going ---- */

int binding_insert(struct topology *topology, struct binding *binding, struct exchange *source,
		   struct queue_entry *queue, struct exchange *exchange, struct amqp_error *error)
{
	bug_on(!queue == !exchange);
	binding->view.id = ++topology->last_binding_id;
	binding->source = source;
	if (binding_tell(binding, source->active, error) != 0) {
		binding->source = NULL;
		return -EPROTO;
	}
	binding->queue = queue;
	binding->exchange = exchange;
	atomic_fetch_add(&source->refs, 1);
	atomic_fetch_add(queue ? &queue->refs : &exchange->refs, 1);
	map_insert(&source->vhost->bindings, &binding->node, binding->node.key);
	binding->index = dense_add(&topology->bindings, binding);
	link_ends(binding);
	if (UNLIKELY(source->shadow != NULL))
		shadow_bind(topology, source->shadow, binding);
	return 0;
}

void binding_unlink(struct binding *binding)
{
	bug_on(binding->doomed);
	if (UNLIKELY(binding->source->shadow != NULL))
		shadow_pass(binding->source->shadow, binding);
	binding->doomed = true;
	list_remove(&binding->from_source);
	list_remove(&binding->to_destination);
	binding->source->n_outgoing--;
}

int binding_relink(struct topology *topology, struct binding *binding)
{
	struct exchange *source = binding->source;
	struct amqp_error error;

	bug_on(!binding->doomed);
	shadow_swap_if_due(topology, source);
	if (binding_tell(binding, source->active, &error) != 0)
		return -ENOMEM;
	binding->doomed = false;
	link_ends(binding);
	if (UNLIKELY(source->shadow != NULL))
		shadow_bind(topology, source->shadow, binding);
	return 0;
}

void binding_detach(struct topology *topology, struct binding *binding)
{
	struct exchange *source = binding->source;

	if (!binding->doomed)
		binding_unlink(binding);
	untell(binding, 0);
	untell(binding, 1);
	map_remove(&source->vhost->bindings, &binding->node);
	dense_remove(&topology->bindings, binding->index);
	if (UNLIKELY(source->n_dying > 0)) {
		binding->holders++;
		list_add_tail(&source->limbo, &binding->from_source);
	}
}

void binding_release(struct binding *binding)
{
	if (atomic_fetch_sub(&binding->holders, 1) != 1)
		return;
	exchange_unref(binding->source);
	exchange_unref(binding->exchange);
	queue_entry_unref(binding->queue);
	mem_free(binding);
}
