/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNTCTL_CALL_H
#define TOOLS_SHUNTCTL_CALL_H

#include "client.h"
#include "command.h"

/* The request of a command: its arguments are its members, as its `parameters` name them. NULL: an argument is not
 * valid UTF-8; that has been said. */
json_t *call_request(const struct command *command, const struct options *options);

/* Shows the banner, sends the request (takes its reference; NULL: what was wrong has been said), and shows the answer.
 * An exit status. */
int call_send(const struct command *command, const struct options *options, json_t *request);

/* Says that it went well where the format has something for that: JSON. The client is open. An exit status. */
int call_confirm(struct client *client, const struct options *options);

/* Reads a password from the standard input. NULL: there is none, or too long a one, which has been said. */
char *secret_read(const struct options *options);
/* Wiped. Accepts NULL. */
void secret_free(char *secret);

#endif
