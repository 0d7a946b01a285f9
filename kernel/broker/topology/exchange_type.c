/* SPDX-License-Identifier: MIT */
#include "broker/topology/exchange_type.h"

#include <errno.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/topology/binding.h"
#include "broker/topology/exchange.h"
#include "broker/topology/write.h"

/* Gives the instance the bindings that were there before it. */
static int replay_bindings(struct exchange *exchange)
{
	struct list *pos;

	list_for_each(pos, &exchange->outgoing) {
		struct binding *binding = container_of(pos, struct binding, from_source);
		struct amqp_error error;

		if (binding_tell(binding, exchange->active, &error) != 0)
			return -ENOMEM;
	}
	return 0;
}

static int bring_to_life(struct exchange_type *type, struct vhost *vhost)
{
	struct map_cursor cursor;
	struct map_node *node;

	map_for_each(node, &vhost->exchanges, &cursor) {
		struct exchange *exchange = container_of(node, struct exchange, node);
		struct amqp_error error;

		if (exchange->type || exchange_is_default(exchange) ||
		    strcmp(exchange->type_name, type->functions->name) != 0)
			continue;
		if (exchange_bring_to_life(exchange, type, &error) != 0) {
			log_error(
				"exchange",
				"cannot make an instance: type=%s exchange=\"%.*s\" reason=\"%s\"",
				exchange->type_name, SLICE_ARG(exchange->node.key), error.text);
			return -EINVAL;
		}
		list_remove(&exchange->of_type);
		list_add_tail(&type->exchanges, &exchange->of_type);
		if (replay_bindings(exchange) != 0)
			return -ENOMEM;
	}
	return 0;
}

/* Who has registered it has seen to it that the list can be understood. */
static unsigned read_depends(struct exchange_type *type)
{
	unsigned answers_by = 0;
	char fault[DEPENDS_FAULT_SIZE];

	(void)depends_read(type->own.depends, &type->depends, fault, sizeof(fault));
	if (type->depends.is_declared)
		answers_by = ANSWERS_REMEMBERED | ANSWERS_BY_PROPERTIES;
	if (type->own.routes_by_key || type->depends.is_by_names)
		answers_by |= ANSWERS_BY_NAMES | ANSWERS_BY_PROPERTIES;
	return answers_by;
}

struct exchange_type *exchange_type_create(const struct shunt_exchange_type *functions,
					   void *plugin, const char *plugin_name,
					   const char *plugin_version)
{
	struct exchange_type *type = mem_zalloc(sizeof(*type));

	memcpy(&type->own, functions,
	       functions->size < sizeof(type->own) ? functions->size : sizeof(type->own));
	type->functions = &type->own;
	type->answers_by = read_depends(type);
	type->plugin = plugin;
	type->plugin_name = plugin_name;
	type->plugin_version = plugin_version;
	list_init(&type->link);
	list_init(&type->exchanges);
	return type;
}

void exchange_type_free(struct exchange_type *type)
{
	if (!type)
		return;
	bug_on(type->is_current || type->n_instances > 0);
	mem_free(type);
}

void exchange_type_hold(struct exchange_type *type)
{
	atomic_fetch_add(&type->n_instances, 1);
	if (type->owner)
		type->owner->hold(type->owner);
}

/* Who waits for the last instance may free the type as soon as it is told. */
void exchange_type_release(struct exchange_type *type)
{
	struct exchange_type_owner *owner = type->owner;

	atomic_fetch_sub(&type->n_instances, 1);
	if (owner)
		owner->release(owner);
}

/* The loops do not run yet, so nobody is in the way, and create() needs no care for the lock. */
int exchange_type_add(struct topology *topology, struct exchange_type *type)
{
	struct map_cursor cursor;
	struct map_node *node;
	int r = 0;

	if (exchange_type_find(topology, slice_cstr(type->functions->name)))
		return -EEXIST;
	list_add_tail(&topology->types, &type->link);
	type->is_current = true;
	map_for_each(node, &topology->vhosts, &cursor) {
		r = bring_to_life(type, container_of(node, struct vhost, node));
		if (r != 0)
			break;
	}
	atomic_fetch_add(&topology->generation, 1);
	return r;
}

int exchange_type_register_of(struct topology *topology,
			      const struct shunt_exchange_type *functions, void *plugin,
			      const char *plugin_name, const char *plugin_version,
			      struct exchange_type_owner *owner)
{
	struct exchange_type *type =
		exchange_type_create(functions, plugin, plugin_name, plugin_version);
	int r;

	type->owner = owner;
	r = exchange_type_add(topology, type);
	if (r == -EEXIST)
		exchange_type_free(type);
	return r;
}

int exchange_type_register(struct topology *topology, const struct shunt_exchange_type *functions,
			   void *plugin, const char *plugin_name)
{
	return exchange_type_register_of(topology, functions, plugin, plugin_name, "", NULL);
}

int exchange_types_bring_to_life(struct topology *topology, struct vhost *vhost)
{
	struct list *pos;
	int r = 0;

	list_for_each(pos, &topology->types) {
		r = bring_to_life(container_of(pos, struct exchange_type, link), vhost);
		if (r != 0)
			break;
	}
	atomic_fetch_add(&topology->generation, 1);
	return r;
}

struct exchange_type *exchange_type_find(struct topology *topology, struct slice name)
{
	struct list *pos;

	list_for_each(pos, &topology->types) {
		struct exchange_type *type = container_of(pos, struct exchange_type, link);

		if (slice_equal(slice_cstr(type->functions->name), name))
			return type;
	}
	return NULL;
}

void exchange_type_for_each(struct topology *topology,
			    void (*visit)(void *context, const struct exchange_type *type),
			    void *context)
{
	struct list *pos;

	list_for_each(pos, &topology->types)
		visit(context, container_of(pos, struct exchange_type, link));
}
