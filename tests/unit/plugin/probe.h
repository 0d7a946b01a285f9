/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_PLUGIN_PROBE_H
#define TESTS_UNIT_PLUGIN_PROBE_H

/*
 * A plugin that does as its options say, and shows the test what it was given: it exports `probe`
 * beside shunt_plugin. What it exports is there as long as it is loaded.
 *
 *	fail       start() fails: "text", "silent" (without a text), "endless" (a text without its
 *	           zero), "positive" (with 1 instead of -1)
 *	register   which exchange types start() registers; see probe.c
 */

#include <shunt/plugin.h>

#define PROBE_SYMBOL "probe"

struct probe {
	const struct shunt_host *host;
	const struct shunt_exchange_type *late; /* a good type that start() did not register */
	unsigned n_created, n_destroyed;	/* exchange instances */
	void *seen_plugin;			/* what create() was given last */
	char seen_name[64];			/* of the exchange last created */
};

#endif
