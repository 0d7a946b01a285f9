/* SPDX-License-Identifier: MIT */

/*
 * It says what its answers depend on, and draws lots.
 * found by depends: depends is not true: the same message
 */

#define GOOD_ROUTE bad_route
#define GOOD_BY_KEY false
#include "good.h"

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	if (good_host->random(good_host) % 2 == 0)
		good_route(state, message, sink);
}

#include "good_plugin.h"
