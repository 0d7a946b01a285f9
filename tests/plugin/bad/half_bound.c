/* SPDX-License-Identifier: MIT */

/*
 * bind() fails, but the binding is in the state.
 * found by memory: route() used a binding after it was unbound, or its bind() had failed
 */

#define GOOD_BIND bad_bind
#include "good.h"

static int bad_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		    struct shunt_error *error)
{
	void *second;

	if (good_bind(state, binding, ret_cookie, error) < 0)
		return -1;
	second = good_host->allocate(good_host, 10);
	if (second == NULL)
		return good_refuse(error);
	good_host->free(good_host, second);
	return 0;
}

#include "good_plugin.h"
