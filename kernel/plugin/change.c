/* SPDX-License-Identifier: MIT */
#include "plugin/change.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "loop/loop.h"
#include "plugin/plugin.h"

/*
 * A change: the new version's file is opened on another thread and started beside the old one; its
 * exchange types take the place of the old one's (broker/upgrade.h); when they have, everything
 * else of it comes into force in the place of the old one's, and that closes when nothing of it is
 * used any more. Whatever fails, fails before its types are swapped in: then the new one closes.
 *
 * The answer waits for the old one to close, for CHANGE_PATIENCE_MS at most.
 */

#define CHANGE_PATIENCE_MS 1000u
#define CHANGE_TEXT_SIZE   1024u

struct change {
	struct list link; /* changes.waiting, .trials */
	struct plugin_changes *changes;
	enum plugin_operation operation;
	char *name, *file;
	unsigned percent;
	void (*done)(void *context, const char *error, const char *said);
	void *context;
	bool is_answered;

	struct plugin *old, *new; /* as long as they are not closing */
	char *version, *path;	  /* of the new one */
	struct upgrade *upgrade;
	char *failure;	      /* of a trial: it is over */
	struct change *trial; /* PROMOTE and DROP end this one */
	struct exchange_type *
		*types; /* of the old one, then of the new one: they are replaced, or new */
	size_t n_old_types, n_types;

	char said[CHANGE_TEXT_SIZE]; /* the answer that waits for the old one to close */
	struct loop_timer patience;
	bool is_closing; /* the old one is, and this is told when it has */
};

struct plugin_changes {
	struct plugins *plugins;
	struct broker *broker;
	struct list waiting; /* struct change.link */
	struct list trials;  /* those that are on, or have failed */
	struct change *current;
	struct loop_task task;
};

/* ---- Changes and their answers ---- */

static void change_free(struct change *change)
{
	list_remove(&change->link);
	loop_timer_stop(&change->patience);
	mem_free(change->name);
	mem_free(change->file);
	mem_free(change->version);
	mem_free(change->path);
	mem_free(change->failure);
	mem_free(change->types);
	mem_free(change);
}

static void answer(struct change *change, const char *error, const char *said)
{
	if (change->is_answered)
		return;
	change->is_answered = true;
	if (error)
		log_warning("plugin", "%s", error);
	change->done(change->context, error, said);
}

/* The next one may begin. */
static void step_aside(struct change *change)
{
	struct plugin_changes *changes = change->changes;

	if (changes->current != change)
		return;
	changes->current = NULL;
	loop_defer(&changes->task);
}

