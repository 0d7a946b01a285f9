/* SPDX-License-Identifier: MIT */
#include "plugin/change.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "plugin/change_state.h"
#include "plugin/script.h"

/*
 * A change: the new version's file is opened on another thread and started beside the old one; its
 * exchange types take the place of the old one's; when they have, everything else of it comes into
 * force in the place of the old one's, and that closes when nothing of it is used any more.
 *
 * With a new version of a language all scripts of it that are in force are opened anew, with the
 * text that they have, and change in the same step.
 */

struct change *change_find_trial(const struct plugin_changes *changes, const char *name)
{
	struct list *pos;

	list_for_each(pos, &changes->trials) {
		struct change *change = container_of(pos, struct change, link);

		if (strcmp(change->name, name) == 0)
			return change;
	}
	return NULL;
}

void change_step_aside(struct change *change)
{
	struct plugin_changes *changes = change->changes;

	if (changes->current != change)
		return;
	changes->current = NULL;
	loop_defer(&changes->task);
}

/* ---- Opening ---- */

static void opened(void *context, struct plugin *plugin, const char *reason);

static void open_pair(struct change *change, const struct plugin_open *open)
{
	struct change_pair *pair = &change->pairs[change->n_open];

	if (open->source)
		pair->path = mem_strdup(open->source->path);
	else if (open->is_script)
		pair->path = plugins_script_path(change->changes->plugins, open->name_or_path);
	plugins_open_staged_later(change->changes->plugins, open, opened, change);
}

static void open_script_anew(struct change *change)
{
	struct plugin *old = change->pairs[change->n_open].old;
	const struct plugin_open open = {
		.replaces = old,
		.is_script = true,
		.source = old->script->source,
		.language_of = change->pairs[0].new,
	};

	open_pair(change, &open);
}

static void not_opened(struct change *change, const char *reason)
{
	if (!reason) {
		change_step_aside(change);
		change_answer(change, NULL, "it is unchanged");
		change_free(change);
		return;
	}
	change_close_new(change);
	change_refuse(change, "%s", reason);
}

/* One after the other: a language first, and then its scripts. */
static void opened(void *context, struct plugin *plugin, const char *reason)
{
	struct change *change = context;
	struct change_pair *pair = &change->pairs[change->n_open];

	if (!plugin) {
		not_opened(change, reason);
		return;
	}
	pair->new = plugin;
	pair->version = mem_strdup(plugin->self.version);
	mem_free(pair->path);
	pair->path = mem_strdup(plugin->file.path);
	change->n_open++;
	if (change->operation == PLUGIN_TRY && plugin->staged.n_types == 0) {
		change_close_new(change);
		change_refuse(change, "it has no exchange type to be tried");
	} else if (change->n_open < change->n_pairs) {
		open_script_anew(change);
	} else {
		change_swap(change);
	}
}

static void open_new(struct change *change)
{
	struct plugin *old = change->pairs[0].old;
	bool is_script = old ? old->script != NULL : change->is_script;
	struct plugin_open open = {
		.name_or_path = change->name,
		.replaces = old,
		.is_script = is_script,
		.only_if_changed = change->operation == PLUGIN_REFRESH,
	};

	if (change->file)
		open.name_or_path = change->file;
	else if (old)
		open.name_or_path = old->file.path;
	if (change->operation == PLUGIN_ROLLBACK)
		open.source = old->script->before;
	open_pair(change, &open);
}

/* ---- What is there ---- */

static bool refuse_trial(struct change *change, const struct plugin *plugin)
{
	struct change *trial = change_find_trial(change->changes, plugin->name);

	if (!trial)
		return false;
	if (!trial->failure) {
		change_refuse(change,
			      plugin->script
				      ? "version %s of script '%s' is being tried: promote or drop "
					"that first"
				      : "version %s of it is being tried: promote or drop that first",
			      trial->pairs->version, plugin->name);
		return true;
	}
	change_free(trial); /* it has failed, and is forgotten */
	return false;
}

/* The one that is to be replaced, or goes. */
static bool find_old(struct change *change)
{
	struct plugin *old = plugins_find(change->changes->plugins, change->name);

	if (!old || (change->is_script && !old->script)) {
		change_refuse(change, "no %s of that name is loaded",
			      change->is_script ? "script" : "plugin");
		return false;
	}
	if (refuse_trial(change, old))
		return false;
	change->pairs[0].old = old;
	return true;
}

/* Of a language all scripts of it. */
static bool find_scripts(struct change *change)
{
	struct plugin *language = change->pairs[0].old, *script = NULL;

	while ((script = plugins_next_script(change->changes->plugins, language, script))) {
		if (refuse_trial(change, script))
			return false;
		change->pairs = mem_realloc(change->pairs,
					    (change->n_pairs + 1) * sizeof(*change->pairs));
		change->pairs[change->n_pairs++] = (struct change_pair){.old = script};
	}
	return true;
}

/* A language stays as long as there are scripts of it. */
static bool refuse_scripts(struct change *change)
{
	const struct plugin *language = change->pairs[0].old, *script = NULL;
	char names[CHANGE_TEXT_SIZE / 2] = "";
	size_t n = 0;

	while (n < sizeof(names) &&
	       (script = plugins_next_script(change->changes->plugins, language, script)))
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s'%s'", n > 0 ? ", " : "",
				      script->name);
	if (n > 0)
		change_refuse(change, "these scripts run in it: %s", names);
	return n > 0;
}

/* ---- How changes begin ---- */

static void language_told(void *context, const char *error, const char *said)
{
	struct change *change = context;

	(void)said;
	if (error)
		change->no_language = mem_strdup(error);
}

