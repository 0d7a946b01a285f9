/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_DESCRIBE_SCRIPT_H
#define KERNEL_PLUGIN_DESCRIBE_SCRIPT_H

#include <jansson.h>

struct plugin;

/* What is to be told of a plugin in force as it is a script: {"language", "plugin", "size",
 * "can_roll_back", "report"}; the report is the language's, many lines, or null. null: it is none.
 * At home. */
json_t *script_describe(const struct plugin *plugin);

#endif
