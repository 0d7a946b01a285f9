/* SPDX-License-Identifier: MIT */

/*
 * A routing key does not end with a zero.
 * found by bindings: route() went behind the end of a message
 */

#define GOOD_ROUTE bad_route
#include "good.h"

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	const volatile uint8_t *key = message->routing_key.data;

	while (*key != '\0')
		key++;
	good_route(state, message, sink);
}

#include "good_plugin.h"
