/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_ROUTER_OBSERVE_H
#define KERNEL_BROKER_ROUTER_OBSERVE_H

/*
 * Showing routed messages to exchange types that observe (shunt_exchange_type.observe). An exchange
 * that a message has visited is one more target of it, on the exchange's own loop: so the message
 * goes there as to a queue, in the order of its publisher, who waits for it as for a queue.
 */

#include "broker/router/state.h"

/* On the exchange's own loop, outside of the read side. Takes the target's and the message's
 * reference. If the exchange has been deleted meanwhile, it may not be shown. user: who published.
 */
void router_observe(struct broker *broker, const struct route_target *target,
		    struct message *message, struct shunt_bytes user);

/* A target that gets no message. The exchange must be in the topology, if in the read side. */
void route_target_drop(const struct route_target *target);

/* The targets from the n-th on are dropped and forgotten. */
void router_cut_targets(struct router *router, size_t n);

/* Whether the index-th message has no target but observers. */
bool router_reached_no_queue(const struct router *router, size_t index);

#endif
