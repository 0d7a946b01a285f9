/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_CLOSE_COMMANDS_H
#define KERNEL_CONTROL_CLOSE_COMMANDS_H

/* Closing clients' connections. All take "explanation", which the client reads. */

#include "control/client.h"

/* "connection_pid", as list_connections shows it. One that is not there is closed already. */
void control_close_connection(struct control_client *client, const json_t *request);
/* Those of "vhost", or with "global" of all; "limit" at most, "per_connection_delay" ms apart. */
void control_close_all_connections(struct control_client *client, const json_t *request);
/* "username". */
void control_close_all_user_connections(struct control_client *client, const json_t *request);

#endif
