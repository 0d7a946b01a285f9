/* SPDX-License-Identifier: MIT */

/*
 * A default that is none of the choices.
 * found by schema: the declare argument 'x-mode': an argument's default does not fit it
 */

#define GOOD_ARGUMENTS bad_arguments
#include "good.h"

static const char *const bad_choices[] = {"fast", "safe", NULL};

static const struct shunt_argument bad_arguments[] = {
	{.name = "x-mode",
	 .help = "how",
	 .type = SHUNT_ARGUMENT_STRING,
	 .choices = bad_choices,
	 .default_value = "slow"},
	{.name = NULL},
};

#include "good_plugin.h"
