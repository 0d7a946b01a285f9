/* SPDX-License-Identifier: MIT */

/*
 * route() asks for memory, which takes locks.
 * found by state: route() called shunt_host.allocate, which is not for route()
 */

#define GOOD_ROUTE bad_route
#include "good.h"

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	good_host->free(good_host, good_host->allocate(good_host, 10));
	good_route(state, message, sink);
}

#include "good_plugin.h"
