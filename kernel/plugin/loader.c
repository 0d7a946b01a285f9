/* SPDX-License-Identifier: MIT */
#include "plugin/loader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/pool.h"
#include "plugin/host.h"
#include "plugin/plugin.h"

/* ---- All of them ---- */

struct plugins *plugins_create(const struct plugins_config *config)
{
	struct plugins *plugins = mem_zalloc(sizeof(*plugins));

	plugins->config = *config;
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

/* What is on its way between the loops and the helper comes to its end first. */
void plugins_destroy(struct plugins *plugins)
{
	struct list *lists[3], *node;

	if (plugins == NULL)
		return;
	plugins_finish_pending(plugins);
	lists[0] = &plugins->active;
	lists[1] = &plugins->staged;
	lists[2] = &plugins->leaving;
	for (size_t i = 0; i < 3; i++)
		while ((node = list_last(lists[i])) != NULL)
			plugin_end(container_of(node, struct plugin, link));
	pending_fini(&plugins->logins);
	pending_fini(&plugins->calls);
	mem_free(plugins);
}

/* ---- Opening ---- */

static void owner_hold(struct exchange_type_owner *owner)
{
	plugin_hold(container_of(owner, struct plugin, owner));
}

static void owner_release(struct exchange_type_owner *owner)
{
	plugin_release(container_of(owner, struct plugin, owner));
}

static struct plugin *plugin_create(struct plugins *plugins, const struct plugin_open *open)
{
	struct plugin *plugin = mem_zalloc(sizeof(*plugin));

	host_init(&plugin->host);
	plugin_life_init(plugin);
	plugin->plugins = plugins;
	plugin->replaces = open->replaces;
	plugin->owner = (struct exchange_type_owner){owner_hold, owner_release};
	list_init(&plugin->timers);
	list_init(&plugin->link);
	list_add_tail(&plugins->staged, &plugin->link);
	return plugin;
}

static char *path_of(const struct plugins *plugins, const char *name_or_path)
{
	return strchr(name_or_path, '/') != NULL
		       ? mem_strdup(name_or_path)
		       : mem_printf("%s/%s.so", plugins->config.directory, name_or_path);
}

/* Where the copy goes; the number is never used again. Of a long name a part, as the whole would be
 * too long with the number. */
static char *copy_of(struct plugins *plugins, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;

	if (plugins->config.copies == NULL)
		return NULL;
	return mem_printf("%s/%llu-%.200s", plugins->config.copies,
			  (unsigned long long)++plugins->n_files, name);
}

/* ---- Starting ---- */

static int check_name(const struct plugin *plugin, char *ret_reason, size_t size)
{
	const struct plugin *other = plugins_find(plugin->plugins, plugin->name);

	if (plugin->replaces != NULL && strcmp(plugin->name, plugin->replaces->name) != 0)
		return plugin_refuse(ret_reason, size, "it is plugin '%s', not '%s'", plugin->name,
				     plugin->replaces->name);
	if (other != NULL && other != plugin->replaces)
		return plugin_refuse(ret_reason, size, "a plugin named '%s' is loaded already",
				     plugin->name);
	return 0;
}

static int call_start(struct plugin *plugin, char *ret_reason, size_t size)
{
	struct shunt_error error = {0, ""};

	if (plugin->self.start(&plugin->host, &plugin->state, &error) == 0)
		return 0;
	error.text[sizeof(error.text) - 1] = '\0';
	return plugin_refuse(ret_reason, size, "it does not start: %s",
			     error.text[0] != '\0' ? error.text : "it does not say why");
}

/* Of a file that is open. */
static int plugin_start(struct plugin *plugin, char *ret_reason, size_t size)
{
	if (plugin_check(plugin->file.exported, &plugin->self, ret_reason, size) != 0)
		return -1;
	plugin->name = mem_strdup(plugin->self.name);
	if (check_name(plugin, ret_reason, size) != 0)
		return -1;
	if (plugin_check_settings(plugin, ret_reason, size) != 0) {
		plugin->is_badly_set = true;
		return -1;
	}
	if (call_start(plugin, ret_reason, size) != 0)
		return -1;
	plugin->phase = PLUGIN_STAGED;
	return 0;
}

/* Leaves a plugin in either case. */
static int open_and_start(struct plugins *plugins, const struct plugin_open *open,
			  struct plugin **ret_plugin, char *ret_reason, size_t size)
{
	struct plugin *plugin = *ret_plugin = plugin_create(plugins, open);
	char *path = path_of(plugins, open->name_or_path);

