/* SPDX-License-Identifier: MIT */
/* The commands on permissions and topic permissions. */
#include "access/access.h"
#include "broker/broker.h"
#include "broker/topology/topology.h"
#include "control/account_list.h"
#include "control/account_request.h"
#include "control/columns.h"

static bool has_vhost(const struct control_client *client, struct slice name)
{
	return topology_vhost(control_client_config(client)->broker->topology, name) != NULL;
}

/* Whether the user and the vhost of the edit are there; else the client is told. */
static bool user_and_vhost_exist(struct control_client *client, struct slice user,
				 struct slice vhost)
{
	if (!account_exists(client, user, false))
		return false;
	if (has_vhost(client, vhost))
		return true;
	control_client_fail(client, CONTROL_UNAVAILABLE,
			    "Virtual host " SLICE_FMT " does not exist", SLICE_ARG(vhost));
	return false;
}

/* Ends the request, one way or the other. */
static void submit_if_they_exist(struct control_client *client, struct account_request *self,
				 struct slice user, struct slice vhost)
{
	if (!account_request_is_whole(client, self))
		return;
	if (user_and_vhost_exist(client, user, vhost))
		account_request_submit(self);
	else
		account_request_free(self);
}

/* rabbitmqctl tells of patterns first. */
static bool are_patterns(struct control_client *client, const struct slice *patterns, size_t n)
{
	char reason[200];

	for (size_t i = 0; i < n; i++) {
		if (patterns[i].data == NULL ||
		    access_pattern_is_valid(patterns[i], reason, sizeof(reason)))
			continue;
		control_client_fail(client, CONTROL_UNAVAILABLE,
				    "Regular expression '%.200s' is invalid: %s",
				    (const char *)patterns[i].data, reason);
		return false;
	}
	return true;
}

/* ---- Permissions ---- */

static void command_set_permissions(struct control_client *client, const json_t *request)
{
	struct account_request *self = account_request_create(
		client, request, ACCESS_SET_PERMISSION, "permission.created");
	struct permission_view *permission = &self->edit.permission;

	permission->user = account_request_text(self, "user");
	permission->vhost = account_request_text(self, "vhost");
	permission->configure = account_request_text(self, "configure");
	permission->write = account_request_text(self, "write");
	permission->read = account_request_text(self, "read");
	if (are_patterns(
		    client,
		    (struct slice[]){permission->configure, permission->write, permission->read},
		    3))
		submit_if_they_exist(client, self, permission->user, permission->vhost);
	else
		account_request_free(self);
}

static void command_clear_permissions(struct control_client *client, const json_t *request)
{
	struct account_request *self = account_request_create(
		client, request, ACCESS_CLEAR_PERMISSION, "permission.deleted");
	struct permission_view *permission = &self->edit.permission;

	permission->user = account_request_text(self, "user");
	permission->vhost = account_request_text(self, "vhost");
	submit_if_they_exist(client, self, permission->user, permission->vhost);
}

static void command_set_topic_permissions(struct control_client *client, const json_t *request)
{
	struct account_request *self = account_request_create(
		client, request, ACCESS_SET_TOPIC_PERMISSION, "topic.permission.created");
	struct topic_permission_view *topic = &self->edit.topic;

	topic->user = account_request_text(self, "user");
	topic->vhost = account_request_text(self, "vhost");
	topic->exchange = account_request_text(self, "exchange");
	topic->write = account_request_text(self, "write");
	topic->read = account_request_text(self, "read");
	if (are_patterns(client, (struct slice[]){topic->write, topic->read}, 2))
		submit_if_they_exist(client, self, topic->user, topic->vhost);
	else
		account_request_free(self);
}

/* Those on one exchange, or all of them in the vhost. */
static void command_clear_topic_permissions(struct control_client *client, const json_t *request)
{
	struct account_request *self = account_request_create(
		client, request, ACCESS_CLEAR_TOPIC_PERMISSION, "topic.permission.deleted");
	struct topic_permission_view *topic = &self->edit.topic;

	topic->user = account_request_text(self, "user");
	topic->vhost = account_request_text(self, "vhost");
	if (json_object_get(request, "exchange") != NULL)
		topic->exchange = account_request_text(self, "exchange");
	submit_if_they_exist(client, self, topic->user, topic->vhost);
}

