/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_TOPOLOGY_EXCHANGE_TYPE_H
#define KERNEL_BROKER_TOPOLOGY_EXCHANGE_TYPE_H

/* Exchange types as the plugin host hands them to the broker. */

#include <stdbool.h>
#include <stdint.h>

#include <shunt/plugin.h>

#include "amqp/error.h"
#include "base/compiler.h"
#include "base/list.h"
#include "base/slice.h"
#include "amqp/depends.h"

struct topology;
struct vhost;

/*
 * Who brought a type. Told of each instance that is made, and when it is destroyed: its code and
 * texts must be there as long. Any thread. release() is the last that is done with the type for
 * that instance.
 */
struct exchange_type_owner {
	void (*hold)(struct exchange_type_owner *owner);
	void (*release)(struct exchange_type_owner *owner);
};

/* Whether route() need not be called for each message. */
enum exchange_answers {
	/* Messages of one publisher in one read side are answered the same: */
	ANSWERS_BY_PROPERTIES = 1, /* those with the same names and properties */
	ANSWERS_BY_NAMES = 2,	   /* those with the same names */
	ANSWERS_REMEMBERED = 4,	   /* by broker/router/answers.h, until what it knows changes */
};

/*
 * Belongs to who made it until it is registered, and again when another has taken its place: then
 * it is freed after a grace period (loop/grace.h), when it has no instances. What is still
 * registered at the end goes with the topology.
 */
struct exchange_type {
	struct list link;	      /* topology's list */
	bool is_current;	      /* it is registered. Either side */
	struct list exchanges;	      /* struct exchange.of_type */
	_Atomic uint64_t n_instances; /* also of exchanges that have gone, and of shadows */
	const struct shunt_exchange_type *functions; /* &own */
	struct shunt_exchange_type own; /* what the plugin registered; zero beyond its size */
	struct depends depends;		/* what it declared, if that can be understood */
	unsigned answers_by;		/* enum exchange_answers */
	void *plugin;			/* what the plugin's start() left */
	const char *plugin_name, *plugin_version;
	struct exchange_type_owner *owner; /* NULL: there for ever */
};

/* Never fails. Without an owner, which may be set then. The texts are borrowed. */
struct exchange_type *exchange_type_create(const struct shunt_exchange_type *functions,
					   void *plugin, const char *plugin_name,
					   const char *plugin_version);
void exchange_type_free(struct exchange_type *type);

void exchange_type_hold(struct exchange_type *type);
void exchange_type_release(struct exchange_type *type);

/*
 * Registers a type. Before the loops run. -EEXIST when the name is taken. Predeclared exchanges
 * (amq.*) of the type come to life: their instances are created; -EINVAL or -ENOMEM when one cannot
 * be (the type stays registered, so the start should fail).
 */
int exchange_type_register(struct topology *topology, const struct shunt_exchange_type *functions,
			   void *plugin, const char *plugin_name);
int exchange_type_register_of(struct topology *topology,
			      const struct shunt_exchange_type *functions, void *plugin,
			      const char *plugin_name, const char *plugin_version,
			      struct exchange_type_owner *owner);

/* The same for a type that was made by exchange_type_create(), which is the caller's if this fails
 * with -EEXIST. */
int exchange_type_add(struct topology *topology, struct exchange_type *type) MUST_USE;

/*
 * The same for a vhost that comes after the types: its predeclared exchanges get their instances.
 */
int exchange_types_bring_to_life(struct topology *topology, struct vhost *vhost) MUST_USE;

/* Inside either side, or on loop 0. It stays in place until the turn's end. */
struct exchange_type *exchange_type_find(struct topology *topology, struct slice name);

/* Inside either side, or on loop 0. */
void exchange_type_for_each(struct topology *topology,
			    void (*visit)(void *context, const struct exchange_type *type),
			    void *context);

#endif
