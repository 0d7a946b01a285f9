/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_CHANGE_H
#define KERNEL_PLUGIN_CHANGE_H

/*
 * Changes of whole plugins while the broker runs: all that a plugin brings comes into force, or
 * takes the place of another version's, or goes, or nothing does. One change at a time; others wait
 * for their turn. A trial is two changes, its beginning and its end, and what is between holds
 * nobody up.
 *
 * A script is a plugin here, too. Its language's plugin is loaded with the first script, and is not
 * unloaded while there are any. What is wrong in a script is said as "FILE:LINE: why", in front of
 * everything else.
 *
 * All at home (loop 0).
 */

#include <stdbool.h>

#include "broker/upgrade/trial.h"
#include "broker/upgrade/upgrade.h"

struct plugin;
struct plugin_changes;
struct plugins;

enum plugin_operation {
	PLUGIN_LOAD,	 /* name: a name, or a path with a '/' */
	PLUGIN_RELOAD,	 /* file: NULL: that it was loaded from. Of a language: its scripts, too */
	PLUGIN_REFRESH,	 /* a script, if its file holds something else than when it was last read,
			    or its settings are others */
	PLUGIN_ROLLBACK, /* a script: what ran before the last change runs again */
	PLUGIN_UNLOAD,
	PLUGIN_TRY,	/* file; percent: how many of 100 messages it routes, too */
	PLUGIN_PROMOTE, /* what is tried takes the place */
	PLUGIN_DROP,	/* what is tried goes */
};

struct plugin_order {
	enum plugin_operation operation;
	const char *name, *file;
	bool is_script; /* LOAD: what it is; others: it must be one */
	unsigned percent;

	/* Once, not inside plugins_change(). error: one line, then nothing has changed; or NULL,
	 * and what was done, in one line. */
	void (*done)(void *context, const char *error, const char *said);
	void *context;
};

struct plugin_changes *plugin_changes_create(struct plugins *plugins, struct broker *broker);

/* After plugins_destroy(): orders that wait are answered. NULL is fine. */
void plugin_changes_destroy(struct plugin_changes *changes);

/* The texts are copied. */
void plugins_change(struct plugin_changes *changes, const struct plugin_order *order);

/* All scripts in force, each if its file holds something else, or its settings do. What comes of it goes to the log. */
void plugins_refresh_scripts(struct plugin_changes *changes);

/* The trial of a plugin; NULL: there is none. trial: NULL when it has failed, which error says. */
struct plugin_trial {
	const struct plugin *old, *new; /* new: NULL when it has failed */
	const char *version, *file;
	struct trial *trial;
	const char *error;
};
bool plugin_changes_find_trial(const struct plugin_changes *changes, const struct plugin *plugin,
			       struct plugin_trial *ret_trial);

#endif
