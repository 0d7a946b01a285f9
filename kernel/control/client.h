/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_CLIENT_H
#define KERNEL_CONTROL_CLIENT_H

/*
 * The conversation on the control socket: a request is one line of JSON, {"command": NAME, ...};
 * the answer is lines of JSON: for lists {"columns": [...]} and one array a row; for others
 * {"value": {...}}; at the end {"ok": true} or
 * {"error": TEXT, "status": N}, N from sysexits.h as rabbitmqctl uses them. One request at a time.
 *
 * All on loop 0.
 */

#include <jansson.h>

#include "access/audit.h"
#include "base/buffer.h"
#include "control/control.h"
#include "loop/slots.h"

struct control_client;

/* How shuntctl exits. */
enum control_status {
	CONTROL_USAGE = 64,
	CONTROL_DATA = 65,
	CONTROL_NO_USER = 67,
	CONTROL_UNAVAILABLE = 69,
	CONTROL_SOFTWARE = 70,
	CONTROL_CONFIG = 78,
};

/* Finds the client again later; NULL when it has gone. */
struct actor_ref control_client_ref(const struct control_client *client);
struct control_client *control_client_get(struct actor_ref ref);
const struct control_config *control_client_config(const struct control_client *client);
/* Who asks, for the audit trail: "uid=0", "control socket, pid 4711". Valid as long as the client
 * is. */
struct audit_actor control_client_actor(const struct control_client *client);

/* Lines of the answer. send takes the reference of the value. */
void control_client_send(struct control_client *client, json_t *value);
void control_client_send_raw(struct control_client *client, const struct buffer *lines);

/* How many bytes of the answer the client has not taken yet. */
size_t control_client_unsent(const struct control_client *client);

/*
 * Calls ready(context) once the client has taken what was sent but for a little, perhaps inside the
 * call; or when it has gone: then control_client_get() finds it no more. For one waiter at a time.
 */
void control_client_when_ready(struct control_client *client, void (*ready)(void *context),
			       void *context);

/* Calls gone(context) if the client goes before its answer has ended. For one at a time. */
void control_client_when_gone(struct control_client *client, void (*gone)(void *context),
			      void *context);

/*
 * Takes the next `size` bytes of the client as they are, not as requests: received() for each piece,
 * perhaps inside the call. The client is told before that they may come, or how many they are. If
 * it goes before, gone() is called (control_client_when_gone()), and received() no more.
 */
void control_client_receive(struct control_client *client, size_t size,
			    void (*received)(void *context, struct slice bytes), void *context);

/* The end of the answer; the next request may come. */
void control_client_ok(struct control_client *client);
void control_client_fail(struct control_client *client, enum control_status status,
			 const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A command: answers at once or later, with one control_client_ok() or _fail(). The request is
 * borrowed. */
struct control_command {
	const char *name;
	void (*run)(struct control_client *client, const json_t *request);
};

/* control/commands.c: tables, each ending with a name of NULL, and a NULL. A part with several
 * commands has a table of its own in its file. */
extern const struct control_command *const control_commands[];

/* control/status.c */
void control_status(struct control_client *client, const json_t *request);

/* control/plugin_commands.c */
void control_plugin_list(struct control_client *client, const json_t *request);
void control_plugin_info(struct control_client *client, const json_t *request);
void control_plugin_change(struct control_client *client, const json_t *request);
void control_plugin_run(struct control_client *client, const json_t *request);

/* control/definition_commands.c */
extern const struct control_command control_definition_commands[];

/* control/explain.c */
void control_explain_route(struct control_client *client, const json_t *request);

/* control/list.c */
void control_list(struct control_client *client, const json_t *request);

#endif
