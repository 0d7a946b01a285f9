/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_ACCOUNT_REQUEST_H
#define KERNEL_CONTROL_ACCOUNT_REQUEST_H

/*
 * An edit of the accounts that a client has ordered. The client may go meanwhile: then the edit is
 * made all the same, and in the audit trail. On loop 0.
 */

#include "access/password.h"
#include "base/buffer.h"
#include "control/client.h"

struct account_request {
	struct access *access;
	struct access_edits edits;
	struct access_edit edit; /* filled by the command */
	const char *event;	 /* for the audit trail; with details: key="value" pairs */
	struct buffer details;

	struct actor_ref client; /* from here on its own */
	char by[24], from[40];
	json_t *texts; /* keeps what the edit points to */
	const json_t *request;
	bool is_incomplete; /* an argument was missing */
	struct password_work password;
};

/* Then account_request_text() for the arguments, "user" always among them, and one of the functions
 * that end it. */
struct account_request *account_request_create(struct control_client *client, const json_t *request,
					       enum access_edit_kind kind, const char *event);

/* An argument of the request, valid as long as this; a missing one makes the request incomplete.
 * It is among the audit's details, but for `secret` ones. */
struct slice account_request_text(struct account_request *request, const char *key);
struct slice account_request_secret(struct account_request *request, const char *key);

/* False: incomplete, the client has been told, and the request is gone. */
bool account_request_is_whole(struct control_client *client, struct account_request *request);

/* Orders the edit; the client is told how it went. */
void account_request_submit(struct account_request *request);
/* Hashes the password first, on a worker, and puts the hash into the edit. */
void account_request_submit_password(struct account_request *request, struct slice password);
/* Without an edit. */
void account_request_free(struct account_request *request);

/* Whether there is such a user; else tells the client, with the name in quotes or not, as
 * rabbitmqctl's command does. */
bool account_exists(struct control_client *client, struct slice user, bool is_quoted);

/* Lists: the columns' names, with blanks between them. */
void account_send_columns(struct control_client *client, const char *names);

extern const struct control_command control_user_commands[];	   /* user_commands.c */
extern const struct control_command control_user_limit_commands[]; /* user_limit_commands.c */
extern const struct control_command control_permission_commands[]; /* permission_commands.c */

#endif
