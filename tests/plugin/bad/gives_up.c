/* SPDX-License-Identifier: MIT */

/*
 * An assertion about what somebody else has sent.
 * found by bindings: crashed: Aborted
 */

#define GOOD_ROUTE bad_route
#include "good.h"

#include <stdlib.h>

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	if (message->routing_key.size > 255)
		abort();
	good_route(state, message, sink);
}

#include "good_plugin.h"
