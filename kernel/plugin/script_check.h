/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_SCRIPT_CHECK_H
#define KERNEL_PLUGIN_SCRIPT_CHECK_H

/*
 * Looking at a script without putting it in force: whether it compiles and what it brings, and what
 * its tests say. It is handed the settings of its name. On a thread of its own, beside all changes.
 *
 * At home.
 */

#include <stdbool.h>

#include "base/slice.h"

struct plugin_changes;

struct script_check {
	const char *name_or_path; /* a script in force, a name of scripts.dir, or a path */
	bool is_test;
	/* Later, some times: whole lines. Then done, once: error NULL: all is well. */
	void (*print)(void *context, struct slice text);
	void (*done)(void *context, const char *error);
	void *context;
};

/* The text is copied. The plugin of its language is loaded if it is not there. */
void plugins_check_script(struct plugin_changes *changes, const struct script_check *check);

#endif
