/* SPDX-License-Identifier: MIT */
/* The commands behind `shuntctl script`. Changes are those of plugins. */
#include "base/mem.h"
#include "control/columns.h"
#include "control/plugin_commands.h"

static void script_list(struct control_client *client, const json_t *request)
{
	static const char *const columns[] = {"name", "version", "state", "language",
					      "file", "types",	 NULL};

	(void)request;
	control_plugin_list_as(client, columns, true);
}

static void script_info(struct control_client *client, const json_t *request)
{
	control_plugin_info_of(client, request, true);
}

/* ---- check and test ---- */

/* Who waits for one; the client may go meanwhile, and it goes on. */
struct watcher {
	struct actor_ref client;
};

static void check_print(void *context, struct slice text)
{
	const struct watcher *watcher = context;
	struct control_client *client = control_client_get(watcher->client);

	if (client != NULL)
		control_client_send(client, json_pack("{s:o}", "text", column_text(text)));
}

static void check_done(void *context, const char *error)
{
	struct watcher *watcher = context;
	struct control_client *client = control_client_get(watcher->client);

	mem_free(watcher);
	if (client != NULL && error != NULL)
		control_client_fail(client, CONTROL_DATA, "%s", error);
	else if (client != NULL)
		control_client_ok(client);
}

static void script_check(struct control_client *client, const json_t *request)
{
	const struct control_plugins *plugins = &control_client_config(client)->plugin;
	struct control_script_check check = {
		.name_or_path = json_string_value(json_object_get(request, "name")),
		.is_test = json_is_true(json_object_get(request, "test")),
		.print = check_print,
		.done = check_done,
	};
	struct watcher *watcher;

	if (check.name_or_path == NULL) {
		control_client_fail(client, CONTROL_USAGE, "it takes a script");
		return;
	}
	watcher = mem_zalloc(sizeof(*watcher));
	watcher->client = control_client_ref(client);
	check.context = watcher;
	plugins->check(plugins->context, &check);
}

const struct control_command control_script_commands[] = {
	{"script_list", script_list},
	{"script_info", script_info},
	{"script_check", script_check},
	{NULL, NULL},
};
