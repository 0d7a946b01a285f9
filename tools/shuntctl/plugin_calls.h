/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNTCTL_PLUGIN_CALLS_H
#define TOOLS_SHUNTCTL_PLUGIN_CALLS_H

/*
 * What `shuntctl plugin` and `shuntctl script` ask of the broker. The words of the options are those of the command line
 * behind "plugin" or "script", checked: the subcommand first. Each an exit status; what went wrong has been printed.
 */

#include "client.h"

int plugin_call_list(struct client *client, const struct options *options);
int plugin_call_info(struct client *client, const struct options *options);
int plugin_call_change(struct client *client, const struct options *options);
int plugin_call_run(struct client *client, const struct options *options);
int plugin_call_check(struct client *client, const struct options *options);

#endif
