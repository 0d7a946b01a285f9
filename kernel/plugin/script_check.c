/* SPDX-License-Identifier: MIT */
#include "plugin/script_check.h"

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
};

static void checking_free(struct checking *checking)
{
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

static void begin(struct checking *checking)
{
	const struct plugin_open open = {
		.name_or_path = checking->path,
		.is_script = true,
		.purpose = checking->check.is_test ? SHUNT_SCRIPT_TEST : SHUNT_SCRIPT_CHECK,
		.report = &checking->report,
	};

	plugins_open_staged_later(checking->changes->plugins, &open, opened, checking);
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
	order.name = plugins_missing_language(changes->plugins, checking->path);
	order.context = checking;
	if (order.name)
		plugins_change(changes, &order);
	else
		begin(checking);
}
