/* SPDX-License-Identifier: MIT */

/*
 * bound() sends a message of its own making.
 * found by bound: bound() sent a message that it does not hold
 */

#define GOOD_BOUND bad_bound
#include "good.h"

static void bad_bound(void *state, const struct shunt_binding *binding, struct shunt_sender *sender)
{
	const struct shunt_message message = {.size = sizeof(message)};

	(void)state;
	(void)binding;
	(void)sender->send(sender, &message);
}

#include "good_plugin.h"
