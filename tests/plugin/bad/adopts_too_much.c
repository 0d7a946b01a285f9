/* SPDX-License-Identifier: MIT */

/*
 * adopt() takes what the old instance still frees.
 * found by adopt: it freed an allocation of
 */

#define GOOD_CREATE  bad_create
#define GOOD_DESTROY bad_destroy
#define GOOD_ADOPT   bad_adopt
#include "good.h"

static int bad_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
		      struct shunt_error *error)
{
	struct good_exchange *state;

	if (good_create(plugin, exchange, ret_state, error) < 0)
		return -1;
	state = (struct good_exchange *)*ret_state;
	state->kept = good_host->allocate(good_host, 50);
	if (state->kept != NULL)
		return 0;
	good_destroy(state);
	return good_refuse(error);
}

static void bad_destroy(void *state)
{
	good_host->free(good_host, (void *)(uintptr_t)((struct good_exchange *)state)->kept);
	good_destroy(state);
}

static void bad_adopt(void *state, void *old_state, const char *old_version)
{
	struct good_exchange *exchange = (struct good_exchange *)state;

	(void)old_version;
	good_host->free(good_host, (void *)(uintptr_t)exchange->kept);
	exchange->kept = ((struct good_exchange *)old_state)->kept;
}

#include "good_plugin.h"
