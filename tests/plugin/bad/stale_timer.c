/* SPDX-License-Identifier: MIT */

/*
 * A timer frees itself, and starts anew.
 * found by timers: with what is no timer
 */

#define GOOD_REGISTER bad_register
#include "good.h"

static struct shunt_timer *bad_timer;

static void bad_fire(void *context)
{
	(void)context;
	good_host->timer_free(good_host, bad_timer);
	good_host->timer_start(good_host, bad_timer, 10, 0);
}

static int bad_register(const struct shunt_host *host, struct shunt_error *error)
{
	bad_timer = host->timer_create(host, bad_fire, NULL);
	if (bad_timer == NULL)
		return good_refuse(error);
	host->timer_start(host, bad_timer, 10, 0);
	return 0;
}

#include "good_plugin.h"
