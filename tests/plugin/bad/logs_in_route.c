/* SPDX-License-Identifier: MIT */

/*
 * route() writes to the log.
 * found by bindings: route() called shunt_host.log, which is not for route()
 */

#define GOOD_ROUTE bad_route
#include "good.h"

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	good_host->log(good_host, SHUNT_LOG_INFO, "a message");
	good_route(state, message, sink);
}

#include "good_plugin.h"
