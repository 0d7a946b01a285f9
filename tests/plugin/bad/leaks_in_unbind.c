/* SPDX-License-Identifier: MIT */

/*
 * unbind() forgets the memory of the binding.
 * found by unbind: it leaks: with bindings that come and go
 */

#define GOOD_UNBIND bad_unbind
#include "good.h"

static void bad_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct good_seat *seat = (struct good_seat *)cookie;

	(void)state;
	(void)binding;
	seat->previous->next = seat->next;
	seat->next->previous = seat->previous;
}

#include "good_plugin.h"
