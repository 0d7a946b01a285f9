/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SERVER_RELOAD_H
#define KERNEL_SERVER_RELOAD_H

/*
 * What may change while the broker runs is taken again from where the configuration came from: the
 * file, if there is one, and options. On loop 0.
 */

#include <jansson.h>
#include <stddef.h>

#include "config.h"

struct alarms;
struct server_listen;
struct server_plugins;

struct server_reload {
	const struct config *config; /* that of the start */
	const struct config_source *source;
	struct alarms *alarms;
	struct server_listen *listen;
	struct server_plugins *plugins;
};

/* What is in force now. The caller's reference. */
json_t *server_environment(const struct server_reload *reload);

/*
 * 0 and what has changed, in a few lines; or the status that shuntctl exits with, and what is
 * wrong: then nothing has changed. Both go to the log as well. In either case scripts whose files or
 * settings have changed are reloaded, which goes on afterwards and to the log.
 */
int server_reload(const struct server_reload *reload, char *ret_said, size_t size);

#endif
