/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_CONTROL_H
#define KERNEL_CONTROL_CONTROL_H

/*
 * The control socket behind shuntctl: a Unix stream socket whose peers are checked by their
 * credentials. On loop 0; what other loops own is asked of them by letters.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shunt/plugin.h>

#include "base/slice.h"

struct access;
struct admin;
struct broker;
struct conn_service;
struct control;
struct listener;
struct plugins;

/*
 * What is told about plugins, and asked of them: filled by the server, as this floor does not see
 * theirs. Requests and texts are borrowed for the call.
 */
struct control_plugin_order {
	const char *operation; /* load, reload, unload, trial, promote, drop, rollback */
	const char *name, *file; /* file: may be NULL */
	bool is_script; /* it must be one; otherwise it may be */
	unsigned percent;
	/* Once, not inside the call: what went wrong, or what was done. */
	void (*done)(void *context, const char *error, const char *said);
	void *context;
};

struct control_plugin_call {
	const char *plugin, *command;
	const struct slice *arguments;
	size_t n_arguments;
	/* Not inside the call; done is the last. */
	void (*print)(void *context, struct slice text);
	void (*done)(void *context, const char *error);
	void *context;
};

/* What a script is handed besides what the configuration says. */
struct control_script_setting {
	const char *key, *value;
};

/* A script to be looked at, or tested, and not put in force. */
struct control_script_check {
	const char *name_or_path;
	bool is_test;
	const struct control_script_setting *settings;
	size_t n_settings;
	/* Not inside the call; done, with the error or NULL, is the last. */
	void (*print)(void *context, struct slice text);
	void (*done)(void *context, const char *error);
	void *context;
};

struct control_plugins {
	void *context;
	json_t *(*list)(void *context); /* an array of objects */
	json_t *(*info)(void *context, const char *name); /* NULL: no such plugin */
	/* False: there is no such operation. */
	bool (*change)(void *context, const struct control_plugin_order *order);
	/* The running call, or NULL with a reason. */
	void *(*run)(void *context, const struct control_plugin_call *call, char *ret_reason,
		     size_t size);
	void (*abandon)(void *context, void *running); /* then nothing is called any more */
	void (*check)(void *context, const struct control_script_check *check);
};

/* All borrowed. */
struct control_config {
	struct broker *broker;
	struct conn_service *connections;
	struct access *access;
	struct admin *admin;
	const struct plugins *plugins; /* for plugins_for_each() */
	void (*plugins_for_each)(const struct plugins *plugins,
				 void (*visit)(void *context, const struct shunt_plugin *plugin,
					       const char *path),
				 void *context);
	struct control_plugins plugin;
	struct listener *const
		*listeners; /* n_listeners of them, NULL where there is none any more */
	unsigned n_listeners;
	const char *version, *cluster_name, *data_dir, *config_file; /* config_file may be NULL */
	uint64_t started_at_ms;					     /* monotonic */
	uint64_t memory_bytes; /* of the machine; 0: unknown */
	void (*stop)(void *context);				     /* the `stop` command */
	/* Takes the configuration again: 0 and what has changed, or shuntctl's exit status and what
	 * is wrong. */
	int (*reload)(void *context, char *ret_said, size_t size);
	json_t *(*environment)(void *context); /* what is in force: an object by key */
	void *context;
};

/* A socket file that nobody listens on is replaced. 0 or a negative errno: -EADDRINUSE when another
 * shuntd has it. */
int control_create(const char *path, const struct control_config *config,
		   struct control **ret_control);
/* Also after the loops have stopped. Removes the socket file. Accepts NULL. */
void control_destroy(struct control *control);

#endif
