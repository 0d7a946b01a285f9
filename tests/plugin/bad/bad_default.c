/* SPDX-License-Identifier: MIT */

/*
 * A default that the option itself refuses.
 * found by options: its option 'depth' does not allow its own default '11'
 */

#define GOOD_OPTIONS bad_options
#include "good.h"

static const struct shunt_option bad_options[] = {
	{"depth", "how deep it is", "11", 1, 10, SHUNT_OPTION_INTEGER},
	{NULL, NULL, NULL, 0, 0, SHUNT_OPTION_STRING},
};

#include "good_plugin.h"
