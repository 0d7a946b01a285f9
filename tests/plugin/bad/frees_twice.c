/* SPDX-License-Identifier: MIT */

/*
 * unbind() frees a binding, and destroy() does it again.
 * found by bindings: it freed an allocation of 24 bytes twice
 */

#define GOOD_UNBIND bad_unbind
#include "good.h"

static void bad_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	good_unbind(state, binding, cookie);
	good_host->free(good_host, cookie);
}

#include "good_plugin.h"
