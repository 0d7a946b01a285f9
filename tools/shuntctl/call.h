/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNTCTL_CALL_H
#define TOOLS_SHUNTCTL_CALL_H

/* Commands that are one request, in parts: for those that add something to it. */

#include "client.h"
#include "command.h"

/* The command's name, its arguments, and the vhost if it has one. NULL: an argument is not valid UTF-8. */
json_t *call_request(const struct command *command, const struct options *options);

/* Shows the banner, sends the request (takes its reference; NULL is refused), and shows the answer. An exit status. */
int call_send(const struct command *command, const struct options *options, json_t *request);

#endif
