/* SPDX-License-Identifier: MIT */

/*
 * route() counts messages in the state, where several loops do it at once.
 * found by state: route() changed the state: it wrote at byte
 */

#define GOOD_ROUTE bad_route
#include "good.h"

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	((struct good_exchange *)(uintptr_t)state)->memory[0]++;
	good_route(state, message, sink);
}

#include "good_plugin.h"