/* ---- Lists ---- */

/* The text of a member; NULL data: there is none. */
static struct slice text_of(const json_t *request, const char *key)
{
	const json_t *text = json_object_get(request, key);

	return slice_make(json_string_value(text), json_string_length(text));
}

static json_t *permission_row(struct slice other, const struct permission_view *permission)
{
	return json_pack("[o, o, o, o]", column_text(other), column_text(permission->configure),
			 column_text(permission->write), column_text(permission->read));
}

static json_t *topic_row(struct slice other, const struct topic_permission_view *topic)
{
	return json_pack("[o, o, o, o]", column_text(other), column_text(topic->exchange),
			 column_text(topic->write), column_text(topic->read));
}

/* ---- Of a vhost ---- */

static bool list_vhost_exists(struct control_client *client, struct slice vhost)
{
	if (vhost.data != NULL && has_vhost(client, vhost))
		return true;
	control_client_fail(client, CONTROL_DATA, "Virtual host '" SLICE_FMT "' does not exist",
			    SLICE_ARG(vhost));
	return false;
}

static void row_of_permission(void *context, const struct permission_view *permission)
{
	account_list_row(context, permission_row(permission->user, permission));
}

static void show_permissions(const struct account_list *list, const struct account_view *account)
{
	access_each_permission(list->access, list->vhost, account->name, row_of_permission,
			       (void *)(uintptr_t)list);
}

static void command_list_permissions(struct control_client *client, const json_t *request)
{
	struct slice vhost = text_of(request, "vhost");

	if (list_vhost_exists(client, vhost))
		account_list_begin(client, "user configure write read", vhost, show_permissions);
}

static void row_of_topic(void *context, const struct topic_permission_view *topic)
{
	account_list_row(context, topic_row(topic->user, topic));
}

static void show_topics(const struct account_list *list, const struct account_view *account)
{
	access_each_topic_permission(list->access, list->vhost, account->name, row_of_topic,
				     (void *)(uintptr_t)list);
}

static void command_list_topic_permissions(struct control_client *client, const json_t *request)
{
	struct slice vhost = text_of(request, "vhost");

	if (list_vhost_exists(client, vhost))
		account_list_begin(client, "user exchange write read", vhost, show_topics);
}

/* ---- Of a user ---- */

static void send_permission(void *context, const struct permission_view *permission)
{
	control_client_send(context, permission_row(permission->vhost, permission));
}

static void command_list_user_permissions(struct control_client *client, const json_t *request)
{
	struct slice user = text_of(request, "user");

	if (!account_exists(client, user, true))
		return;
	account_send_columns(client, "vhost configure write read");
	access_each_permission(control_client_config(client)->access, SLICE_EMPTY, user,
			       send_permission, client);
	control_client_ok(client);
}

static void send_topic(void *context, const struct topic_permission_view *topic)
{
	control_client_send(context, topic_row(topic->vhost, topic));
}

static void command_list_user_topic_permissions(struct control_client *client,
						const json_t *request)
{
	struct slice user = text_of(request, "user");

	if (!account_exists(client, user, true))
		return;
	account_send_columns(client, "vhost exchange write read");
	access_each_topic_permission(control_client_config(client)->access, SLICE_EMPTY, user,
				     send_topic, client);
	control_client_ok(client);
}

const struct control_command control_permission_commands[] = {
	{"set_permissions", command_set_permissions},
	{"clear_permissions", command_clear_permissions},
	{"list_permissions", command_list_permissions},
	{"list_user_permissions", command_list_user_permissions},
	{"set_topic_permissions", command_set_topic_permissions},
	{"clear_topic_permissions", command_clear_topic_permissions},
	{"list_topic_permissions", command_list_topic_permissions},
	{"list_user_topic_permissions", command_list_user_topic_permissions},
	{NULL, NULL},
};
