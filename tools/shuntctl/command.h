/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNTCTL_COMMAND_H
#define TOOLS_SHUNTCTL_COMMAND_H

/* The commands, as data: what help says of them, what they take, and the function that runs them. */

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

/* As rabbitmqctl exits (sysexits.h). */
enum exit_status {
	EXIT_OK = 0,
	EXIT_USAGE = 64,
	EXIT_DATA = 65,
	EXIT_NO_USER = 67,
	EXIT_UNAVAILABLE = 69, /* no broker answers, or it does not let us in */
	EXIT_SOFTWARE = 70,
	EXIT_IO = 74,
	EXIT_TIMEOUT = 75,
};

struct command {
	const char *name;
	const char *group;
	const char *usage;   /* what comes behind the name */
	const char *summary;
	const char *details; /* its arguments and options, for help; NULL: none */
	const char *columns; /* lists: names with blanks between; NULL: takes none */
	/*
	 * Others: the names of their arguments with blanks between, an optional one ending in '?', the last one in '*'
	 * if it stands for all that follow, perhaps none, as an array. They are the members of the request that
	 * call_run() and list_run() make. NULL: n_words_max counts.
	 */
	const char *parameters;
	const char *secret; /* call_run(): the last of them if it is read from the standard input when it is missing */
	/* Said before the request, without the last newline; {NAME} stands for an argument, {vhost} and {timeout} for
	 * the options or their defaults, {program} for our name. NULL: nothing. */
	const char *banner;
	const char *farewell; /* call_run(): the same at the end */
	bool has_vhost; /* the request has a member vhost; lists of columns have it anyway */
	bool has_no_titles; /* a list whose table shows none, as rabbitmqctl's */
	size_t n_words_max;
	uint64_t options;    /* beside the general ones */
	int (*run)(const struct command *command, const struct options *options);
};

/* In the order of help; a NULL ends the tables, a name of NULL each of them. */
extern const struct command *const command_tables[];
const struct command *command_find(const char *name);
/* The one whose name is nearest; NULL if none is near. */
const struct command *command_guess(const char *name);

bool command_has_column(const struct command *command, const char *name, size_t size);

/* Checks the command line; prints what is wrong with it. An exit status. */
int command_check(const struct command *command, struct options *options);

/* Prints the command's banner, if one is to be shown. */
void command_print_banner(const struct command *command, const struct options *options);

/* The name that we were called by: shuntctl or, with --enable-rabbitmq-names, rabbitmqctl. */
extern const char *program_name;

/* Each an exit status. */
int call_run(const struct command *command, const struct options *options);   /* call.c */
int declare_run(const struct command *command, const struct options *options); /* declare.c */
int close_all_run(const struct command *command, const struct options *options); /* close.c */
int environment_run(const struct command *command, const struct options *options); /* settings.c */
int set_memory_run(const struct command *command, const struct options *options);
int set_disk_run(const struct command *command, const struct options *options);
int set_log_level_run(const struct command *command, const struct options *options);
int wait_run(const struct command *command, const struct options *options); /* wait.c */
int await_startup_run(const struct command *command, const struct options *options);
int explain_run(const struct command *command, const struct options *options); /* explain.c */
int import_run(const struct command *command, const struct options *options); /* definitions.c */
int export_run(const struct command *command, const struct options *options);
int list_run(const struct command *command, const struct options *options);   /* list.c */
int status_run(const struct command *command, const struct options *options); /* status.c */
int ping_run(const struct command *command, const struct options *options);   /* node.c */
int stop_run(const struct command *command, const struct options *options);
int plugin_run(const struct command *command, const struct options *options); /* plugin.c */
int script_run(const struct command *command, const struct options *options);
int password_run(const struct command *command, const struct options *options); /* password.c */
int hash_password_run(const struct command *command, const struct options *options);
int list_user_limits_run(const struct command *command, const struct options *options); /* variants.c */
int clear_user_limits_run(const struct command *command, const struct options *options);
int clear_topic_permissions_run(const struct command *command, const struct options *options);
int add_vhost_run(const struct command *command, const struct options *options); /* vhosts.c */
int list_vhost_limits_run(const struct command *command, const struct options *options);
int complete_run(const struct command *command, const struct options *options); /* complete.c */
int help_run(const struct command *command, const struct options *options); /* help.c */
int version_run(const struct command *command, const struct options *options);

#endif
