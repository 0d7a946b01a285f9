/* SPDX-License-Identifier: MIT */

/*
 * stop() forgets what start() has allocated.
 * found by start: after stop() there are 1 allocations
 */

#define GOOD_REGISTER bad_register
#define GOOD_STOP     bad_stop
#include "good.h"

static int bad_register(const struct shunt_host *host, struct shunt_error *error)
{
	void *memory = host->allocate(host, 10);

	return memory != NULL ? 0 : good_refuse(error);
}

static void bad_stop(void *plugin)
{
	(void)plugin;
}

#include "good_plugin.h"
