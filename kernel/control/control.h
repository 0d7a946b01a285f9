/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_CONTROL_H
#define KERNEL_CONTROL_CONTROL_H

/*
 * The control socket behind shuntctl: a Unix stream socket whose peers are checked by their
 * credentials. On loop 0; what other loops own is asked of them by letters.
 */

#include <stdint.h>

#include <shunt/plugin.h>

struct broker;
struct conn_service;
struct control;
struct listener;
struct plugins;

/* All borrowed. */
struct control_config {
	struct broker *broker;
	struct conn_service *connections;
	const struct plugins *plugins; /* for plugins_for_each() */
	void (*plugins_for_each)(const struct plugins *plugins,
				 void (*visit)(void *context, const struct shunt_plugin *plugin,
					       const char *path),
				 void *context);
	struct listener *const
		*listeners; /* n_listeners of them, NULL where there is none any more */
	unsigned n_listeners;
	const char *version, *cluster_name, *data_dir, *config_file; /* config_file may be NULL */
	uint64_t started_at_ms;					     /* monotonic */
	void (*stop)(void *context);				     /* the `stop` command */
	void *context;
};

/* A socket file that nobody listens on is replaced. 0 or a negative errno: -EADDRINUSE when another
 * shuntd has it. */
int control_create(const char *path, const struct control_config *config,
		   struct control **ret_control);
/* Also after the loops have stopped. Removes the socket file. Accepts NULL. */
void control_destroy(struct control *control);

#endif
