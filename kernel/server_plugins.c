/* SPDX-License-Identifier: MIT */
#include "server_plugins.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "plugin/change.h"
#include "plugin/command.h"
#include "plugin/describe.h"
#include "plugin/plugin.h"
#include "plugin/script.h"
#include "plugin/script_check.h"
#include "plugin/setting_list.h"

/* ---- At the start ---- */

typedef int (*load_fn)(struct plugins *plugins, const char *name_or_path, const char *where,
		       char *ret_reason, size_t size);

static enum server_status load_all(struct plugins *plugins, load_fn load,
				   const struct config_plugin *named, size_t n)
{
	char reason[1024];

	for (size_t i = 0; i < n; i++) {
		int result = load(plugins, named[i].name, named[i].where, reason, sizeof(reason));

		if (result == 0)
			continue;
		log_error("plugin", "%s", reason);
		return result == -EIO ? SERVER_DATA : SERVER_CONFIG;
	}
	return SERVER_OK;
}

enum server_status server_plugins_load(struct plugins *plugins, const struct config *config)
{
	enum server_status status =
		load_all(plugins, plugins_load, config->plugins, config->n_plugins);
	char reason[512];

	if (status == SERVER_OK)
		status = load_all(plugins, plugins_load_script, config->scripts, config->n_scripts);
	if (status != SERVER_OK)
		return status;
	if (plugins_check_settings(plugins, reason, sizeof(reason)) == 0)
		return SERVER_OK;
	log_error("plugin", "%s", reason);
	return SERVER_CONFIG;
}

/* ---- When it is read again ---- */

static bool is_named(const struct config *config, const char *script)
{
	for (size_t i = 0; i < config->n_scripts; i++) {
		char *name = script_name_of(config->scripts[i].name);
		bool is_it = strcmp(name != NULL ? name : config->scripts[i].name, script) == 0;

		mem_free(name);
		if (is_it)
			return true;
	}
	return false;
}

static bool is_optional(const struct config *config, const char *script)
{
	for (size_t i = config->n_settings; i > 0; i--) {
		const struct plugin_setting *setting = &config->settings[i - 1];

		if (setting_is_of(setting, script, true) && strcmp(setting->key, "optional") == 0)
			return strcmp(setting->value, "true") == 0;
	}
	return false;
}

int server_plugins_check_scripts(const struct plugins *plugins, const struct config *fresh,
				 char *ret_reason, size_t size)
{
	for (size_t i = 0; i < fresh->n_settings; i++) {
		const struct plugin_setting *setting = &fresh->settings[i];
		const struct plugin *there = plugins_find(plugins, setting->plugin);

		if (!setting->is_script || (there != NULL && there->script != NULL) ||
		    is_named(fresh, setting->plugin) || is_optional(fresh, setting->plugin))
			continue;
		return plugin_refuse(ret_reason, size, "%s: script '%s' is not loaded",
				     setting->where, setting->plugin);
	}
	return 0;
}

/* ---- For the control socket ---- */

static json_t *list(void *context)
{
	const struct server_plugins *plugins = context;

	return plugins_describe(plugins->plugins);
}

static json_t *info(void *context, const char *name)
{
	const struct server_plugins *plugins = context;

	return plugin_describe(plugins->plugins, plugins->changes, name);
}

/* A file that is named to be loaded says so by its extension. */
static bool is_script(const struct server_plugins *plugins, const struct control_plugin_order *order)
{
	return order->is_script || (strcmp(order->operation, "load") == 0 &&
				    plugins_name_script(plugins->plugins, order->name));
}

static bool change(void *context, const struct control_plugin_order *order)
{
	static const struct {
		const char *name;
		enum plugin_operation operation;
	} operations[] = {
		{"load", PLUGIN_LOAD}, {"reload", PLUGIN_RELOAD},     {"unload", PLUGIN_UNLOAD},
		{"trial", PLUGIN_TRY}, {"promote", PLUGIN_PROMOTE},   {"drop", PLUGIN_DROP},
		{"rollback", PLUGIN_ROLLBACK},
	};
	const struct server_plugins *plugins = context;

	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		struct plugin_order translated = {
			.operation = operations[i].operation,
			.name = order->name,
			.file = order->file,
			.is_script = is_script(plugins, order),
			.percent = order->percent,
			.done = order->done,
			.context = order->context,
		};

		if (strcmp(order->operation, operations[i].name) != 0)
			continue;
		if (translated.operation == PLUGIN_TRY && order->file == NULL)
			return false;
		plugins_change(plugins->changes, &translated);
		return true;
	}
	return false;
}

static void *run(void *context, const struct control_plugin_call *call, char *ret_reason,
		 size_t size)
{
	const struct server_plugins *plugins = context;
	struct shunt_bytes *arguments = mem_zalloc((call->n_arguments + 1) * sizeof(*arguments));
	const struct plugin_call_request request = {call->plugin, call->command, arguments,
						    call->n_arguments};
	const struct plugin_caller caller = {call->print, call->done, call->context};
	struct plugin_call *running;

	for (size_t i = 0; i < call->n_arguments; i++)
		arguments[i] =
			(struct shunt_bytes){call->arguments[i].data, call->arguments[i].size};
	running = plugins_call(plugins->plugins, &request, &caller, ret_reason, size);
	mem_free(arguments);
	return running;
}

static void abandon(void *context, void *running)
{
	(void)context;
	plugin_call_abandon(running);
}

static void check(void *context, const struct control_script_check *check)
{
	const struct server_plugins *plugins = context;
	struct script_check_setting *settings =
		mem_zalloc((check->n_settings + 1) * sizeof(*settings));
	const struct script_check translated = {
		.name_or_path = check->name_or_path,
		.is_test = check->is_test,
		.settings = settings,
		.n_settings = check->n_settings,
		.print = check->print,
		.done = check->done,
		.context = check->context,
	};

	for (size_t i = 0; i < check->n_settings; i++)
		settings[i] = (struct script_check_setting){check->settings[i].key,
							    check->settings[i].value};
	plugins_check_script(plugins->changes, &translated);
	mem_free(settings);
}

struct control_plugins server_plugins_for_control(struct server_plugins *plugins)
{
	return (struct control_plugins){
		.context = plugins,
		.list = list,
		.info = info,
		.change = change,
		.run = run,
		.abandon = abandon,
		.check = check,
	};
}
