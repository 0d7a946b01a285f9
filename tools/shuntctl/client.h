/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNTCTL_CLIENT_H
#define TOOLS_SHUNTCTL_CLIENT_H

/*
 * A conversation on the control socket: a request is one line of JSON, the answer is lines of JSON, the last of them
 * {"ok": true} or {"error": TEXT, "status": N}. Every step ends at the deadline.
 */

#include <jansson.h>
#include <stdint.h>

#include "base/buffer.h"
#include "command.h"

struct client {
	const char *path;
	const char *operation; /* the command's name */
	int fd;
	uint32_t timeout_ms;  /* CLIENT_NO_TIMEOUT: none */
	uint64_t deadline_ms; /* monotonic */
	struct buffer input;
	size_t line_start, scanned; /* in the input */
};

#define CLIENT_TIMEOUT_MS 60000u
#define CLIENT_NO_TIMEOUT UINT32_MAX

/* The socket that the options, the environment or the installation names. */
const char *client_socket(const struct options *options);

/*
 * Connects; on failure prints why and returns the exit status. timeout_ms counts when no --timeout was given. After
 * either outcome client_close().
 */
int client_open(struct client *client, const struct command *command, const struct options *options,
		uint32_t timeout_ms);
/* As client_open(), but quiet: 0 or a negative errno; -ETIMEDOUT after the deadline. */
int client_try_open(struct client *client, const struct command *command, const struct options *options,
		    uint32_t timeout_ms);
/* Prints why it could not be opened; an exit status. */
int client_report_unavailable(const struct client *client, int error);
void client_close(struct client *client);

/* Sends the request and takes its reference. An exit status; prints what went wrong. */
int client_ask(struct client *client, json_t *request);

/* Sends bytes as they are, when the answer has said that they may come. An exit status. */
int client_put(struct client *client, const void *bytes, size_t size);

/*
 * The next line of the answer: EXIT_OK with *ret_line, which is NULL at {"ok": true}; otherwise what went wrong has
 * been printed.
 */
int client_next(struct client *client, json_t **ret_line);

/* Asks, and takes the {"value": ...} of the answer (NULL if there is none). */
int client_call(struct client *client, json_t *request, json_t **ret_value);

/* Waits until the broker's process has ended, or, where that cannot be seen, its end of the socket. An exit status. */
int client_wait_for_end(struct client *client);

#endif
