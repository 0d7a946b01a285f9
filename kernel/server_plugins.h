/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SERVER_PLUGINS_H
#define KERNEL_SERVER_PLUGINS_H

/* What the control socket needs of the plugins. */

#include "control/control.h"

struct plugin_changes;
struct plugins;

/* Both outlive the control socket; the struct is its context. */
struct server_plugins {
	struct plugins *plugins;
	struct plugin_changes *changes;
};

struct control_plugins server_plugins_for_control(struct server_plugins *plugins);

#endif
