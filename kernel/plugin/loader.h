/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_LOADER_H
#define KERNEL_PLUGIN_LOADER_H

/*
 * Plugins: finding, checking and opening shared objects, their configuration, start and stop. All
 * on loop 0's thread, before the loops run and after they have stopped.
 */

#include <stddef.h>

#include <shunt/plugin.h>

struct plugin;
struct plugins;
struct topology;

/* One `plugin.NAME.KEY = value` of the configuration. */
struct plugin_setting {
	const char *plugin, *key, *value;
	const char *where; /* "file:line", for messages */
};

/* directory: where NAME is NAME.so. settings and what they point to outlive the plugins. */
struct plugins *plugins_create(struct topology *topology, const char *directory,
			       const struct plugin_setting *settings, size_t n_settings);

/*
 * Opens, checks and starts one: a name, or a path with a '/'. where: "file:line" that names it, or
 * NULL. 0, or -1 with one line in ret_reason: "WHERE: cannot load plugin 'NAME': why", or "WHERE:
 * what is wrong with a setting of it".
 */
int plugins_load(struct plugins *plugins, const char *name_or_path, const char *where,
		 char *ret_reason, size_t size);

/* After all were loaded: a setting for a plugin that is not there is an error: 0, or -1 with a
 * reason. */
int plugins_check_settings(const struct plugins *plugins, char *ret_reason, size_t size);

/* The type instances must have gone. */
void plugins_destroy(struct plugins *plugins);

void plugins_for_each(const struct plugins *plugins,
		      void (*visit)(void *context, const struct shunt_plugin *plugin,
				    const char *path),
		      void *context);

/* For the host (plugin/host.c). 0, or -1 with *error filled. */
int plugin_add_exchange_type(struct plugin *plugin, const struct shunt_exchange_type *type,
			     struct shunt_error *error);
const char *plugin_name(const struct plugin *plugin);

#endif
