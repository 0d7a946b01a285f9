/* SPDX-License-Identifier: MIT */
#include "plugin/script_check.h"

#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "plugin/change_state.h"
#include "plugin/script.h"

#define REPORT_MAX ((size_t)1 << 20)

struct checking {
	struct shunt_report report; /* what it prints goes to the text, on the other thread */
	struct buffer text;
	struct plugin_changes *changes;
	struct script_check check;
	char *path;
	struct plugin_setting *settings; /* besides those of the configuration */
	size_t n_settings;
};

static void checking_free(struct checking *checking)
{
	for (size_t i = 0; i < checking->n_settings; i++) {
		mem_free((char *)(uintptr_t)checking->settings[i].key);
		mem_free((char *)(uintptr_t)checking->settings[i].value);
	}
	mem_free(checking->settings);
	buffer_fini(&checking->text);
	mem_free(checking->path);
	mem_free(checking);
}

static void print(struct shunt_report *report, struct shunt_bytes text)
{
	struct checking *checking = container_of(report, struct checking, report);

	if (text.size > REPORT_MAX - checking->text.size)
		checking->text.failed = true;
	else
		buffer_append_slice(&checking->text, slice_make(text.data, text.size));
}

static void end(struct checking *checking, const char *error)
{
	const struct script_check *check = &checking->check;

	if (checking->text.size > 0)
		check->print(check->context, buffer_slice(&checking->text));
	if (!error && checking->text.failed)
		error = "it has printed more than there is room for";
	check->done(check->context, error);
	checking_free(checking);
}

static void opened(void *context, struct plugin *plugin, const char *reason)
{
	(void)plugin;
	end(context, reason);
}

/* Its name comes from its path. Who has a path without a name is refused when it is opened. */
static struct setting_list *settings_for(const struct checking *checking)
{
	char *name = script_name_of(checking->path);
	struct setting_list *list;

	for (size_t i = 0; i < checking->n_settings; i++)
		checking->settings[i].plugin = name != NULL ? name : "";
	list = setting_list_with(checking->changes->plugins->settings, checking->settings,
				 checking->n_settings);
	mem_free(name);
	return list;
}

static void begin(struct checking *checking)
{
	struct setting_list *settings = settings_for(checking);
	const struct plugin_open open = {
		.name_or_path = checking->path,
		.is_script = true,
		.purpose = checking->check.is_test ? SHUNT_SCRIPT_TEST : SHUNT_SCRIPT_CHECK,
		.settings = settings,
		.report = &checking->report,
	};

	plugins_open_staged_later(checking->changes->plugins, &open, opened, checking);
	setting_list_unref(settings);
}

static void language_told(void *context, const char *error, const char *said)
{
	struct checking *checking = context;

	(void)said;
	/* Somebody else may have loaded it meanwhile. */
	if (error && plugins_missing_language(checking->changes->plugins, checking->path))
		end(checking, error);
	else
		begin(checking);
}

static char *path_of(const struct plugins *plugins, const char *name_or_path)
{
	const struct plugin *plugin = plugins_find(plugins, name_or_path);

	if (plugin && plugin->script)
		return mem_strdup(plugin->file.path);
	return plugins_script_path(plugins, name_or_path);
}

static void take_settings(struct checking *checking, const struct script_check *check)
{
	checking->settings = mem_zalloc((check->n_settings + 1) * sizeof(*checking->settings));
	checking->n_settings = check->n_settings;
	for (size_t i = 0; i < check->n_settings; i++)
		checking->settings[i] = (struct plugin_setting){
			.key = mem_strdup(check->settings[i].key),
			.value = mem_strdup(check->settings[i].value),
			.where = "command line",
			.is_script = true,
		};
	checking->check.settings = NULL;
}

void plugins_check_script(struct plugin_changes *changes, const struct script_check *check)
{
	struct checking *checking = mem_zalloc(sizeof(*checking));
	struct plugin_order order = {.operation = PLUGIN_LOAD, .done = language_told};

	buffer_init(&checking->text);
	checking->report = (struct shunt_report){sizeof(checking->report), print};
	checking->changes = changes;
	checking->check = *check;
	checking->path = path_of(changes->plugins, check->name_or_path);
	checking->check.name_or_path = NULL;
	take_settings(checking, check);
	order.name = plugins_missing_language(changes->plugins, checking->path);
	order.context = checking;
	if (order.name)
		plugins_change(changes, &order);
	else
		begin(checking);
}
