/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_EXCHANGE_H
#define KERNEL_BROKER_EXCHANGE_H

/* Making and ending exchanges: for those who change the topology. */

#include <stdbool.h>

#include "amqp/error.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "broker/topology.h"

struct exchange_options {
	struct slice name, type, arguments;
	bool durable, auto_delete, internal;
};

/*
 * Of one reference, without an instance, not yet in its vhost. alternate-exchange is read from the
 * arguments (which have been checked). NULL when memory is out.
 */
struct exchange *exchange_create(struct vhost *vhost, const struct exchange_options *options);

/*
 * Asks the type whether it may be declared so, and makes an instance, without bindings, which is
 * not the exchange's yet (it has no serial). Outside of either side. Fails with what the type says.
 */
int exchange_make_instance(const struct exchange *exchange, struct exchange_type *type,
			   struct exchange_instance *ret_instance,
			   struct amqp_error *error) MUST_USE;

/* Outside of the write side; any thread. Does nothing where there is none. */
void exchange_instance_destroy(struct exchange_instance *instance);

/* Makes the first instance of an exchange that is not inserted yet, or before the loops run. */
int exchange_bring_to_life(struct exchange *exchange, struct exchange_type *type,
			   struct amqp_error *error) MUST_USE;

/* Write side: gives the slot an instance, takes it away, makes it the one that routes. */
void exchange_put_instance(struct exchange *exchange, unsigned slot,
			   const struct exchange_instance *instance);
struct exchange_instance exchange_take_instance(struct exchange *exchange, unsigned slot);
void exchange_activate(struct exchange *exchange, unsigned slot);

/*
 * Write side. The reference stays. What is inserted has a type that is still registered
 * (exchange_type.is_current), or none.
 */
void exchange_insert(struct topology *topology, struct exchange *exchange);
void exchange_remove(struct topology *topology, struct exchange *exchange);

/* Outside of the write side: the last one destroys the instance and frees the exchange. NULL is
 * fine. */
void exchange_unref(struct exchange *exchange);

static inline bool exchange_is_default(const struct exchange *exchange)
{
	return exchange->node.key.size == 0;
}

/* 406, for who wants to route by it, or bind to it. Returns -EPROTO. */
int exchange_error_not_loaded(const struct exchange *exchange, struct amqp_error *error);

struct shunt_error;
/* What a plugin's function said when it returned -1. Returns -EPROTO. */
int exchange_plugin_error(const struct exchange_type *type, const struct shunt_error *said,
			  struct amqp_error *error);

#endif
