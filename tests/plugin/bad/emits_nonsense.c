/* SPDX-License-Identifier: MIT */

/*
 * A copy of a binding is no binding.
 * found by bindings: route() emitted something that is no binding
 */

#define GOOD_ROUTE bad_route
#include "good.h"

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	static const struct shunt_binding copy;
	const struct shunt_binding *const copies[] = {&copy};

	sink->emit(sink, copies, 1);
	good_route(state, message, sink);
}

#include "good_plugin.h"
