/* SPDX-License-Identifier: MIT */
/*
 * From a name to a plugin that has started and is staged: what needs the tables of home at home,
 * the file on any thread, and the start at home again.
 */
#include <string.h>

#include "base/mem.h"
#include "loop/pool.h"
#include "plugin/host.h"
#include "plugin/plugin.h"
#include "plugin/script.h"

struct opening {
	struct helper_job job;
	struct plugin *plugin;
	struct plugin_open open;
	char *name;	   /* the one in open */
	char *path, *copy; /* of a shared object */
	int result;
	char reason[PLUGIN_WHY_SIZE];
	void (*done)(void *context, struct plugin *plugin, const char *reason);
	void *context;
};

/* ---- A new one ---- */

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
	plugin->settings =
		setting_list_ref(open->settings != NULL ? open->settings : plugins->settings);
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
		return plugin_refuse(ret_reason, size, "it is %s '%s', not '%s'",
				     plugin->script != NULL ? "script" : "plugin", plugin->name,
				     plugin->replaces->name);
	if (other != NULL && other != plugin->replaces)
		return plugin_refuse(ret_reason, size, "a plugin named '%s' is loaded already",
				     plugin->name);
	return 0;
}

static int start_it(struct plugin *plugin, struct shunt_error *error)
{
	return plugin->script != NULL ? script_start(plugin, error)
				      : plugin->self.start(&plugin->host, &plugin->state, error);
}

static int call_start(struct plugin *plugin, char *ret_reason, size_t size)
{
	struct shunt_error error = {0, ""};

	if (start_it(plugin, &error) == 0)
		return 0;
	error.text[sizeof(error.text) - 1] = '\0';
	if (plugin->script != NULL && script_reason_is_placed(plugin->file.path, error.text))
		return plugin_refuse(ret_reason, size, "%s", error.text);
	return plugin_refuse(ret_reason, size, "it does not start: %s",
			     error.text[0] != '\0' ? error.text : "it does not say why");
}

/* Of a file that is open. */
static int check_file(struct plugin *plugin, char *ret_reason, size_t size)
{
	if (plugin_check(plugin->file.exported, &plugin->self, ret_reason, size) != 0)
		return -1;
	plugin->name = mem_strdup(plugin->self.name);
	if (check_name(plugin, ret_reason, size) != 0)
		return -1;
	if (plugin_check_settings(plugin, ret_reason, size) == 0)
		return 0;
	plugin->is_badly_set = true;
	return -1;
}

static int plugin_start(struct plugin *plugin, char *ret_reason, size_t size)
{
	if (plugin->script == NULL && check_file(plugin, ret_reason, size) != 0)
		return -1;
	if (call_start(plugin, ret_reason, size) != 0)
		return -1;
	plugin->phase = PLUGIN_STAGED;
	plugin->has_started = true;
	return 0;
}

/* ---- The steps ---- */

/* Home. */
static void opening_begin(struct opening *opening, struct plugins *plugins,
			  const struct plugin_open *open)
{
	struct plugin *plugin = opening->plugin = plugin_create(plugins, open);

	opening->open = *open;
	opening->name = open->name_or_path != NULL ? mem_strdup(open->name_or_path) : NULL;
	opening->open.name_or_path = opening->name;
	if (!open->is_script) {
		opening->path = path_of(plugins, open->name_or_path);
		opening->copy = copy_of(plugins, opening->path);
		return;
	}
	opening->result = script_begin(plugin, open, opening->reason, sizeof(opening->reason));
	if (opening->result == 0 && open->purpose == SHUNT_SCRIPT_RUN)
		opening->result = check_name(plugin, opening->reason, sizeof(opening->reason));
}

/* Any thread. */
static void opening_read(struct opening *opening)
{
	if (opening->result != 0)
		return;
	opening->result =
		opening->open.is_script
			? script_open(opening->plugin, &opening->open, opening->reason,
				      sizeof(opening->reason))
			: plugin_file_open(&opening->plugin->file, opening->path, opening->copy,
					   opening->reason, sizeof(opening->reason));
}

/* Home. */
static void opening_end(struct opening *opening)
{
	if (opening->result == 0 && opening->open.purpose == SHUNT_SCRIPT_RUN)
		opening->result =
			plugin_start(opening->plugin, opening->reason, sizeof(opening->reason));
	mem_free(opening->name);
}

int plugins_open_raw(struct plugins *plugins, const struct plugin_open *open,
		     struct plugin **ret_plugin, char *ret_reason, size_t size)
{
	struct opening opening = {.result = 0};

	opening_begin(&opening, plugins, open);
	opening_read(&opening);
	opening_end(&opening);
	*ret_plugin = opening.plugin;
	if (opening.result != 0)
		return plugin_refuse(ret_reason, size, "%s", opening.reason);
	return 0;
}

int plugins_open_staged(struct plugins *plugins, const struct plugin_open *open,
			struct plugin **ret_plugin, char *ret_reason, size_t size)
{
	struct plugin *plugin;

	if (plugins_open_raw(plugins, open, &plugin, ret_reason, size) != 0) {
		plugin_abandon(plugin);
		return -1;
	}
	*ret_plugin = plugin;
	return 0;
}

/* ---- While the loops run ---- */

static int refuse_as_it_ends(struct opening *opening)
{
	return plugin_refuse(opening->reason, sizeof(opening->reason), "the broker is stopping");
}

/* On the helper's thread. Many scripts may wait there, each with tests that take seconds: the
 * broker's end waits for the one that has begun, and not for them. */
static void opening_run(struct helper_job *job)
{
	struct opening *opening = container_of(job, struct opening, job);

	if (opening->open.is_script && opening->result == 0 && loop_pool_is_stopping())
		opening->result = refuse_as_it_ends(opening);
	opening_read(opening);
}

static void opening_done(struct helper_job *job)
{
	struct opening *opening = container_of(job, struct opening, job);
	struct plugin *plugin = opening->plugin;

	if (opening->result == 0 && loop_pool_is_stopping())
		opening->result = refuse_as_it_ends(opening);
	opening_end(opening);
	if (opening->result != 0 || opening->open.purpose != SHUNT_SCRIPT_RUN) {
		plugin_abandon(plugin);
		plugin = NULL;
	}
	opening->done(opening->context, plugin, opening->result < 0 ? opening->reason : NULL);
	mem_free(opening);
}

static enum plugin_helper helper_for(const struct plugin_open *open)
{
	if (!open->is_script)
		return PLUGIN_HELP_FILES;
	return open->purpose == SHUNT_SCRIPT_RUN ? PLUGIN_HELP_SCRIPTS : PLUGIN_HELP_CHECKS;
}

void plugins_open_staged_later(struct plugins *plugins, const struct plugin_open *open,
			       void (*done)(void *context, struct plugin *plugin,
					    const char *reason),
			       void *context)
{
	struct opening *opening = mem_zalloc(sizeof(*opening));

	opening->job = (struct helper_job){.run = opening_run, .done = opening_done};
	opening->done = done;
	opening->context = context;
	opening_begin(opening, plugins, open);
	plugins_help(plugins, helper_for(open), &opening->job);
}
