/* SPDX-License-Identifier: MIT */
/* The commands behind `shuntctl plugin`. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/client.h"
#include "control/columns.h"
#include "control/plugin_commands.h"

static const struct control_plugins *plugins_of(const struct control_client *client)
{
	return &control_client_config(client)->plugin;
}

static const char *text_in(const json_t *request, const char *key)
{
	return json_string_value(json_object_get(request, key));
}

/* ---- list, info ---- */

static json_t *row_of(const json_t *plugin, const char *const *columns)
{
	json_t *row = json_array();

	for (; *columns != NULL; columns++) {
		json_t *value = json_object_get(plugin, *columns);

		json_array_append_new(row, value != NULL ? json_incref(value) : json_null());
	}
	return row;
}

void control_plugin_list_as(struct control_client *client, const char *const *columns,
			    bool only_scripts)
{
	const struct control_plugins *plugins = plugins_of(client);
	json_t *list = plugins->list(plugins->context), *names = json_array();

	for (size_t i = 0; columns[i] != NULL; i++)
		json_array_append_new(names, json_string(columns[i]));
	control_client_send(client, json_pack("{s:o}", "columns", names));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *plugin = json_array_get(list, i);

		if (!only_scripts || json_is_string(json_object_get(plugin, "language")))
			control_client_send(client, row_of(plugin, columns));
	}
	json_decref(list);
	control_client_ok(client);
}

void control_plugin_list(struct control_client *client, const json_t *request)
{
	static const char *const columns[] = {"name", "version", "state", "file", "types", NULL};

	(void)request;
	control_plugin_list_as(client, columns, false);
}

json_t *control_plugin_find(struct control_client *client, const char *name, bool is_script)
{
	const struct control_plugins *plugins = plugins_of(client);
	json_t *info = name != NULL ? plugins->info(plugins->context, name) : NULL;

	if (info == NULL || !is_script || json_is_object(json_object_get(info, "script")))
		return info;
	json_decref(info);
	return NULL;
}

void control_plugin_info_of(struct control_client *client, const json_t *request, bool is_script)
{
	const char *name = text_in(request, "name");
	json_t *info = control_plugin_find(client, name, is_script);

	if (info == NULL) {
		control_client_fail(client, CONTROL_DATA, "no %s '%s' is loaded",
				    is_script ? "script" : "plugin", name != NULL ? name : "");
		return;
	}
	control_client_send(client, json_pack("{s:o}", "value", info));
	control_client_ok(client);
}

void control_plugin_info(struct control_client *client, const json_t *request)
{
	control_plugin_info_of(client, request, false);
}

/* Whether one of that name is loaded; answers when not. */
static bool is_loaded(struct control_client *client, const char *name, bool is_script)
{
	json_t *info = control_plugin_find(client, name, is_script);

	if (info == NULL)
		control_client_fail(client, CONTROL_DATA, "no %s '%s' is loaded",
				    is_script ? "script" : "plugin", name);
	json_decref(info);
	return info != NULL;
}

/* ---- Changes ---- */

/* Who waits for one; the client may go meanwhile, and the change goes on. */
struct waiter {
	struct actor_ref client;
	char by[64], from[64];	/* of the audit trail */
	char *operation, *name; /* NULL: not said */
	bool is_script;
};

static struct waiter *waiter_create(struct control_client *client, const char *operation,
				    const char *name)
{
	struct audit_actor actor = control_client_actor(client);
	struct waiter *waiter = mem_zalloc(sizeof(*waiter));

	waiter->client = control_client_ref(client);
	waiter->operation = operation != NULL ? mem_strdup(operation) : NULL;
	waiter->name = name != NULL ? mem_strdup(name) : NULL;
	snprintf(waiter->by, sizeof(waiter->by), SLICE_FMT, SLICE_ARG(actor.by));
	snprintf(waiter->from, sizeof(waiter->from), SLICE_FMT, SLICE_ARG(actor.from));
	return waiter;
}

static void waiter_free(struct waiter *waiter)
{
	mem_free(waiter->operation);
	mem_free(waiter->name);
	mem_free(waiter);
}

static void waiter_audit(const struct waiter *waiter)
{
	const struct audit_actor actor = {slice_cstr(waiter->by), slice_cstr(waiter->from)};
	char name[300];

	audit(&actor, NULL, waiter->is_script ? "script.changed" : "plugin.changed",
	      "operation=%s name=%s", waiter->operation,
	      log_quote(name, sizeof(name), slice_cstr(waiter->name)));
}

