/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_TOPOLOGY_EXCHANGE_H
#define KERNEL_BROKER_TOPOLOGY_EXCHANGE_H

/* Making and ending exchanges: for those who change the topology. */

#include <stdatomic.h>
#include <stdbool.h>

#include "amqp/error.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "broker/topology/topology.h"

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

/*
 * Whether the type takes an exchange that is declared so, and an instance of it a binding: first the
 * arguments as the type describes them, then what its functions say. Fail with 406, or with what
 * those say. For the binding the read side is enough, if nobody changes the instance meanwhile.
 */
int exchange_validate(const struct exchange *exchange, const struct exchange_type *type,
		      struct amqp_error *error) MUST_USE;
int exchange_validate_binding(const struct exchange *exchange,
			      const struct exchange_instance *instance,
			      const struct shunt_binding *binding,
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

static inline void exchange_ref(struct exchange *exchange)
{
	atomic_fetch_add_explicit(&exchange->refs, 1, memory_order_relaxed);
}

/* Outside of the write side: the last one destroys the instance and frees the exchange. NULL is
 * fine. */
void exchange_unref(struct exchange *exchange);

static inline bool exchange_is_default(const struct exchange *exchange)
{
	return exchange->node.key.size == 0;
}

/* 406, for who wants to route by it, or bind to it. Returns -EPROTO. */
int exchange_error_not_loaded(const struct exchange *exchange, struct amqp_error *error);
/*
 * The loop on which the exchange's type observes, and what must be in order with that is done.
 * Always the same one, once it is inserted.
 */
static inline unsigned exchange_own_loop(const struct exchange *exchange, unsigned n_loops)
{
	return exchange->index % n_loops;
}

struct shunt_error;
/* What a plugin's function said when it returned -1. Returns -EPROTO. */
int exchange_plugin_error(const struct exchange_type *type, const struct shunt_error *said,
			  struct amqp_error *error);

#endif