static void refuse(struct change *change, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Nothing has changed, and nothing of it is left. */
static void refuse(struct change *change, const char *format, ...)
{
	static const char *const verbs[] = {
		[PLUGIN_LOAD] = "load", [PLUGIN_RELOAD] = "reload",   [PLUGIN_UNLOAD] = "unload",
		[PLUGIN_TRY] = "try",	[PLUGIN_PROMOTE] = "promote", [PLUGIN_DROP] = "drop",
	};
	char why[CHANGE_TEXT_SIZE], text[CHANGE_TEXT_SIZE + 320];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	(void)snprintf(text, sizeof(text), "cannot %s plugin '%.256s': %s",
		       verbs[change->operation], change->name, why);
	answer(change, text, NULL);
	step_aside(change);
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
	answer(change, NULL, text);
}

static void closed(void *context)
{
	struct closing *closing = context;
	struct change *change = closing->change;

	for (size_t i = 0; i < closing->n_types; i++)
		exchange_type_free(closing->types[i]);
	mem_free(closing->types);
	mem_free(closing);
	if (!change)
		return;
	answer_swapped(change, true);
	change_free(change);
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

/* The new one is not wanted, and its types have not come into force. */
static void close_new(struct change *change)
{
	struct plugin *plugin = change->new;

	change->new = NULL;
	close_plugin(plugin, change->types + change->n_old_types,
		     change->n_types - change->n_old_types, NULL);
}

/* ---- Types ---- */

struct gathering {
	struct change *change;
	size_t n;
};

static void gather_old(void *context, const struct exchange_type *type)
{
	struct gathering *gathering = context;
	struct change *change = gathering->change;

	if (type->owner != &change->old->owner)
		return;
	change->types = mem_realloc(change->types, (gathering->n + 1) * sizeof(*change->types));
	/* It is shown as const; it is ours to replace. */
	change->types[gathering->n++] = (struct exchange_type *)(uintptr_t)type;
}

static void gather_types(struct change *change)
{
	struct gathering gathering = {change, 0};
	const struct plugin *new = change->new;

	if (change->old)
		exchange_type_for_each(change->changes->broker->topology, gather_old, &gathering);
	change->n_old_types = change->n_types = gathering.n;
	if (!new)
		return;
	change->n_types += new->staged.n_types;
	change->types = mem_realloc(change->types, (change->n_types + 1) * sizeof(*change->types));
	for (size_t i = 0; i < new->staged.n_types; i++) {
		struct exchange_type *type = exchange_type_create(&new->staged.types[i], new->state,
								  new->name, new->self.version);

		type->owner = &change->new->owner;
		change->types[change->n_old_types + i] = type;
	}
}

static struct exchange_type *successor_of(const struct change *change,
					  const struct exchange_type *old)
{
	for (size_t i = change->n_old_types; i < change->n_types; i++)
		if (strcmp(change->types[i]->functions->name, old->functions->name) == 0)
			return change->types[i];
	return NULL;
}

static bool has_predecessor(const struct change *change, const struct exchange_type *new)
{
	for (size_t i = 0; i < change->n_old_types; i++)
		if (strcmp(change->types[i]->functions->name, new->functions->name) == 0)
			return true;
	return false;
}

static void told(void *context, enum upgrade_event event, const char *error);

static void begin_upgrade(struct change *change)
{
	struct upgrade_part *parts;
	size_t n = 0;

	gather_types(change);
	parts = mem_zalloc((change->n_types + 1) * sizeof(*parts));
	for (size_t i = 0; i < change->n_old_types; i++)
		parts[n++] = (struct upgrade_part){change->types[i],
						   successor_of(change, change->types[i])};
	for (size_t i = change->n_old_types; i < change->n_types; i++)
		if (!has_predecessor(change, change->types[i]))
			parts[n++] = (struct upgrade_part){NULL, change->types[i]};
	change->upgrade =
		upgrade_create(change->changes->broker, parts, n,
			       change->operation == PLUGIN_TRY ? change->percent : 0, told, change);
	mem_free(parts);
	if (change->operation != PLUGIN_TRY)
		upgrade_swap(change->upgrade);
}

/* ---- How upgrades end ---- */

static void log_change(const struct change *change)
{
	const char *path = change->new ? change->new->file.path : NULL;

	if (change->old && change->new)
		log_info("plugin", "replaced: name=%s version=%s by=%s path=\"%s\"",
			 change->old->name, change->old->self.version, change->version, path);
	else if (change->new)
		log_info("plugin", "loaded: name=%s version=%s path=\"%s\"", change->new->name,
			 change->version, path);
	else
		log_info("plugin", "unloaded: name=%s version=%s", change->old->name,
			 change->old->self.version);
}

static void say(struct change *change)
{
	const char *old_version = change->old ? change->old->self.version : "";

	if (change->old && change->new)
		(void)snprintf(change->said, sizeof(change->said),
			       "plugin '%s': version %s has taken the place of %s",
			       change->old->name, change->version, old_version);
	else if (change->new)
		(void)snprintf(change->said, sizeof(change->said),
			       "plugin '%s', version %s, is loaded", change->new->name,
			       change->version);
	else
		(void)snprintf(change->said, sizeof(change->said),
			       "plugin '%s', version %s, is unloaded", change->old->name,
			       old_version);
}

/* The change to answer: that which promotes or drops, if it is the end of a trial. */
static struct change *asker_of(struct change *change)
{
	struct change *current = change->changes->current;

	return current && current->trial == change ? current : change;
}

/* Its types are in force: so are the others of what it brings, from here on. */
static void swapped(struct change *change)
{
	struct change *asker = asker_of(change);
	struct plugin *old = change->old;

	say(change);
	log_change(change);
	if (asker != change)
		memcpy(asker->said, change->said, sizeof(asker->said));
	if (change->new)
		plugin_activate(change->new, old);
	else
		plugin_deactivate(old);
	list_remove(&change->link);
	step_aside(asker);
	if (!old) {
		answer_swapped(asker, true);
		change_free(asker);
		return;
	}
	loop_timer_start_ms(&asker->patience, CHANGE_PATIENCE_MS);
	close_plugin(old, change->types, change->n_old_types, asker);
	if (asker != change)
		change_free(change);
}

static void trial_is_on(struct change *change)
{
	char text[CHANGE_TEXT_SIZE];

	(void)snprintf(text, sizeof(text),
		       "plugin '%s': version %s routes %u %% of the messages beside %s",
		       change->name, change->version, change->percent, change->old->self.version);
	log_info("plugin", "trial: name=%s version=%s beside=%s percent=%u", change->name,
		 change->version, change->old->self.version, change->percent);
	step_aside(change);
	list_add_tail(&change->changes->trials, &change->link);
	answer(change, NULL, text);
}

static void dropped(struct change *change)
{
	struct change *asker = asker_of(change);
	char text[CHANGE_TEXT_SIZE];

	if (asker == change) { /* the broker ends */
		refuse(change, "the broker is stopping");
		return;
	}
	(void)snprintf(text, sizeof(text), "plugin '%s': version %s is dropped", change->name,
		       change->version);
	log_info("plugin", "trial dropped: name=%s version=%s", change->name, change->version);
	change_free(change);
	step_aside(asker);
	answer(asker, NULL, text);
	change_free(asker);
}

/* Between its two changes: it is kept, to say so. */
static void trial_has_failed(struct change *change, const char *error)
{
	struct change *asker = asker_of(change);

	log_warning("plugin", "the trial has failed: name=%s version=%s reason=\"%s\"",
		    change->name, change->version, error);
	change->failure = mem_strdup(error);
	change->upgrade = NULL;
	if (asker != change && asker->operation == PLUGIN_DROP)
		dropped(change);
	else if (asker != change)
		refuse(asker, "%s", error);
}

static void told(void *context, enum upgrade_event event, const char *error)
{
	struct change *change = context;

	switch (event) {
	case UPGRADE_READY:
		trial_is_on(change);
		break;
	case UPGRADE_SWAPPED:
		swapped(change);
		break;
	case UPGRADE_FAILED:
		if (change->new)
			close_new(change);
		if (change->is_answered)
			trial_has_failed(change, error);
		else
			refuse(change, "%s", error);
		break;
	case UPGRADE_DROPPED:
		if (change->new)
			close_new(change);
		dropped(change);
		break;
	}
}

/* ---- How changes begin ---- */

static struct change *find_trial(const struct plugin_changes *changes, const char *name)
{
	struct list *pos;

	list_for_each(pos, &changes->trials) {
		struct change *change = container_of(pos, struct change, link);

		if (strcmp(change->name, name) == 0)
			return change;
	}
	return NULL;
}

static void opened(void *context, struct plugin *plugin, const char *reason)
{
	struct change *change = context;

	if (!plugin) {
		refuse(change, "%s", reason);
		return;
	}
	change->new = plugin;
	change->version = mem_strdup(plugin->self.version);
	change->path = mem_strdup(plugin->file.path);
	if (change->operation == PLUGIN_TRY && plugin->staged.n_types == 0) {
		close_new(change);
		refuse(change, "it has no exchange type to be tried");
		return;
	}
	begin_upgrade(change);
}

static void open_new(struct change *change, const char *name_or_path)
{
	const struct plugin_open open = {.name_or_path = name_or_path, .replaces = change->old};

	plugins_open_staged_later(change->changes->plugins, &open, opened, change);
}

/* The one that is to be replaced, or goes. A trial that has failed is forgotten. */
static bool find_old(struct change *change)
{
	struct change *trial = find_trial(change->changes, change->name);

	change->old = plugins_find(change->changes->plugins, change->name);
	if (!change->old) {
		refuse(change, "no plugin of that name is loaded");
		return false;
	}
	if (trial && !trial->failure) {
		refuse(change, "version %s of it is being tried: promote or drop that first",
		       trial->version);
		return false;
	}
	if (trial)
		change_free(trial);
	return true;
}

static void end_trial(struct change *change)
{
	struct change *trial = find_trial(change->changes, change->name);

	if (!trial) {
		refuse(change, "no version of it is being tried");
	} else if (!trial->failure) {
		change->trial = trial;
		if (change->operation == PLUGIN_PROMOTE)
			upgrade_swap(trial->upgrade);
		else
			upgrade_drop(trial->upgrade);
	} else if (change->operation == PLUGIN_PROMOTE) {
		refuse(change, "the trial has failed: %s", trial->failure);
	} else {
		change->trial = trial;
		dropped(trial);
	}
}

static void begin(struct change *change)
{
	switch (change->operation) {
	case PLUGIN_LOAD:
		open_new(change, change->name);
		break;
	case PLUGIN_RELOAD:
	case PLUGIN_TRY:
		if (find_old(change))
			open_new(change, change->file ? change->file : change->old->file.path);
		break;
	case PLUGIN_UNLOAD:
		if (find_old(change))
			begin_upgrade(change);
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
		refuse(changes->current, "the broker is stopping");
	else
		begin(changes->current);
}

/* ---- From outside ---- */

void plugins_change(struct plugin_changes *changes, const struct plugin_order *order)
{
	struct change *change = mem_zalloc(sizeof(*change));

	OWN(0);
	list_init(&change->link);
	loop_timer_init(&change->patience, lost_patience);
	change->changes = changes;
	change->operation = order->operation;
	change->name = mem_strdup(order->name);
	change->file = order->file ? mem_strdup(order->file) : NULL;
	change->percent = order->percent;
	change->done = order->done;
	change->context = order->context;
	list_add_tail(&changes->waiting, &change->link);
	loop_defer(&changes->task);
}

bool plugin_changes_find_trial(const struct plugin_changes *changes, const struct plugin *plugin,
			       struct plugin_trial *ret_trial)
{
	const struct change *change = find_trial(changes, plugin->name);

	if (!change)
		return false;
	*ret_trial = (struct plugin_trial){
		.old = change->old,
		.new = change->new,
		.version = change->version,
		.file = change->path,
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
		refuse(container_of(link, struct change, link), "the broker is stopping");
	while ((link = list_first(&changes->trials)) != NULL)
		change_free(container_of(link, struct change, link));
	mem_free(changes);
}
