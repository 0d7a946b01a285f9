/* SPDX-License-Identifier: MIT */

/*
 * bind() takes for granted that there is memory.
 * found by memory: bind() crashed
 */

#define GOOD_BIND bad_bind
#include "good.h"

static int bad_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		    struct shunt_error *error)
{
	struct good_seat *seat = (struct good_seat *)good_host->allocate(good_host, sizeof(*seat));

	(void)error;
	((volatile struct good_seat *)seat)->binding = binding;
	good_seat_add((struct good_exchange *)state, seat, binding);
	*ret_cookie = seat;
	return 0;
}

#include "good_plugin.h"
