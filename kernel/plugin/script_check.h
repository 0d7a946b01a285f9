/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_SCRIPT_CHECK_H
#define KERNEL_PLUGIN_SCRIPT_CHECK_H

/*
 * Looking at a script without putting it in force: whether it compiles and what it brings, and what
 * its tests say. It is handed the settings of its name, and others, which count more. On a thread
 * of its own, beside all changes.
 *
 * At home.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct plugin_changes;

/* What the script is handed besides. */
struct script_check_setting {
	const char *key, *value;
};

struct script_check {
	const char *name_or_path; /* a script in force, a name of scripts.dir, or a path */
	bool is_test;
	const struct script_check_setting *settings;
	size_t n_settings;
	/* Later, some times: whole lines. Then done, once: error NULL: all is well. */
	void (*print)(void *context, struct slice text);
	void (*done)(void *context, const char *error);
	void *context;
};

/* Texts are copied. The plugin of its language is loaded if it is not there. */
void plugins_check_script(struct plugin_changes *changes, const struct script_check *check);

#endif