static void change_done(void *context, const char *error, const char *said)
{
	struct waiter *waiter = context;
	struct control_client *client = control_client_get(waiter->client);

	if (error == NULL)
		waiter_audit(waiter);
	waiter_free(waiter);
	if (client == NULL)
		return;
	if (error != NULL) {
		control_client_fail(client, CONTROL_SOFTWARE, "%s", error);
		return;
	}
	control_client_send(client, json_pack("{s:o}", "value", column_text(slice_cstr(said))));
	control_client_ok(client);
}

void control_plugin_change(struct control_client *client, const json_t *request)
{
	const struct control_plugins *plugins = plugins_of(client);
	json_int_t percent = json_integer_value(json_object_get(request, "percent"));
	const char *operation = text_in(request, "operation"), *name = text_in(request, "name");
	bool is_script = json_is_true(json_object_get(request, "script"));
	struct waiter *waiter = waiter_create(client, operation, name);
	const struct control_plugin_order order = {
		.operation = operation,
		.name = name,
		.file = text_in(request, "file"),
		.is_script = is_script,
		.percent = percent >= 1 && percent <= 100 ? (unsigned)percent : 100,
		.done = change_done,
		.context = waiter,
	};

	waiter->is_script = is_script;
	/* a status of its own, as with the other commands; what goes meanwhile is a change that
	 * cannot be */
	if (operation != NULL && name != NULL && strcmp(operation, "load") != 0 &&
	    !is_loaded(client, name, is_script)) {
		waiter_free(waiter);
		return;
	}
	if (order.operation != NULL && order.name != NULL &&
	    plugins->change(plugins->context, &order))
		return;
	waiter_free(waiter);
	control_client_fail(client, CONTROL_USAGE, "no such operation on plugins");
}

/* ---- Commands of plugins ---- */

/* A plugin is not told to wait; what the client leaves unread must not fill our memory. */
#define RUN_UNSENT_MAX ((size_t)32 << 20)

struct run {
	struct control_client *client;
	const struct control_plugins *plugins;
	void *running;
	bool is_cut; /* text was left out, and all that comes behind it */
};

static void run_print(void *context, struct slice text)
{
	struct run *run = context;

	if (control_client_unsent(run->client) > RUN_UNSENT_MAX)
		run->is_cut = true;
	if (run->is_cut)
		return;
	control_client_send(run->client, json_pack("{s:o}", "text", column_text(text)));
}

static void run_done(void *context, const char *error)
{
	struct run *run = context;
	struct control_client *client = run->client;

	if (error == NULL && run->is_cut)
		error = "it has printed more than was read";
	mem_free(run);
	if (error != NULL)
		control_client_fail(client, CONTROL_SOFTWARE, "%s", error);
	else
		control_client_ok(client);
}

static void run_gone(void *context)
{
	struct run *run = context;

	run->plugins->abandon(run->plugins->context, run->running);
	mem_free(run);
}

/* Those of the request; NULL when one is no text. */
static struct slice *arguments_of(const json_t *texts, size_t *ret_n)
{
	size_t n = json_array_size(texts);
	struct slice *arguments = mem_zalloc((n + 1) * sizeof(*arguments));

	for (size_t i = 0; i < n; i++) {
		const json_t *text = json_array_get(texts, i);

		if (!json_is_string(text)) {
			mem_free(arguments);
			return NULL;
		}
		arguments[i] = slice_make((const uint8_t *)json_string_value(text),
					  json_string_length(text));
	}
	*ret_n = n;
	return arguments;
}

void control_plugin_run(struct control_client *client, const json_t *request)
{
	const struct control_plugins *plugins = plugins_of(client);
	struct run *run = mem_zalloc(sizeof(*run));
	struct control_plugin_call call = {
		.plugin = text_in(request, "name"),
		.command = text_in(request, "run"),
		.print = run_print,
		.done = run_done,
		.context = run,
	};
	struct slice *arguments =
		arguments_of(json_object_get(request, "arguments"), &call.n_arguments);
	char reason[512] = "it takes a plugin, a command, and texts";

	*run = (struct run){.client = client, .plugins = plugins};
	call.arguments = arguments;
	if (call.plugin != NULL && call.command != NULL && arguments != NULL)
		run->running = plugins->run(plugins->context, &call, reason, sizeof(reason));
	mem_free(arguments);
	if (run->running != NULL) {
		control_client_when_gone(client, run_gone, run);
		return;
	}
	mem_free(run);
	control_client_fail(client, CONTROL_DATA, "%s", reason);
}
