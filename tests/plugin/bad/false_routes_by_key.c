/* SPDX-License-Identifier: MIT */

/*
 * It says that only the key decides, and looks at the body.
 * found by key: routes_by_key is not true
 */

#define GOOD_ROUTE bad_route
#include "good.h"

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	if (message->body.size % 2 == 0)
		good_route(state, message, sink);
}

#include "good_plugin.h"
