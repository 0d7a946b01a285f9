/* SPDX-License-Identifier: MIT */
/* The commands on limits of users. */
#include <stdlib.h>
#include <string.h>

#include "control/account_list.h"
#include "control/account_request.h"
#include "control/columns.h"
#include "control/limits.h"

enum { MAX_CHANNELS, MAX_CONNECTIONS, N_LIMITS }; /* by name */

static void limits_fill(struct limit limits[N_LIMITS], int64_t value)
{
	limits[MAX_CHANNELS] = (struct limit){"max-channels", value};
	limits[MAX_CONNECTIONS] = (struct limit){"max-connections", value};
}

/* Ends the request. */
static void submit_limits(struct control_client *client, struct account_request *self,
			  const struct limit limits[N_LIMITS])
{
	self->edit.account.max_channels = limits[MAX_CHANNELS].value;
	self->edit.account.max_connections = limits[MAX_CONNECTIONS].value;
	if (account_request_is_whole(client, self))
		account_request_submit(self);
}

static void command_set_user_limits(struct control_client *client, const json_t *request)
{
	struct account_request *self =
		account_request_create(client, request, ACCESS_SET_USER_LIMITS, "user.limits.set");
	struct slice definition;
	struct limit limits[N_LIMITS];
	char reason[400];

	self->edit.account.name = account_request_text(self, "user");
	definition = account_request_text(self, "definition");
	limits_fill(limits, ACCESS_KEEP_LIMIT);
	if (definition.data == NULL || limits_read((const char *)definition.data, "user-limits",
						   limits, N_LIMITS, reason, sizeof(reason))) {
		submit_limits(client, self, limits);
		return;
	}
	account_request_free(self);
	control_client_fail(client, CONTROL_UNAVAILABLE, "%s", reason);
}

/* One limit, or all. One that there is not is cleared already, as in RabbitMQ. */
static void command_clear_user_limits(struct control_client *client, const json_t *request)
{
	struct account_request *self = account_request_create(
		client, request, ACCESS_SET_USER_LIMITS, "user.limits.cleared");
	struct limit limits[N_LIMITS];
	struct slice which;

	self->edit.account.name = account_request_text(self, "user");
	which = account_request_text(self, "limit");
	limits_fill(limits, ACCESS_KEEP_LIMIT);
	for (size_t i = 0; i < N_LIMITS; i++)
		if (slice_equal(which, SLICE_LITERAL("all")) ||
		    slice_equal(which, slice_cstr(limits[i].name)))
			limits[i].value = ACCESS_NO_LIMIT;
	submit_limits(client, self, limits);
}

/* ---- Lists ---- */

static json_t *limits_text(const struct account_view *account)
{
	struct limit limits[N_LIMITS];
	json_t *value;
	char *text;

	limits_fill(limits, ACCESS_NO_LIMIT);
	limits[MAX_CHANNELS].value = account->max_channels;
	limits[MAX_CONNECTIONS].value = account->max_connections;
	text = limits_write(limits, N_LIMITS);
	value = json_string(text != NULL ? text : "");
	free(text);
	return value;
}

/* Those that have any. */
static void show_limits(const struct account_list *list, const struct account_view *account)
{
	if (account->max_channels != ACCESS_NO_LIMIT || account->max_connections != ACCESS_NO_LIMIT)
		account_list_row(list, json_pack("[o, o]", column_text(account->name),
						 limits_text(account)));
}

static void list_limits_of(struct control_client *client, struct slice user)
{
	struct account_view account;

	if (!account_exists(client, user, true) ||
	    !access_find_account(control_client_config(client)->access, user, &account))
		return;
	control_client_send(client,
			    json_pack("{s:{s:o}}", "value", "message", limits_text(&account)));
	control_client_ok(client);
}

/* Of one user, as a message; or, without a user, a list of those that have any. */
static void command_list_user_limits(struct control_client *client, const json_t *request)
{
	const char *user = json_string_value(json_object_get(request, "user"));

	if (user != NULL) {
		list_limits_of(client, slice_cstr(user));
		return;
	}
	account_list_begin(client, "user limits", SLICE_EMPTY, show_limits);
}

const struct control_command control_user_limit_commands[] = {
	{"set_user_limits", command_set_user_limits},
	{"clear_user_limits", command_clear_user_limits},
	{"list_user_limits", command_list_user_limits},
	{NULL, NULL},
};
