/* SPDX-License-Identifier: MIT */

/*
 * bind() fails and does not say why.
 * found by memory: failed and did not fill the error
 */

#define GOOD_BIND bad_bind
#include "good.h"

static int bad_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		    struct shunt_error *error)
{
	struct shunt_error unheard;

	(void)error;
	return good_bind(state, binding, ret_cookie, &unheard);
}

#include "good_plugin.h"
