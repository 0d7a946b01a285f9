/* SPDX-License-Identifier: MIT */

/*
 * route() remembers the last message in a static variable.
 * found by state: route() changed the state: it wrote to static data
 */

#define GOOD_ROUTE bad_route
#include "good.h"

static size_t bad_last_size;

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	bad_last_size += message->body.size;
	good_route(state, message, sink);
}

#include "good_plugin.h"
