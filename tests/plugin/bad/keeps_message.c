/* SPDX-License-Identifier: MIT */

/*
 * observe() keeps a message without holding it.
 * found by observe: used a message after the call for which it was passed
 */

#define GOOD_OBSERVE bad_observe
#include "good.h"

static void bad_observe(void *state, const struct shunt_message *message)
{
	struct good_exchange *exchange = (struct good_exchange *)state;
	const struct shunt_message *last = (const struct shunt_message *)exchange->kept;

	if (last != NULL)
		exchange->memory[0] += last->body.size;
	exchange->kept = message;
}

#include "good_plugin.h"
