/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_EXCHANGE_TYPE_H
#define KERNEL_BROKER_EXCHANGE_TYPE_H

/* Exchange types as the plugin host hands them to the broker. */

#include <shunt/plugin.h>

#include "amqp/error.h"
#include "base/compiler.h"
#include "base/list.h"
#include "base/slice.h"

struct topology;
struct vhost;

/*
 * Who brought a type. Told of each instance that is made, and when it is destroyed: its code and
 * texts must be there as long. Any thread.
 */
struct exchange_type_owner {
	void (*hold)(struct exchange_type_owner *owner);
	void (*release)(struct exchange_type_owner *owner);
};

struct exchange_type {
	struct list link; /* topology's list */
	const struct shunt_exchange_type *functions; /* &own */
	struct shunt_exchange_type own; /* what the plugin registered; zero beyond its size */
	void *plugin;			/* what the plugin's start() left */
	const char *plugin_name;
	struct exchange_type_owner *owner; /* NULL: there for ever */
};

/*
 * Registers a type. Before the loops run. -EEXIST when the name is taken. Predeclared exchanges
 * (amq.*) of the type come to life: their instances are created; -EINVAL or -ENOMEM when one cannot
 * be (the type stays registered, so the start should fail).
 */
int exchange_type_register(struct topology *topology, const struct shunt_exchange_type *functions,
			   void *plugin, const char *plugin_name);
int exchange_type_register_of(struct topology *topology,
			      const struct shunt_exchange_type *functions, void *plugin,
			      const char *plugin_name, struct exchange_type_owner *owner);

/*
 * The same for a vhost that comes after the types: its predeclared exchanges get their instances.
 */
int exchange_types_bring_to_life(struct topology *topology, struct vhost *vhost) MUST_USE;

struct exchange_type *exchange_type_find(struct topology *topology, struct slice name);

void exchange_type_for_each(struct topology *topology,
			    void (*visit)(void *context, const struct exchange_type *type),
			    void *context);

#endif
