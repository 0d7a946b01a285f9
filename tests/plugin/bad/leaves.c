/* SPDX-License-Identifier: MIT */

/*
 * It ends the broker.
 * found by bindings: route() ended the process
 */

#define GOOD_ROUTE bad_route
#include "good.h"

#include <stdlib.h>

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	if (message->routing_key.size > 255)
		_Exit(0);
	good_route(state, message, sink);
}

#include "good_plugin.h"
