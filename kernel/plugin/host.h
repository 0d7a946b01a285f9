/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_HOST_H
#define KERNEL_PLUGIN_HOST_H

/* The functions that the broker hands to a plugin: what is behind struct shunt_host. */

#include <shunt/plugin.h>

#include "base/slice.h"

struct plugin;

/* The table of a plugin, for its whole life; part of struct plugin. */
void host_init(struct shunt_host *host);

/* One of the values of `plugin.NAME.KEY`, or NULL. */
const char *plugin_config(const struct plugin *plugin, const char *key);
struct plugin *plugin_of_host(const struct shunt_host *host);

#endif
