/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_PLUGIN_H
#define KERNEL_PLUGIN_PLUGIN_H

/*
 * A plugin from the inside: for the files of kernel/plugin/ only. All at home (loop 0), but where
 * another thread is named.
 *
 * A script (script.h) is one, too, with a text in the place of its file.
 *
 * A life: its file is opened, checked and started, in which it registers what it brings; that is
 * only kept here (PLUGIN_STAGED). plugin_activate() puts it in force; plugin_deactivate() takes it
 * out; plugin_close_later() waits until nothing of it runs or is pending, calls stop(), and closes
 * the file. Exchange types are put in force by whoever loads it, with their exchanges.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <shunt/language.h>

#include "access/access.h"
#include "base/list.h"
#include "broker/topology/exchange_type.h"
#include "loop/grace.h"
#include "loop/mailbox.h"
#include "plugin/file.h"
#include "plugin/loader.h"
#include "plugin/metric.h"
#include "plugin/pending.h"
#include "plugin/setting_list.h"
#include "plugin/source.h"
#include "store/helper.h"

#define PLUGIN_WHY_SIZE 640

enum plugin_phase {
	PLUGIN_STARTING,
	PLUGIN_STAGED,
	PLUGIN_ACTIVE,
	PLUGIN_LEAVING, /* taken out, or never put in force and to be closed */
	PLUGIN_STOPPED, /* stop() has returned, or start() has failed: nothing of it is called */
};

/* What it registered: the kernel's copies, zero beyond their size, in the order of registration.
 * Names and texts in them are the plugin's. In place until it is closed. */
struct plugin_policy {
	struct plugin *plugin;
	struct shunt_access_policy own;
	struct access_policy policy; /* by which it is asked */
};

struct plugin_hook {
	struct plugin *plugin;
	struct shunt_hook own;
};

struct plugin_metric {
	struct shunt_metric own;
	struct shunt_counter *counter; /* NULL: a gauge */
};

struct plugin_staged {
	struct shunt_exchange_type *types;
	size_t n_types;
	struct plugin_policy **policies;
	size_t n_policies;
	struct plugin_hook **hooks;
	size_t n_hooks;
	struct shunt_command *commands;
	size_t n_commands;
	struct plugin_metric **metrics;
	size_t n_metrics;
	struct shunt_language **languages;
	size_t n_languages;
};

/* Of a plugin that is a script. While it is opened on another thread, source and made are that
 * one's. */
struct plugin_script {
	struct plugin *owner; /* the plugin of its language, which is held */
	const struct shunt_language *language;
	struct script_source *source;	 /* what runs */
	struct script_source *before;	 /* what ran before; NULL: nothing */
	struct script_source *in_force;	 /* while it is opened: of the one that it replaces */
	uint64_t seen;			 /* the hash of what its file held when it was last read */
	bool has_other_settings;	 /* than the one that it replaces */
	const struct shunt_plugin *made; /* NULL: not opened */
};

struct plugin {
	struct shunt_host host; /* what it is handed; finds the plugin again */
	struct list link;	/* plugins.active, .staged or .leaving */
	struct plugins *plugins;
	struct plugin *replaces;       /* of this name, while starting; NULL: none may be there */
	struct plugin_file file;       /* of a script only the path counts */
	struct plugin_script *script;  /* NULL: it is a shared object */
	struct setting_list *settings; /* what it is handed */
	struct shunt_plugin self;      /* a copy; its texts are in the file */
	char *name;		       /* for as long as anything remembers it */
	void *state;		       /* what start() left */
	enum plugin_phase phase;
	bool is_closing;
	bool has_started;
	bool is_badly_set; /* refused for a setting of it */
	uint64_t rank;	   /* order of policies and hooks: lower ones come first */
	struct plugin_staged staged;
	struct list timers; /* struct shunt_timer.link */

	/* Told by the broker of instances of its exchange types. Any thread. */
	struct exchange_type_owner owner;

	/* One is the plugin's own, until it is to be closed. The last one is not given back but
	 * becomes the letter. */
	_Atomic uint64_t holds;
	struct letter unheld;
	struct loop_grace grace;
	struct helper_job closing;
	void (*closed)(void *context);
	void *closed_context;
};

/* Threads for what may take long while the loops run, each for itself, as one may take seconds. */
enum plugin_helper {
	PLUGIN_HELP_FILES,   /* opens and closes files */
	PLUGIN_HELP_SCRIPTS, /* opens scripts, which run their tests */
	PLUGIN_HELP_CHECKS,  /* opens those that somebody only wants to know of */
};
#define PLUGIN_HELPERS 3

struct plugins {
	struct plugins_config config;
	struct setting_list *settings; /* of what is opened next */
	struct list active;	       /* in the order of loading */
	struct list staged, leaving;
	uint64_t last_rank;
	uint64_t n_files; /* opened through a copy */
	struct helper *helpers[PLUGIN_HELPERS];
	struct pending logins, calls; /* that plugins are to end */
};

/* ---- Opening (opening.c) ---- */

/*
 * What to open: a name, or a path with a '/'. replaces: of this name may be one that is loaded
 * (NULL: none). Of a script, by script.c: the text is the source's, or that of its file if there is
 * none; the language is the one in force, or that of the plugin language_of.
 */
