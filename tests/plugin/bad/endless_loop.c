/* SPDX-License-Identifier: MIT */

/*
 * It waits for a byte that does not come.
 * found by bindings: did not return within 3 s
 */

#define GOOD_ROUTE bad_route
#include "good.h"

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	const volatile uint8_t *key = message->routing_key.data;
	size_t i = 0;

	while (message->routing_key.size > 255 && key[i % 255] != 'Q')
		i = i * 5 + 1;
	good_route(state, message, sink);
}

#include "good_plugin.h"
