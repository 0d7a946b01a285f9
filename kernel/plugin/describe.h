/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_DESCRIBE_H
#define KERNEL_PLUGIN_DESCRIBE_H

/* What operators are told about plugins, as JSON. At home. */

#include <jansson.h>
#include <stddef.h>

struct plugin_changes;
struct plugins;

/* An array of {"name", "version", "state", "language", "file", "types"}, where the language is null for
 * what is no script: also those that are tried, and those
 * that have been taken out and are not closed yet. */
json_t *plugins_describe(const struct plugins *plugins);

/* All about one that is in force; NULL: there is none of that name. */
json_t *plugin_describe(const struct plugins *plugins, const struct plugin_changes *changes,
			const char *name);

/* Text of plugins and clients: what is not UTF-8 shows as '?'. */
json_t *describe_text(const char *text, size_t size);

#endif
