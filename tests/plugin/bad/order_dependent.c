/* SPDX-License-Identifier: MIT */

/*
 * The first binding of the key takes it all.
 * found by order: route() depends on the order
 */

#define GOOD_ROUTE bad_route
#include "good.h"

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	const struct good_exchange *exchange = (const struct good_exchange *)state;

	for (const struct good_seat *seat = exchange->ring.next; seat != &exchange->ring;
	     seat = seat->next)
		if (good_same(seat->binding->routing_key, message->routing_key)) {
			sink->emit(sink, &seat->binding, 1);
			return;
		}
}

#include "good_plugin.h"
