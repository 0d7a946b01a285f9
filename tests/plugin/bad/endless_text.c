/* SPDX-License-Identifier: MIT */

/*
 * A text that fills its room, and the zero has none.
 * found by declare: filled the error with a text that does not end
 */

#define GOOD_VALIDATE bad_validate
#include "good.h"

static int bad_validate(void *plugin, const struct shunt_exchange *exchange,
			struct shunt_error *error)
{
	(void)plugin;
	if (exchange->arguments.size == 0)
		return 0;
	error->code = SHUNT_PRECONDITION_FAILED;
	memset(error->text, 'x', sizeof(error->text));
	return -1;
}

#include "good_plugin.h"
