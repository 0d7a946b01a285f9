/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_PLUGIN_COMMANDS_H
#define KERNEL_CONTROL_PLUGIN_COMMANDS_H

/* What the commands on plugins and those on scripts share. On loop 0. */

#include <jansson.h>
#include <stdbool.h>

#include "control/client.h"

/* Answers with a row each. columns: members of what is listed; ends with NULL. */
void control_plugin_list_as(struct control_client *client, const char *const *columns,
			    bool only_scripts);

/* All about the one in force of that name, or NULL: there is none, or it is no script and ought to
 * be. The caller's. */
json_t *control_plugin_find(struct control_client *client, const char *name, bool is_script);

/* Answers with that of the one that is named. */
void control_plugin_info_of(struct control_client *client, const json_t *request, bool is_script);

extern const struct control_command control_script_commands[]; /* script_commands.c */

#endif
