/* SPDX-License-Identifier: MIT */

/*
 * An argument for which no number is right.
 * found by schema: the declare argument 'x-depth': an argument's minimum is above its maximum
 */

#define GOOD_ARGUMENTS bad_arguments
#include "good.h"

static const struct shunt_argument bad_arguments[] = {
	{.name = "x-depth",
	 .help = "how deep it is",
	 .type = SHUNT_ARGUMENT_INTEGER,
	 .minimum = 10,
	 .maximum = 1},
	{.name = NULL},
};

#include "good_plugin.h"
