/* SPDX-License-Identifier: MIT */
#include "control/vhost_request.h"

#include <errno.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

struct vhost_request *vhost_request_create(struct control_client *client, const json_t *request,
					   const char *member, enum vhost_operation operation)
{
	const char *name = json_string_value(json_object_get(request, member));
	struct vhost_request *self;

	if (name == NULL) {
		control_client_fail(client, CONTROL_USAGE, "an argument is missing, or is no text");
		return NULL;
	}
	self = mem_zalloc(sizeof(*self));
	self->texts = json_object();
	self->client = control_client_ref(client);
	self->change.operation = operation;
	self->change.name = vhost_request_keep(self, "name", name);
	self->change.settings = (struct vhost_settings)VHOST_SETTINGS_NONE;
	return self;
}

void vhost_request_free(struct vhost_request *self)
{
	json_decref(self->texts);
	mem_free(self);
}

struct slice vhost_request_keep(struct vhost_request *self, const char *key, const char *text)
{
	json_object_set_new(self->texts, key, json_string(text));
	return slice_cstr(json_string_value(json_object_get(self->texts, key)));
}

void vhost_request_fail_missing(struct control_client *client, struct slice name)
{
	control_client_fail(client, CONTROL_DATA, "Virtual host '" SLICE_FMT "' does not exist",
			    SLICE_ARG(name));
}

static void fail(struct control_client *client, const struct vhost_request *self)
{
	const struct vhost_change *change = &self->change;

	if (self->fail != NULL && self->fail(client, change))
		return;
	if (change->result == -ENOENT)
		vhost_request_fail_missing(client, change->name);
	else
		control_client_fail(client,
				    change->result == -EINVAL ? CONTROL_DATA : CONTROL_SOFTWARE,
				    "%s", change->reason);
}

static void done(struct vhost_change *change)
{
	struct vhost_request *self = container_of(change, struct vhost_request, change);
	struct control_client *client = control_client_get(self->client);

	if (client != NULL && change->result == 0)
		control_client_ok(client);
	else if (client != NULL)
		fail(client, self);
	vhost_request_free(self);
}

void vhost_request_submit(struct control_client *client, struct vhost_request *self)
{
	const struct audit_actor actor = control_client_actor(client);

	self->change.done = done;
	admin_change_vhost(control_client_config(client)->admin, &self->change, &actor);
}
