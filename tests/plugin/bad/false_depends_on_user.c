/* SPDX-License-Identifier: MIT */

/*
 * It says that only the key counts, and looks at who published.
 * found by depends: depends is not true: two messages that are equal in what it names
 */

#define GOOD_ROUTE bad_route
#define GOOD_BY_KEY false
#include "good.h"

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	if (message->user.size == 5)
		good_route(state, message, sink);
}

#include "good_plugin.h"
