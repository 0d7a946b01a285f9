/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SERVER_PLUGINS_H
#define KERNEL_SERVER_PLUGINS_H

/* Loading what the configuration names, and what the control socket needs of the plugins. */

#include "config.h"
#include "control/control.h"
#include "server.h"

struct plugin_changes;
struct plugins;

/* Before the loops run: plugins, then scripts, each in its order. What is wrong goes to the log. */
enum server_status server_plugins_load(struct plugins *plugins, const struct config *config);

/* Of a configuration that is read again: a setting for a script that is neither in force, nor named
 * in it, nor optional is an error, as at the start. 0, or -1 with a reason. */
int server_plugins_check_scripts(const struct plugins *plugins, const struct config *fresh,
				 char *ret_reason, size_t size);

/* Both outlive the control socket; the struct is its context. */
struct server_plugins {
	struct plugins *plugins;
	struct plugin_changes *changes;
};

struct control_plugins server_plugins_for_control(struct server_plugins *plugins);

#endif
