/* SPDX-License-Identifier: MIT */

/*
 * Memory for each loop, of which all loops use the first.
 * found by state: wrote where route() on another loop wrote, too
 */

#define GOOD_ROUTE bad_route
#include "good.h"

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	struct good_exchange *exchange = (struct good_exchange *)(uintptr_t)state;

	exchange->memory[good_host->loop_index(good_host) / 100] = message->body.size;
	good_route(state, message, sink);
}

#include "good_plugin.h"
