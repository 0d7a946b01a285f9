/* SPDX-License-Identifier: MIT */

/*
 * Nobody has thought of an empty key.
 * found by bindings: route() crashed
 */

#define GOOD_ROUTE bad_route
#include "good.h"

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	static const uint8_t *volatile nothing;
	const uint8_t *first = message->routing_key.size > 0 ? message->routing_key.data : nothing;

	if (*(const volatile uint8_t *)first != 'Q')
		good_route(state, message, sink);
}

#include "good_plugin.h"
