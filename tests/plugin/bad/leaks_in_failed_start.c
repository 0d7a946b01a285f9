/* SPDX-License-Identifier: MIT */

/*
 * start() gives up half way and leaves what it has.
 * found by start-memory: start() failed when memory was out and left 1 allocations
 */

#define GOOD_START bad_start
#define GOOD_STOP  bad_stop
#include "good.h"

static void bad_post(void *context)
{
	(void)context;
}

static int good_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error);

static int bad_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	if (good_start(host, ret_plugin, error) < 0)
		return -1;
	*ret_plugin = host->allocate(host, 100);
	good_host = host;
	if (*ret_plugin == NULL)
		return good_refuse(error);
	if (host->post(host, bad_post, NULL) < 0)
		return good_refuse(error);
	return 0;
}

static void bad_stop(void *plugin)
{
	good_host->free(good_host, plugin);
}

#include "good_plugin.h"
