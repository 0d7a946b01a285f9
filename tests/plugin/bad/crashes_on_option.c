/* SPDX-License-Identifier: MIT */

/*
 * start() trusts a number that the option allows.
 * found by options: start() crashed
 */

#define GOOD_OPTIONS bad_options
#define GOOD_START   bad_start
#include "good.h"

static const struct shunt_option bad_options[] = {
	{"share", "one in so many", "1", 0, 10, SHUNT_OPTION_INTEGER},
	{NULL, NULL, NULL, 0, 0, SHUNT_OPTION_STRING},
};

static int good_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error);

static int bad_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	static const char *const names[] = {NULL, "one", "two"};

	if (names[host->config_integer(host, "share") % 3][0] == '\0')
		return -1;
	return good_start(host, ret_plugin, error);
}

#include "good_plugin.h"
