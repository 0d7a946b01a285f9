/* SPDX-License-Identifier: MIT */

/*
 * It looks at the key of a binding that has gone.
 * found by bindings: used a binding after it was unbound
 */

#define GOOD_UNBIND bad_unbind
#include "good.h"

static void bad_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct good_exchange *exchange = (struct good_exchange *)state;
	const uint8_t *key = (const uint8_t *)exchange->kept;

	if (key != NULL)
		exchange->memory[0] += key[0];
	exchange->kept = binding->destination.data;
	good_unbind(state, binding, cookie);
}

#include "good_plugin.h"
