/* SPDX-License-Identifier: MIT */
#include "broker/router/observe.h"

#include "base/bug.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"

static bool is_observer(const struct route_target *target)
{
	return target->ref.slot == ROUTE_OBSERVER;
}

static struct exchange *exchange_of(const struct route_target *target)
{
	return (struct exchange *)(uintptr_t)target->reply_key;
}

static struct shunt_bytes bytes_of(struct slice s)
{
	return (struct shunt_bytes){s.data, s.size};
}

/*
 * The read side keeps out who binds, unbinds, or puts another instance in this one's place; and all
 * observing of one exchange is done by this loop. Whatever instance is there now is shown it.
 */
void router_observe(struct broker *broker, const struct route_target *target,
		    struct message *message, struct shunt_bytes user)
{
	struct exchange *exchange = exchange_of(target);
	const struct routed_message routed = {
		.view = {.size = sizeof(struct shunt_message),
			 .exchange = bytes_of(message_exchange(message)),
			 .routing_key = bytes_of(message_routing_key(message)),
			 .body = bytes_of(message_body(message)),
			 .vhost = bytes_of(exchange->vhost->node.key),
			 .user = user},
		.message = message,
	};

	topology_read_begin(broker->topology);
	if (!exchange->doomed && exchange->type && exchange->type->own.observe)
		exchange->type->own.observe(exchange->instance, &routed.view);
	topology_read_end(broker->topology);
	exchange_unref(exchange);
	message_unref(message);
}

void route_target_drop(const struct route_target *target)
{
	if (is_observer(target))
		exchange_unref(exchange_of(target));
}

void router_cut_targets(struct router *router, size_t n)
{
	for (size_t i = n; router->has_observers && i < router->n_targets; i++)
		route_target_drop(&router->targets[i]);
	router->n_targets = n;
}

bool router_reached_no_queue(const struct router *router, size_t index)
{
	for (size_t i = router->first[index]; i < router->first[index + 1]; i++) {
		if (!is_observer(&router->targets[i]))
			return false;
	}
	return true;
}
