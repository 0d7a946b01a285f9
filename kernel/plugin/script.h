/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_SCRIPT_H
#define KERNEL_PLUGIN_SCRIPT_H

/*
 * Scripts: plugins that are text. What runs them is a language (sdk/shunt/language.h), which some
 * plugin has registered: it is found by the extension of the script's file, and its plugin is held
 * as long as there is anything of the script.
 *
 * At home, but where another thread is named.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "plugin/plugin.h"

/* ---- Names ---- */

/* NAME.lua, or NAME.EXT, in scripts.dir; or the path itself. The caller's. */
char *plugins_script_path(const struct plugins *plugins, const char *name_or_path);

/* Of a path: the name of the script, the caller's, and what is behind the dot, part of the path.
 * NULL: there is no dot, or a name that no plugin can have. */
char *script_name_of(const char *path);
const char *script_extension_of(const char *path);

/* Whether the reason begins with "PATH:LINE:". */
bool script_reason_is_placed(const char *path, const char *reason);

/* ---- Languages ---- */

/* Of that plugin, or, if that is NULL, in force. NULL: there is none. */
const struct shunt_language *plugins_find_language(const struct plugins *plugins,
						   const char *extension, struct plugin *of,
						   struct plugin **ret_owner);

/* The plugin that is to be loaded for the language of that script: its extension, part of the path
 * or constant. NULL: the language is there, or the name is none. */
const char *plugins_missing_language(const struct plugins *plugins, const char *path);

/* Some script of that plugin's languages which is in force, after `after` in their order. NULL:
 * none (any more). */
struct plugin *plugins_next_script(const struct plugins *plugins, const struct plugin *owner,
				   const struct plugin *after);

/* ---- A script's life ---- */

/* Of a new plugin: its name, path and language, and whether its settings are fine. 0, or -1 with a
 * reason. */
int script_begin(struct plugin *plugin, const struct plugin_open *open, char *ret_reason,
		 size_t size) MUST_USE;

#define PLUGIN_UNCHANGED 1

/* Reads it, if it has no text, and opens it. Any thread. 0; -1 with a reason; or PLUGIN_UNCHANGED.
 */
int script_open(struct plugin *plugin, const struct plugin_open *open, char *ret_reason,
		size_t size) MUST_USE;

/* Registers what it brings. */
int script_start(struct plugin *plugin, struct shunt_error *error) MUST_USE;

/* What open() has made. Any thread. */
void script_close(struct plugin *plugin);

/* The rest. */
void script_fini(struct plugin *plugin);

#endif
