/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_CHANGE_STATE_H
#define KERNEL_PLUGIN_CHANGE_STATE_H

/*
 * What the files change*.c share: changes from the inside. How one goes: change.c takes the order
 * and opens the new versions; change_swap.c brings their exchange types into force, and with them
 * everything else; change_end.c answers, and closes what is over.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"
#include "loop/task.h"
#include "loop/timer.h"
#include "plugin/change.h"
#include "plugin/plugin.h"

#define CHANGE_TEXT_SIZE 1024u

struct exchange_type;

/* One plugin: what it is, and what takes its place. */
struct change_pair {
	struct plugin *old, *new;     /* as long as they are not closing */
	char *version, *path;	      /* of the new one */
	struct exchange_type **types; /* of the old one, then of the new one */
	size_t n_old_types, n_types;
};

struct change {
	struct list link; /* changes.waiting, .trials */
	struct plugin_changes *changes;
	enum plugin_operation operation;
	char *name, *file;
	bool is_script; /* the order is for a script */
	unsigned percent;
	void (*done)(void *context, const char *error, const char *said);
	void *context;
	bool is_answered;

	/* The plugin that is named; of a language, all of its scripts behind it. */
	struct change_pair *pairs;
	size_t n_pairs, n_open;
	struct upgrade *upgrade;
	char *failure;	      /* of a trial: it is over */
	struct change *trial; /* PROMOTE and DROP end this one */

	bool has_language;	     /* it was looked for already */
	char *no_language;	     /* why it is not there */
	char said[CHANGE_TEXT_SIZE]; /* the answer that waits for the old ones to close */
	struct loop_timer patience;
	size_t n_closing; /* old ones, of which this is told */
};

struct plugin_changes {
	struct plugins *plugins;
	struct broker *broker;
	struct list waiting; /* struct change.link */
	struct list trials;  /* those that are on, or have failed */
	struct change *current;
	struct loop_task task;
};

/* ---- change.c ---- */

/* The next one may begin. */
void change_step_aside(struct change *change);
struct change *change_find_trial(const struct plugin_changes *changes, const char *name);

/* ---- change_swap.c ---- */

/* All new ones are open. */
void change_swap(struct change *change);

/* It is forgotten, and the one that ends it is answered. */
void change_dropped(struct change *change);

/* ---- change_end.c ---- */

/* With one pair, which is empty. */
struct change *change_create(struct plugin_changes *changes, enum plugin_operation operation);
void change_free(struct change *change);
void change_answer(struct change *change, const char *error, const char *said);

/* Nothing has changed, and nothing of it is left. */
void change_refuse(struct change *change, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The new ones are not wanted, and their types have not come into force. */
void change_close_new(struct change *change);

/* The old ones of `change` close, and `asker` is answered when they have, or in a while; it is
 * freed then. */
void change_close_old(struct change *change, struct change *asker);

/* "plugin" or "script" */
const char *change_kind(const struct change *change);

#endif