struct plugin_open {
	const char *name_or_path;
	struct plugin *replaces;
	bool is_script;
	struct script_source *source;
	struct plugin *language_of;
	bool only_if_changed; /* PLUGIN_UNCHANGED if its file, and its settings, are as they were */
	enum shunt_script_purpose purpose;
	struct setting_list *settings; /* that it is handed; NULL: those of what is opened next */
	struct shunt_report *report; /* called on the helper's thread; NULL: none */
};

/* Opens, checks and starts a plugin. 0; or -1 with a reason, without "cannot load plugin". */
int plugins_open_staged(struct plugins *plugins, const struct plugin_open *open,
			struct plugin **ret_plugin, char *ret_reason, size_t size);

/* As it is while it begins; what is left of it when it fails is given back with its reason. */
int plugins_open_raw(struct plugins *plugins, const struct plugin_open *open,
		     struct plugin **ret_plugin, char *ret_reason, size_t size);

/*
 * The same while the loops run: the file is read and opened on another thread. done: at home,
 * later, once; plugin is NULL when there is a reason, when it is unchanged (reason is NULL, too),
 * and of a purpose other than SHUNT_SCRIPT_RUN. replaces stays loaded until then.
 */
void plugins_open_staged_later(struct plugins *plugins, const struct plugin_open *open,
			       void (*done)(void *context, struct plugin *plugin,
					    const char *reason),
			       void *context);

/* help.c */
void plugins_help_init(struct plugins *plugins);

/* Runs the job on another thread, or here if there is none, and done() at home later. */
void plugins_help(struct plugins *plugins, enum plugin_helper which, struct helper_job *job);

/* When the loops have ended: all that is under way comes to its end, and nothing more begins. */
void plugins_finish_pending(struct plugins *plugins);

/* An active one; NULL: there is none. */
struct plugin *plugins_find(const struct plugins *plugins, const char *name);

/* ---- Life ---- */

/*
 * Puts in force what it registered but for exchange types: policies, hooks, commands, metrics,
 * timers. replaced: an active one whose place it takes, which is deactivated in the same step; or
 * NULL.
 */
void plugin_activate(struct plugin *plugin, struct plugin *replaced);
void plugin_deactivate(struct plugin *plugin);

/*
 * Of one that is staged or deactivated. Waits for a grace period, and until all is given back that
 * plugin_hold() has taken; then calls stop(), closes the file, and calls closed(context), if not
 * NULL: once, also when the broker ends before.
 */
void plugin_close_later(struct plugin *plugin, void (*closed)(void *context), void *context);

/*
 * Something of the plugin is pending, or may be called: not closed until it is released as often.
 * Any thread; who holds while nobody else does must be the plugin itself, or at home.
 */
void plugin_hold(struct plugin *plugin);
void plugin_release(struct plugin *plugin);

/* Sends the letter home: from any thread. Without loops, as in a test, it is delivered at once. */
void plugins_post_home(struct letter *letter);

/* Of one whose start() has failed, or was not called. */
void plugin_abandon(struct plugin *plugin);

/* When the loops have ended, and all instances of its exchange types: stops and frees it. */
void plugin_end(struct plugin *plugin);

/* Of a new one. */
void plugin_life_init(struct plugin *plugin);

/* The phase's name, for operators. */
const char *plugin_phase_name(enum plugin_phase phase);

/* ---- Checks (check.c, settings.c) ---- */

int plugin_refuse(char *ret_reason, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether it may be loaded; then *ret_self is a copy of it, zero beyond its size. */
int plugin_check(const struct shunt_plugin *exported, struct shunt_plugin *ret_self,
		 char *ret_reason, size_t size);

/* The same of what a language has made of the script of that name. */
int plugin_check_made(const struct shunt_plugin *made, const char *name,
		      struct shunt_plugin *ret_self, char *ret_reason, size_t size);

/* As plugin.NAME.KEY and the log can carry it. */
bool plugin_name_is_plain(const char *name);
int plugin_check_options(const struct shunt_option *options, char *ret_reason, size_t size);

/* Of the settings of the configuration those of this plugin. Errors name the setting's place. */
int plugin_check_settings(const struct plugin *plugin, char *ret_reason, size_t size);
const struct shunt_option *plugin_option(const struct shunt_plugin *self, const char *key);
/* "*": any key that has no option of its own */
bool plugin_option_is_any(const struct shunt_option *option);
bool plugin_value_fits(const struct shunt_option *option, const char *value);
/* `plugin.NAME.optional = true`, or `script.NAME.optional = true` */
bool plugins_is_optional(const struct plugins *plugins, const char *name, bool is_script);

/* ---- Timers (host_timer.c) ---- */

/* Those that were started fire from now on; and no more. */
void plugin_start_timers(struct plugin *plugin);
void plugin_stop_timers(struct plugin *plugin);
void plugin_free_timers(struct plugin *plugin);

/* ---- Policies and commands (host_access.c, host_command.c) ---- */

/* Those of `out` go, those of `in` come, in one step; either may be NULL. */
void plugins_change_policies(struct plugins *plugins, const struct plugin *out, struct plugin *in);

/* When the loops have ended: ends the calls that it has not ended. */
void plugin_cut_calls(struct plugin *plugin);

/* ---- Registrations (staging.c) ---- */

void plugin_staged_fini(struct plugin_staged *staged);

#endif
