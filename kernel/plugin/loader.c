/* SPDX-License-Identifier: MIT */
#include "plugin/loader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "plugin/plugin.h"
#include "plugin/script.h"

/* ---- All of them ---- */

struct plugins *plugins_create(const struct plugins_config *config)
{
	struct plugins *plugins = mem_zalloc(sizeof(*plugins));

	plugins->config = *config;
	plugins->settings = setting_list_create(config->settings, config->n_settings);
	list_init(&plugins->active);
	list_init(&plugins->staged);
	list_init(&plugins->leaving);
	pending_init(&plugins->logins);
	pending_init(&plugins->calls);
	plugins_help_init(plugins);
	return plugins;
}

struct plugin *plugins_find(const struct plugins *plugins, const char *name)
{
	struct list *pos;

	list_for_each(pos, &plugins->active) {
		struct plugin *plugin = container_of(pos, struct plugin, link);

		if (strcmp(plugin->name, name) == 0)
			return plugin;
	}
	return NULL;
}

void plugins_for_each(const struct plugins *plugins,
		      void (*visit)(void *context, const struct shunt_plugin *plugin,
				    const char *path),
		      void *context)
{
	struct list *pos;

	list_for_each(pos, &plugins->active) {
		const struct plugin *plugin = container_of(pos, struct plugin, link);

		visit(context, &plugin->self, plugin->file.path);
	}
}

const char *plugin_name(const struct plugin *plugin)
{
	return plugin->name;
}

/* The last one of any list: scripts before others, as these may be their languages'. NULL: none. */
static struct plugin *last_of(struct plugins *plugins)
{
	struct list *const lists[] = {&plugins->active, &plugins->staged, &plugins->leaving};
	struct plugin *last = NULL;
	struct list *pos;

	for (size_t i = 0; i < 3; i++) {
		struct plugin *last_script = NULL;

		list_for_each(pos, lists[i]) {
			struct plugin *plugin = container_of(pos, struct plugin, link);

			if (plugin->script != NULL)
				last_script = plugin;
		}
		if (last_script != NULL)
			return last_script;
		if (last == NULL && list_last(lists[i]) != NULL)
			last = container_of(list_last(lists[i]), struct plugin, link);
	}
	return last;
}

/* What is on its way between the loops and the helper comes to its end first. */
void plugins_destroy(struct plugins *plugins)
{
	struct plugin *plugin;

	if (plugins == NULL)
		return;
	plugins_finish_pending(plugins);
	while ((plugin = last_of(plugins)) != NULL)
		plugin_end(plugin);
	pending_fini(&plugins->logins);
	pending_fini(&plugins->calls);
	setting_list_unref(plugins->settings);
	mem_free(plugins);
}

/* ---- Loading at start ---- */

static const char *base_name(const char *path, char *room, size_t size)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	size_t n = strlen(name);

	if (n > 3 && strcmp(name + n - 3, ".so") == 0)
		n -= 3;
	snprintf(room, size, "%.*s", (int)n, name);
	return room;
}

/* By its own name, if it is known, or by its file's. A wrong setting of it is never forgiven, nor a
 * data directory that takes no copy. */
static bool may_be_missing(const struct plugin *plugin, const char *name_or_path)
{
	bool is_script = plugin->script != NULL;
	char name[256];

	if (plugin->is_badly_set || plugin->file.copy_failed)
		return false;
	if (plugin->name != NULL &&
	    plugins_is_optional(plugin->plugins, plugin->name, is_script))
		return true;
	return !is_script && plugins_is_optional(plugin->plugins,
						 base_name(name_or_path, name, sizeof(name)),
						 false);
}

/* Instances of predeclared exchanges are created with what start() left. */
static int register_types(struct plugin *plugin, char *ret_reason, size_t size)
{
	for (size_t i = 0; i < plugin->staged.n_types; i++) {
		const struct shunt_exchange_type *type = &plugin->staged.types[i];
		int result = exchange_type_register_of(plugin->plugins->config.topology, type,
						       plugin->state, plugin->name,
						       plugin->self.version, &plugin->owner);

		if (result != 0)
			return plugin_refuse(ret_reason, size,
					     "exchange type '%s' cannot be registered: %s",
					     type->name, strerror(-result));
	}
	return 0;
}

/* "PLACE: cannot load plugin 'NAME': " before the reason, but for settings, which say all, and for
 * what is wrong in a script, which has a place of its own. */
static int refuse_load(const struct plugin *plugin, const char *name, const char *where,
		       const char *why, char *ret_reason, size_t size)
{
	bool is_script = plugin->script != NULL;

	if (plugin->is_badly_set ||
	    (is_script && script_reason_is_placed(plugin->file.path, why)))
		return plugin_refuse(ret_reason, size, "%s", why);
	return plugin_refuse(ret_reason, size, "%s%scannot load %s '%s': %s",
			     where != NULL ? where : "", where != NULL ? ": " : "",
			     is_script ? "script" : "plugin", name, why);
}

static int load(struct plugins *plugins, const char *name_or_path, bool is_script,
		const char *where, char *ret_reason, size_t size)
{
	const struct plugin_open open = {.name_or_path = name_or_path, .is_script = is_script};
	char why[PLUGIN_WHY_SIZE] = "";
	struct plugin *plugin;
	bool is_forgiven, copy_failed;

	if (plugins_open_raw(plugins, &open, &plugin, why, sizeof(why)) != 0) {
		is_forgiven = may_be_missing(plugin, name_or_path);
		copy_failed = plugin->file.copy_failed;
		(void)refuse_load(plugin, name_or_path, where, why, ret_reason, size);
		plugin_abandon(plugin);
		if (!is_forgiven)
			return copy_failed ? -EIO : -1;
		log_warning("plugin", "started without it: %s", ret_reason);
		return 0;
	}
	/* From here on it stays, also if a type is refused: others of it may have instances. */
	plugin_activate(plugin, NULL);
	if (register_types(plugin, why, sizeof(why)) != 0)
		return refuse_load(plugin, name_or_path, where, why, ret_reason, size);
	log_info("plugin", "loaded: name=%s version=%s path=\"%s\"", plugin->name,
		 plugin->self.version, plugin->file.path);
	return 0;
}

int plugins_load(struct plugins *plugins, const char *name_or_path, const char *where,
		 char *ret_reason, size_t size)
{
	return load(plugins, name_or_path, false, where, ret_reason, size);
}

/* The plugin of the language of that script, if it is not there. */
static int load_language(struct plugins *plugins, const char *name_or_path, const char *where,
			 char *ret_reason, size_t size)
{
	char *path = plugins_script_path(plugins, name_or_path), *name = script_name_of(path);
	const char *language = plugins_missing_language(plugins, path);
	int result = 0;

	if (name != NULL && language != NULL)
		result = load(plugins, language, false, where, ret_reason, size);
	if (result == -1 && plugins_is_optional(plugins, name, true)) {
		log_warning("plugin", "started without script '%s': %s", name, ret_reason);
		result = 1;
	}
	mem_free(name);
	mem_free(path);
	return result;
}

int plugins_load_script(struct plugins *plugins, const char *name_or_path, const char *where,
			char *ret_reason, size_t size)
{
	int result = load_language(plugins, name_or_path, where, ret_reason, size);

	if (result != 0)
		return result < 0 ? result : 0;
	return load(plugins, name_or_path, true, where, ret_reason, size);
}