	if (plugin_file_open(&plugin->file, path, copy_of(plugins, path), ret_reason, size) != 0)
		return -1;
	return plugin_start(plugin, ret_reason, size);
}

int plugins_open_staged(struct plugins *plugins, const struct plugin_open *open,
			struct plugin **ret_plugin, char *ret_reason, size_t size)
{
	struct plugin *plugin;

	if (open_and_start(plugins, open, &plugin, ret_reason, size) != 0) {
		plugin_abandon(plugin);
		return -1;
	}
	*ret_plugin = plugin;
	return 0;
}

/* ---- Opening while the loops run ---- */

struct opening {
	struct helper_job job;
	struct plugin *plugin;
	char *path, *copy;
	int result;
	char reason[PLUGIN_WHY_SIZE];
	void (*done)(void *context, struct plugin *plugin, const char *reason);
	void *context;
};

/* On the helper's thread. */
static void opening_run(struct helper_job *job)
{
	struct opening *opening = container_of(job, struct opening, job);

	opening->result = plugin_file_open(&opening->plugin->file, opening->path, opening->copy,
					   opening->reason, sizeof(opening->reason));
}

static void opening_done(struct helper_job *job)
{
	struct opening *opening = container_of(job, struct opening, job);
	struct plugin *plugin = opening->plugin;

	if (opening->result == 0 && loop_pool_is_stopping())
		opening->result = plugin_refuse(opening->reason, sizeof(opening->reason),
						"the broker is stopping");
	if (opening->result == 0)
		opening->result = plugin_start(plugin, opening->reason, sizeof(opening->reason));
	if (opening->result != 0) {
		plugin_abandon(plugin);
		plugin = NULL;
	}
	opening->done(opening->context, plugin, plugin == NULL ? opening->reason : NULL);
	mem_free(opening);
}

void plugins_open_staged_later(struct plugins *plugins, const struct plugin_open *open,
			       void (*done)(void *context, struct plugin *plugin,
					    const char *reason),
			       void *context)
{
	struct opening *opening = mem_zalloc(sizeof(*opening));

	opening->job = (struct helper_job){.run = opening_run, .done = opening_done};
	opening->plugin = plugin_create(plugins, open);
	opening->path = path_of(plugins, open->name_or_path);
	opening->copy = copy_of(plugins, opening->path);
	opening->done = done;
	opening->context = context;
	plugins_help(plugins, &opening->job);
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
	char name[256];

	if (plugin->is_badly_set || plugin->file.copy_failed)
		return false;
	if (plugin->name != NULL && plugins_is_optional(plugin->plugins, plugin->name))
		return true;
	return plugins_is_optional(plugin->plugins, base_name(name_or_path, name, sizeof(name)));
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

/* "PLACE: cannot load plugin 'NAME': " before the reason, but for settings, which say all. */
static int refuse_load(const struct plugin *plugin, const char *name, const char *where,
		       const char *why, char *ret_reason, size_t size)
{
	if (plugin->is_badly_set)
		return plugin_refuse(ret_reason, size, "%s", why);
	return plugin_refuse(ret_reason, size, "%s%scannot load plugin '%s': %s",
			     where != NULL ? where : "", where != NULL ? ": " : "", name, why);
}

int plugins_load(struct plugins *plugins, const char *name_or_path, const char *where,
		 char *ret_reason, size_t size)
{
	const struct plugin_open open = {.name_or_path = name_or_path};
	char why[PLUGIN_WHY_SIZE] = "";
	struct plugin *plugin;
	bool is_forgiven, copy_failed;

	if (open_and_start(plugins, &open, &plugin, why, sizeof(why)) != 0) {
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
