/* SPDX-License-Identifier: MIT */
#include "broker/vhost.h"

#include <string.h>

#include "base/bug.h"
#include "base/mem.h"
#include "broker/binding.h"
#include "broker/exchange.h"
#include "broker/topology_write.h"

/* RabbitMQ: deps/rabbit/src/rabbit_vhost.erl. The first is the queue directory: it has no type that
 * could be missing. */
static const struct {
	const char *name, *type;
	bool internal;
} predeclared[] = {
	// clang-format off
	{ "",                   "direct",  false },
	{ "amq.direct",         "direct",  false },
	{ "amq.fanout",         "fanout",  false },
	{ "amq.topic",          "topic",   false },
	{ "amq.headers",        "headers", false },
	{ "amq.match",          "headers", false },
	{ "amq.rabbitmq.trace", "topic",   true  },
	// clang-format on
};

static void predeclare(struct topology *topology, struct vhost *vhost)
{
	for (size_t i = 0; i < sizeof(predeclared) / sizeof(predeclared[0]); i++) {
		struct exchange_options options = {
			.name = slice_cstr(predeclared[i].name),
			.type = slice_cstr(predeclared[i].type),
			.durable = true,
			.internal = predeclared[i].internal,
		};
		struct exchange *exchange = exchange_create(vhost, &options);

		bug_on(!exchange);
		exchange_insert(topology, exchange);
	}
}

struct vhost *vhost_create(struct topology *topology, struct slice name)
{
	struct vhost *vhost = mem_zalloc(sizeof(*vhost));

	vhost->name = mem_zalloc(name.size + 1);
	if (name.size > 0)
		memcpy(vhost->name, name.data, name.size);
	map_init(&vhost->exchanges);
	map_init(&vhost->queues);
	map_init(&vhost->bindings);
	topology_write_begin(topology);
	map_insert(&topology->vhosts, &vhost->node, slice_cstr(vhost->name));
	predeclare(topology, vhost);
	topology_write_end(topology);
	return vhost;
}

/* Bindings go first, as they hold on to their ends. */
void vhost_destroy(struct topology *topology, struct vhost *vhost)
{
	struct map_cursor cursor;
	struct map_node *node;

	map_for_each(node, &vhost->bindings, &cursor) {
		struct binding *binding = container_of(node, struct binding, node);

		binding_detach(topology, binding);
		binding_release(binding);
	}
	map_for_each(node, &vhost->exchanges, &cursor)
		exchange_unref(container_of(node, struct exchange, node));
	map_for_each(node, &vhost->queues, &cursor)
		queue_entry_unref(container_of(node, struct queue_entry, node));
	map_fini(&vhost->exchanges);
	map_fini(&vhost->queues);
	map_fini(&vhost->bindings);
	mem_free(vhost->name);
	mem_free(vhost);
}
