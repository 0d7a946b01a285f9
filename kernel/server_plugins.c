/* SPDX-License-Identifier: MIT */
#include "server_plugins.h"

#include <string.h>

#include "base/mem.h"
#include "plugin/change.h"
#include "plugin/command.h"
#include "plugin/describe.h"

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

static bool change(void *context, const struct control_plugin_order *order)
{
	static const struct {
		const char *name;
		enum plugin_operation operation;
	} operations[] = {
		{"load", PLUGIN_LOAD}, {"reload", PLUGIN_RELOAD},   {"unload", PLUGIN_UNLOAD},
		{"trial", PLUGIN_TRY}, {"promote", PLUGIN_PROMOTE}, {"drop", PLUGIN_DROP},
	};
	const struct server_plugins *plugins = context;

	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		struct plugin_order translated = {
			.operation = operations[i].operation,
			.name = order->name,
			.file = order->file,
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

struct control_plugins server_plugins_for_control(struct server_plugins *plugins)
{
	return (struct control_plugins){
		.context = plugins,
		.list = list,
		.info = info,
		.change = change,
		.run = run,
		.abandon = abandon,
	};
}
