/* SPDX-License-Identifier: MIT */

/*
 * A message that is held once is released twice.
 * found by observe: it released a message that it does not hold
 */

#define GOOD_OBSERVE bad_observe
#include "good.h"

static void bad_observe(void *state, const struct shunt_message *message)
{
	const struct shunt_message *held = good_host->message_hold(good_host, message);

	(void)state;
	if (held == NULL)
		return;
	good_host->message_release(good_host, held);
	good_host->message_release(good_host, held);
}

#include "good_plugin.h"
