/* SPDX-License-Identifier: MIT */

/*
 * Each message is held, none is released.
 * found by observe: that it never releases
 */

#define GOOD_OBSERVE bad_observe
#include "good.h"

static void bad_observe(void *state, const struct shunt_message *message)
{
	((struct good_exchange *)state)->kept = good_host->message_hold(good_host, message);
}

#include "good_plugin.h"
