/* SPDX-License-Identifier: MIT */

/*
 * An error of memory is no "not found".
 * found by memory: filled the error with the code 404 when memory was out
 */

#define GOOD_BIND bad_bind
#include "good.h"

static int bad_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		    struct shunt_error *error)
{
	int result = good_bind(state, binding, ret_cookie, error);

	if (result < 0)
		error->code = SHUNT_NOT_FOUND;
	return result;
}

#include "good_plugin.h"
