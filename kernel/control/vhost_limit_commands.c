/* SPDX-License-Identifier: MIT */
/* The commands on limits of vhosts. */
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "control/account_request.h"
#include "control/columns.h"
#include "control/limits.h"
#include "control/vhost_request.h"
#include "loop/budget.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

enum { MAX_CONNECTIONS, MAX_QUEUES, N_LIMITS }; /* by name */

static void limits_fill(struct limit limits[N_LIMITS], int64_t connections, int64_t queues)
{
	limits[MAX_CONNECTIONS] = (struct limit){"max-connections", connections};
	limits[MAX_QUEUES] = (struct limit){"max-queues", queues};
}

static void submit_limits(struct control_client *client, struct vhost_request *self,
			  const struct limit limits[N_LIMITS])
{
	self->change.settings.max_connections = limits[MAX_CONNECTIONS].value;
	self->change.settings.max_queues = limits[MAX_QUEUES].value;
	self->change.keep =
		VHOST_KEEP_DESCRIPTION | VHOST_KEEP_TAGS | VHOST_KEEP_DEFAULT_QUEUE_TYPE;
	vhost_request_submit(client, self);
}

/* All limits: those that it does not name are none, as in RabbitMQ. */
static void command_set_vhost_limits(struct control_client *client, const json_t *request)
{
	const char *definition = json_string_value(json_object_get(request, "definition"));
	struct limit limits[N_LIMITS];
	struct vhost_request *self;
	char reason[400];

	limits_fill(limits, LIMIT_NONE, LIMIT_NONE);
	if (definition != NULL &&
	    !limits_read(definition, "limits", limits, N_LIMITS, reason, sizeof(reason))) {
		control_client_fail(client, CONTROL_UNAVAILABLE,
				    slice_starts_with(slice_cstr(reason), SLICE_LITERAL("JSON"))
					    ? "%s"
					    : "Validation failed\n\n%s\n",
				    reason);
		return;
	}
	self = vhost_request_create(client, request, "vhost", VHOST_SET);
	if (self != NULL)
		submit_limits(client, self, limits);
}

/* To RabbitMQ limits are a parameter, which must be there. */
static bool has_limits(const struct control_client *client, const json_t *request)
{
	const char *vhost = json_string_value(json_object_get(request, "vhost"));
	struct vhost_settings settings;

	return vhost_settings_of(control_client_config(client)->broker,
				 slice_cstr(vhost != NULL ? vhost : ""), &settings) &&
	       (settings.max_connections >= 0 || settings.max_queues >= 0);
}

static void command_clear_vhost_limits(struct control_client *client, const json_t *request)
{
	struct limit limits[N_LIMITS];
	struct vhost_request *self;

	if (!has_limits(client, request)) {
		control_client_fail(client, CONTROL_UNAVAILABLE, "Parameter does not exist");
		return;
	}
	limits_fill(limits, LIMIT_NONE, LIMIT_NONE);
	self = vhost_request_create(client, request, "vhost", VHOST_SET);
	if (self != NULL)
		submit_limits(client, self, limits);
}

/* ---- Lists ---- */

static json_t *limits_text(const struct vhost_settings *settings)
{
	struct limit limits[N_LIMITS];
	json_t *value;
	char *text;

	limits_fill(limits, settings->max_connections, settings->max_queues);
	text = limits_write(limits, N_LIMITS);
	value = json_string(text != NULL ? text : "");
	free(text);
	return value;
}

static bool is_limited(const struct vhost_settings *settings)
{
	return settings->max_connections >= 0 || settings->max_queues >= 0;
}

static void send_limits(void *context, struct slice name, const struct vhost_settings *settings)
{
	if (is_limited(settings))
		control_client_send(context,
				    json_pack("[o, o]", column_text(name), limits_text(settings)));
}

/* ---- The list, in slices: there may be many vhosts ---- */

#define LIMITS_SLICE 100u

struct limits_walk {
	struct letter letter;
	struct actor_ref client;
	uint64_t after; /* vhost_list() */
};

static void walk_deliver(struct letter *letter);

/* The client has room, or is gone. */
static void walk_order(void *context)
{
	struct limits_walk *walk = context;

	if (control_client_get(walk->client) == NULL) {
		mem_free(walk);
		return;
	}
	walk->letter.deliver = walk_deliver;
	loop_post(0, &walk->letter);
}

static void walk_deliver(struct letter *letter)
{
	struct limits_walk *walk = container_of(letter, struct limits_walk, letter);
	struct control_client *client = control_client_get(walk->client);

	if (client == NULL) {
		mem_free(walk);
		return;
	}
	loop_spend(LOOP_DELIVER_UNITS); /* no other slice in the same turn */
	walk->after = vhost_list(control_client_config(client)->broker, walk->after, LIMITS_SLICE,
				 send_limits, client);
	if (walk->after != 0) {
		control_client_when_ready(client, walk_order, walk);
		return;
	}
	mem_free(walk);
	control_client_ok(client);
}

static void list_limits(struct control_client *client)
{
	struct limits_walk *walk = mem_zalloc(sizeof(*walk));

	walk->client = control_client_ref(client);
	account_send_columns(client, "vhost limits");
	walk_order(walk);
}

/* ---- Of one ---- */

static void list_limits_of(struct control_client *client, struct slice name)
{
	struct vhost_settings settings;

	if (!vhost_settings_of(control_client_config(client)->broker, name, &settings)) {
		vhost_request_fail_missing(client, name);
		return;
	}
	control_client_send(client, json_pack("{s:{s:o}}", "value", "message",
					      is_limited(&settings) ? limits_text(&settings)
								    : json_string("")));
	control_client_ok(client);
}

/* Of one vhost, as a message; or, without a vhost, a list of those that have any. */
static void command_list_vhost_limits(struct control_client *client, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "vhost"));

	if (name != NULL) {
		list_limits_of(client, slice_cstr(name));
		return;
	}
	list_limits(client);
}

const struct control_command control_vhost_limit_commands[] = {
	{"set_vhost_limits", command_set_vhost_limits},
	{"clear_vhost_limits", command_clear_vhost_limits},
	{"list_vhost_limits", command_list_vhost_limits},
	{NULL, NULL},
};
