/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_LOADER_H
#define KERNEL_PLUGIN_LOADER_H

/*
 * Plugins: finding, checking and opening shared objects and scripts, their configuration, start and
 * stop. All on loop 0's thread.
 */

#include <stdbool.h>
#include <stddef.h>

#include <shunt/plugin.h>

struct access;
struct hooks;
struct plugin;
struct plugins;
struct publisher;
struct topology;

/* One `plugin.NAME.KEY = value`, or `script.NAME.KEY = value`, of the configuration. */
struct plugin_setting {
	const char *plugin, *key, *value;
	const char *where; /* "file:line", for messages */
	bool is_script;
};

/* What is pointed to outlives the plugins. */
struct plugins_config {
	struct topology *topology;
	struct access *access;
	struct hooks *hooks;	     /* NULL: hooks are not put in force */
	struct publisher *publisher; /* NULL: plugins cannot publish */
	const char *directory; /* where NAME is NAME.so */
	const char *scripts;   /* where script NAME is NAME.lua; NULL: paths only */
	const char *copies; /* where files are copied to before they are opened; NULL: not at all */
	const struct plugin_setting *settings; /* copied */
	size_t n_settings;
	bool only_looks; /* the loops will not run: plugins are started, and not activated */
};

/* copies is there, and empty: plugin_files_prepare() (plugin/file.h). */
struct plugins *plugins_create(const struct plugins_config *config);

/*
 * Before the loops run. Opens, checks and starts one, and puts it in force: a name, or a path with
 * a '/'. where: "file:line" that names it, or NULL. 0, or -1 with one line in ret_reason: "WHERE:
 * cannot load plugin 'NAME': why", or "WHERE: what is wrong with a setting of it". 0 with a warning
 * in the log if it cannot be opened or is refused and its setting `optional` is true. -EIO instead
 * of -1 if the directory for copies is at fault.
 */
int plugins_load(struct plugins *plugins, const char *name_or_path, const char *where,
		 char *ret_reason, size_t size);

/* The same of a script: "FILE:LINE: why" if the fault is in it. If nothing runs what has its file's
 * extension, the plugin of that name is loaded first. */
int plugins_load_script(struct plugins *plugins, const char *name_or_path, const char *where,
			char *ret_reason, size_t size);

/* After all were loaded: a setting for a plugin that is not there, and not optional, is an error:
 * 0, or -1 with a reason. */
int plugins_check_settings(const struct plugins *plugins, char *ret_reason, size_t size);

/*
 * Those of scripts are these from now on, for scripts that are opened: who runs keeps what it was
 * handed. And all that are in force, valid until the next change.
 */
void plugins_take_script_settings(struct plugins *plugins, const struct plugin_setting *settings,
				  size_t n);
const struct plugin_setting *plugins_settings(const struct plugins *plugins, size_t *ret_n);

/* When the loops have ended. The type instances must have gone. */
void plugins_destroy(struct plugins *plugins);

/* Of those in force, in their order. */
void plugins_for_each(const struct plugins *plugins,
		      void (*visit)(void *context, const struct shunt_plugin *plugin,
				    const char *path),
		      void *context);

/* Whether what is named is a script of a language in force, or of Lua: by the extension. */
bool plugins_name_script(const struct plugins *plugins, const char *name_or_path);

const char *plugin_name(const struct plugin *plugin);

#endif
