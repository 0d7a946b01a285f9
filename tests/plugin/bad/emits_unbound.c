/* SPDX-License-Identifier: MIT */

/*
 * unbind() leaves the binding in the state.
 * found by bindings: route() emitted a binding that is not bound
 */

#define GOOD_UNBIND bad_unbind
#define GOOD_ROUTE  bad_route
#include "good.h"

static void bad_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	((struct good_exchange *)state)->kept = binding;
	good_unbind(state, binding, cookie);
}

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	const struct good_exchange *exchange = (const struct good_exchange *)state;
	const struct shunt_binding *kept = (const struct shunt_binding *)exchange->kept;

	if (kept != NULL)
		sink->emit(sink, &kept, 1);
	good_route(state, message, sink);
}

#include "good_plugin.h"
