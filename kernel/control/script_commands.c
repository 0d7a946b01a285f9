/* SPDX-License-Identifier: MIT */
/* The commands behind `shuntctl script`. Changes are those of plugins. */
#include <stdint.h>

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

/* An object of texts, or nothing at all. NULL: it is something else; else the caller's. */
static struct control_script_setting *settings_of(const json_t *object, size_t *ret_n)
{
	size_t n = json_object_size(object), i = 0;
	struct control_script_setting *settings = mem_zalloc((n + 1) * sizeof(*settings));
	bool is_fine = object == NULL || json_is_object(object);
	const char *key;
	json_t *value;

	/* jansson's loop wants it without const, and does not change it */
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		is_fine = is_fine && key[0] != '\0' && json_is_string(value);
		settings[i++] = (struct control_script_setting){key, json_string_value(value)};
	}
	*ret_n = n;
	if (is_fine)
		return settings;
	mem_free(settings);
	return NULL;
}

static void script_check(struct control_client *client, const json_t *request)
{
	const struct control_plugins *plugins = &control_client_config(client)->plugin;
	struct control_script_setting *settings;
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
	settings = settings_of(json_object_get(request, "settings"), &check.n_settings);
	if (settings == NULL) {
		control_client_fail(client, CONTROL_USAGE, "settings are texts with names");
		return;
	}
	check.settings = settings;
	watcher = mem_zalloc(sizeof(*watcher));
	watcher->client = control_client_ref(client);
	check.context = watcher;
	plugins->check(plugins->context, &check);
	mem_free(settings);
}

const struct control_command control_script_commands[] = {
	{"script_list", script_list},
	{"script_info", script_info},
	{"script_check", script_check},
	{NULL, NULL},
};
