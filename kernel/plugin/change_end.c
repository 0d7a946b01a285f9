/* SPDX-License-Identifier: MIT */
/*
 * The answer waits for the old version to close, for CHANGE_PATIENCE_MS at most.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "broker/topology/exchange_type.h"
#include "plugin/change_state.h"
#include "plugin/script.h"

#define CHANGE_PATIENCE_MS 1000u

/* ---- Changes and their answers ---- */

void change_free(struct change *change)
{
	list_remove(&change->link);
	loop_timer_stop(&change->patience);
	for (size_t i = 0; i < change->n_pairs; i++) {
		mem_free(change->pairs[i].version);
		mem_free(change->pairs[i].path);
		mem_free(change->pairs[i].types);
	}
	mem_free(change->pairs);
	mem_free(change->name);
	mem_free(change->file);
	mem_free(change->failure);
	mem_free(change->no_language);
	mem_free(change);
}

void change_answer(struct change *change, const char *error, const char *said)
{
	if (change->is_answered)
		return;
	change->is_answered = true;
	if (error)
		log_warning("plugin", "%s", error);
	change->done(change->context, error, said);
}

const char *change_kind(const struct change *change)
{
	const struct change_pair *pair = change->pairs;
	const struct plugin *plugin = pair->old ? pair->old : pair->new;

	return change->is_script || (plugin && plugin->script) ? "script" : "plugin";
}

static const struct {
	const char *verb, *done;
} words[] = {
	[PLUGIN_LOAD] = {"load", "loaded"},
	[PLUGIN_RELOAD] = {"reload", "reloaded"},
	[PLUGIN_REFRESH] = {"reload", "reloaded"},
	[PLUGIN_ROLLBACK] = {"roll back", "rolled back"},
	[PLUGIN_UNLOAD] = {"unload", "unloaded"},
	[PLUGIN_TRY] = {"try", "tried"},
	[PLUGIN_PROMOTE] = {"promote", "promoted"},
	[PLUGIN_DROP] = {"drop", "dropped"},
};

/* What is wrong in a script has its place in front. */
static bool is_placed(const struct change *change, const char *why)
{
	for (size_t i = 0; i < change->n_pairs; i++)
		if (change->pairs[i].path && script_reason_is_placed(change->pairs[i].path, why))
			return true;
	return false;
}

void change_refuse(struct change *change, const char *format, ...)
{
	char why[CHANGE_TEXT_SIZE], text[CHANGE_TEXT_SIZE + 320];
	const char *kind = change_kind(change);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	if (is_placed(change, why))
		(void)snprintf(text, sizeof(text), "%s (%s '%.256s' is not %s)", why, kind,
			       change->name, words[change->operation].done);
	else
		(void)snprintf(text, sizeof(text), "cannot %s %s '%.256s': %s",
			       words[change->operation].verb, kind, change->name, why);
	change_answer(change, text, NULL);
	change_step_aside(change);
	change_free(change);
}

/* ---- Closing ---- */

/* A plugin that closes, and the types that were made of it. */
struct closing {
	struct exchange_type **types;
	size_t n_types;
	struct change *change; /* who waits for it; NULL: nobody */
};

static void answer_swapped(struct change *change, bool is_closed)
{
	char text[CHANGE_TEXT_SIZE + 128];

	(void)snprintf(
		text, sizeof(text), "%s%s", change->said,
		is_closed ? "" : "; what it was waits to be closed, as something of it is pending");
	change_answer(change, NULL, text);
}

static void one_closed(struct change *change)
{
	if (--change->n_closing > 0)
		return;
	answer_swapped(change, true);
	change_free(change);
}

static void closed(void *context)
{
	struct closing *closing = context;
	struct change *change = closing->change;

	for (size_t i = 0; i < closing->n_types; i++)
		exchange_type_free(closing->types[i]);
	mem_free(closing->types);
	mem_free(closing);
	if (change)
		one_closed(change);
}

static void lost_patience(struct loop_timer *timer)
{
	answer_swapped(container_of(timer, struct change, patience), false);
}

static void close_plugin(struct plugin *plugin, struct exchange_type *const *types, size_t n_types,
			 struct change *waits)
{
	struct closing *closing = mem_zalloc(sizeof(*closing));

	closing->types = mem_zalloc((n_types + 1) * sizeof(*types));
	closing->n_types = n_types;
	closing->change = waits;
	if (n_types > 0)
		memcpy(closing->types, types, n_types * sizeof(*types));
	plugin_close_later(plugin, closed, closing);
}

void change_close_new(struct change *change)
{
	for (size_t i = change->n_pairs; i > 0; i--) {
		struct change_pair *pair = &change->pairs[i - 1];
		struct plugin *plugin = pair->new;
		size_t n_new = pair->n_types - pair->n_old_types;

		pair->new = NULL;
		if (plugin)
			close_plugin(plugin, n_new > 0 ? pair->types + pair->n_old_types : NULL,
				     n_new, NULL);
	}
}

struct change *change_create(struct plugin_changes *changes, enum plugin_operation operation)
{
	struct change *change = mem_zalloc(sizeof(*change));

	list_init(&change->link);
	loop_timer_init(&change->patience, lost_patience);
	change->changes = changes;
	change->operation = operation;
	change->pairs = mem_zalloc(sizeof(*change->pairs));
	change->n_pairs = 1;
	return change;
}

/* The one more is ours, so that it is not over before all of them have been told to. */
void change_close_old(struct change *change, struct change *asker)
{
	loop_timer_start_ms(&asker->patience, CHANGE_PATIENCE_MS);
	asker->n_closing = 1;
	for (size_t i = change->n_pairs; i > 0; i--) {
		struct change_pair *pair = &change->pairs[i - 1];

		if (!pair->old)
			continue;
		asker->n_closing++;
		close_plugin(pair->old, pair->types, pair->n_old_types, asker);
	}
	if (asker != change)
		change_free(change);
	one_closed(asker);
}
