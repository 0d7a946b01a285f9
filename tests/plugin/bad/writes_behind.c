/* SPDX-License-Identifier: MIT */

/*
 * One byte too many.
 * found by declare: it wrote behind an allocation
 */

#define GOOD_CREATE bad_create
#include "good.h"

static int bad_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
		      struct shunt_error *error)
{
	char *name;

	if (good_create(plugin, exchange, ret_state, error) < 0)
		return -1;
	name = (char *)good_host->allocate(good_host, 6);
	if (name != NULL)
		((volatile char *)name)[6] = '\0';
	good_host->free(good_host, name);
	return 0;
}

#include "good_plugin.h"
