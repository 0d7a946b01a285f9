/* SPDX-License-Identifier: MIT */

/*
 * It says that it looks at a header and the key, and looks at another property, too.
 * found by depends: depends is not true: two messages that are equal in what it names
 */

#define GOOD_ROUTE bad_route
#define GOOD_BY_KEY false
#define GOOD_DEPENDS bad_depends
#include "good.h"

static const char *const bad_depends[] = {"headers.x", "routing_key", NULL};

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	struct shunt_value value;

	if (good_host->message_property(good_host, message, SHUNT_APP_ID, &value))
		good_route(state, message, sink);
}

#include "good_plugin.h"
