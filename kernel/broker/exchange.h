/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_EXCHANGE_H
#define KERNEL_BROKER_EXCHANGE_H

/* Making and ending exchanges: for those who change the topology. */

#include <stdatomic.h>
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
 * Asks the type whether it may be declared so, and makes its instance. Outside of the write side,
 * before it is inserted. Fails with what the type says.
 */
int exchange_bring_to_life(struct exchange *exchange, struct exchange_type *type,
			   struct amqp_error *error) MUST_USE;

/*
 * Whether the type takes an exchange that is declared so, and a binding of it: first the arguments
 * as the type describes them, then what its functions say. Fail with 406, or with what those say.
 * The binding's in either side of the topology; the instance is of that type.
 */
int exchange_validate(const struct exchange *exchange, const struct exchange_type *type,
		      struct amqp_error *error) MUST_USE;
int exchange_validate_binding(const struct exchange *exchange, const struct exchange_type *type,
			      const void *instance, const struct shunt_binding *binding,
			      struct amqp_error *error) MUST_USE;

/* Write side. The reference stays. */
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