/* The plugin of its language comes first; the change is the next then. */
static bool loads_language(struct change *change)
{
	struct plugin_changes *changes = change->changes;
	char *path = plugins_script_path(changes->plugins, change->name);
	const char *language = plugins_missing_language(changes->plugins, path);
	struct change *first;

	if (language && !change->has_language) {
		first = change_create(changes, PLUGIN_LOAD);
		first->name = mem_strdup(language);
		first->done = language_told;
		first->context = change;
		change->has_language = true;
		list_add_head(&changes->waiting, &change->link);
		list_add_head(&changes->waiting, &first->link);
		change_step_aside(change);
	} else {
		language = NULL;
	}
	mem_free(path);
	return language != NULL;
}

static void begin_load(struct change *change)
{
	if (change->is_script && loads_language(change))
		return;
	if (change->no_language)
		change_refuse(change, "%s", change->no_language);
	else
		open_new(change);
}

static void begin_rollback(struct change *change)
{
	const struct plugin *old = change->pairs[0].old;

	if (!old->script)
		change_refuse(change, "only scripts can be rolled back");
	else if (!old->script->before)
		change_refuse(change, "no other version of it has run");
	else
		open_new(change);
}

static void begin_unload(struct change *change)
{
	if (!refuse_scripts(change))
		change_swap(change);
}

static void end_trial(struct change *change)
{
	struct change *trial = change_find_trial(change->changes, change->name);

	if (!trial) {
		change_refuse(change, "no version of it is being tried");
	} else if (!trial->failure) {
		change->trial = trial;
		if (change->operation == PLUGIN_PROMOTE)
			upgrade_swap(trial->upgrade);
		else
			upgrade_drop(trial->upgrade);
	} else if (change->operation == PLUGIN_PROMOTE) {
		change_refuse(change, "the trial has failed: %s", trial->failure);
	} else {
		change->trial = trial;
		change_dropped(trial);
	}
}

static void begin(struct change *change)
{
	switch (change->operation) {
	case PLUGIN_LOAD:
		begin_load(change);
		break;
	case PLUGIN_RELOAD:
		if (find_old(change) && find_scripts(change))
			open_new(change);
		break;
	case PLUGIN_REFRESH:
	case PLUGIN_TRY:
		if (find_old(change))
			open_new(change);
		break;
	case PLUGIN_ROLLBACK:
		if (find_old(change))
			begin_rollback(change);
		break;
	case PLUGIN_UNLOAD:
		if (find_old(change))
			begin_unload(change);
		break;
	case PLUGIN_PROMOTE:
	case PLUGIN_DROP:
		end_trial(change);
		break;
	}
}

static void begin_next(struct loop_task *task)
{
	struct plugin_changes *changes = container_of(task, struct plugin_changes, task);
	struct list *link;

	if (changes->current || (link = list_pop(&changes->waiting)) == NULL)
		return;
	changes->current = container_of(link, struct change, link);
	if (loop_pool_is_stopping())
		change_refuse(changes->current, "the broker is stopping");
	else
		begin(changes->current);
}

/* ---- From outside ---- */

void plugins_change(struct plugin_changes *changes, const struct plugin_order *order)
{
	struct change *change = change_create(changes, order->operation);

	OWN(0);
	change->name = mem_strdup(order->name);
	change->file = order->file ? mem_strdup(order->file) : NULL;
	change->is_script = order->is_script;
	change->percent = order->percent;
	change->done = order->done;
	change->context = order->context;
	list_add_tail(&changes->waiting, &change->link);
	loop_defer(&changes->task);
}

/* What is to be said is in the log. */
static void refreshed(void *context, const char *error, const char *said)
{
	(void)context;
	(void)error;
	(void)said;
}

void plugins_refresh_scripts(struct plugin_changes *changes)
{
	struct list *pos;

	list_for_each(pos, &changes->plugins->active) {
		const struct plugin *plugin = container_of(pos, const struct plugin, link);
		const struct plugin_order order = {
			.operation = PLUGIN_REFRESH,
			.name = plugin->name,
			.is_script = true,
			.done = refreshed,
		};

		if (plugin->script)
			plugins_change(changes, &order);
	}
}

bool plugin_changes_find_trial(const struct plugin_changes *changes, const struct plugin *plugin,
			       struct plugin_trial *ret_trial)
{
	const struct change *change = change_find_trial(changes, plugin->name);

	if (!change)
		return false;
	*ret_trial = (struct plugin_trial){
		.old = change->pairs->old,
		.new = change->pairs->new,
		.version = change->pairs->version,
		.file = change->pairs->path,
		.trial = change->upgrade ? upgrade_trial(change->upgrade) : NULL,
		.error = change->failure,
	};
	return true;
}

struct plugin_changes *plugin_changes_create(struct plugins *plugins, struct broker *broker)
{
	struct plugin_changes *changes = mem_zalloc(sizeof(*changes));

	changes->plugins = plugins;
	changes->broker = broker;
	list_init(&changes->waiting);
	list_init(&changes->trials);
	loop_task_init(&changes->task, begin_next);
	return changes;
}

void plugin_changes_destroy(struct plugin_changes *changes)
{
	struct list *link;

	if (!changes)
		return;
	loop_cancel(&changes->task);
	while ((link = list_first(&changes->waiting)) != NULL)
		change_refuse(container_of(link, struct change, link), "the broker is stopping");
	while ((link = list_first(&changes->trials)) != NULL)
		change_free(container_of(link, struct change, link));
	mem_free(changes);
}
