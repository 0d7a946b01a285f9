/* SPDX-License-Identifier: MIT */

/*
 * The second allocation of two fails, and the first one is forgotten.
 * found by memory: it leaks where memory was out
 */

#define GOOD_BIND bad_bind
#include "good.h"

static int bad_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		    struct shunt_error *error)
{
	void *first = good_host->allocate(good_host, 10);
	int result;

	if (first == NULL)
		return good_refuse(error);
	result = good_bind(state, binding, ret_cookie, error);
	if (result == 0)
		good_host->free(good_host, first);
	return result;
}

#include "good_plugin.h"
