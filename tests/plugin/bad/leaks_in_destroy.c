/* SPDX-License-Identifier: MIT */

/*
 * destroy() frees bindings, and forgets the exchange.
 * found by declare: it leaks: 1 allocations more
 */

#define GOOD_DESTROY bad_destroy
#include "good.h"

static void bad_destroy(void *state)
{
	(void)state;
}

#include "good_plugin.h"
