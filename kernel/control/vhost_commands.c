/* SPDX-License-Identifier: MIT */
/* add_vhost, delete_vhost and set_vhost_tags. */
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "control/vhost_request.h"

static const char *text_of(const json_t *request, const char *member)
{
	const char *text = json_string_value(json_object_get(request, member));

	return text != NULL ? text : "";
}

/* ---- Tags ---- */

static size_t trimmed(const char *text, size_t size)
{
	while (size > 0 && text[size - 1] == ' ')
		size--;
	return size;
}

/* As the store has them: without blanks around them, and no empty ones. */
static void put_tags(struct buffer *out, const char *text)
{
	while (*text != '\0') {
		size_t size;

		text += strspn(text, ", ");
		size = strcspn(text, ",");
		if (size == 0)
			break;
		if (out->size != 0)
			buffer_append_byte(out, ',');
		buffer_append(out, text, trimmed(text, size));
		text += size;
	}
}

static void keep_tags(struct vhost_request *self, struct buffer *tags)
{
	self->change.settings.tags =
		vhost_request_keep(self, "tags", tags->size != 0 ? buffer_cstr(tags) : "");
}

/* ---- Adding ---- */

/* What is there already is fine, and stays as it is: as with rabbitmqctl. */
static bool ok_if_it_exists(struct control_client *client, const struct vhost_change *change)
{
	if (change->result != -EEXIST)
		return false;
	control_client_ok(client);
	return true;
}

static bool is_queue_type(const char *type)
{
	return *type == '\0' || strcmp(type, "classic") == 0 || strcmp(type, "quorum") == 0 ||
	       strcmp(type, "stream") == 0;
}

static void command_add_vhost(struct control_client *client, const json_t *request)
{
	const char *type = text_of(request, "default_queue_type");
	struct vhost_request *self;
	struct buffer tags;

	if (!is_queue_type(type)) {
		control_client_fail(client, CONTROL_UNAVAILABLE, "invalid_queue_type");
		return;
	}
	self = vhost_request_create(client, request, "vhost", VHOST_ADD);
	if (self == NULL)
		return;
	buffer_init(&tags);
	put_tags(&tags, text_of(request, "tags"));
	keep_tags(self, &tags);
	buffer_fini(&tags);
	self->change.settings.description =
		vhost_request_keep(self, "description", text_of(request, "description"));
	self->change.settings.default_queue_type =
		vhost_request_keep(self, "default_queue_type", type);
	self->fail = ok_if_it_exists;
	vhost_request_submit(client, self);
}

/* ---- Others ---- */

static void command_delete_vhost(struct control_client *client, const json_t *request)
{
	struct vhost_request *self = vhost_request_create(client, request, "vhost", VHOST_DELETE);

	if (self != NULL)
		vhost_request_submit(client, self);
}

static bool fail_in_quotes(struct control_client *client, const struct vhost_change *change)
{
	if (change->result != -ENOENT)
		return false;
	control_client_fail(client, CONTROL_DATA, "Virtual host \"" SLICE_FMT "\" does not exist",
			    SLICE_ARG(change->name));
	return true;
}

static bool are_texts(const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!json_is_string(json_array_get(array, i)))
			return false;
	return json_is_array(array);
}

static void command_set_vhost_tags(struct control_client *client, const json_t *request)
{
	const json_t *array = json_object_get(request, "tags");
	struct vhost_request *self;
	struct buffer tags;

	if (!are_texts(array)) {
		control_client_fail(client, CONTROL_USAGE, "tags are missing, or are no texts");
		return;
	}
	self = vhost_request_create(client, request, "vhost", VHOST_SET);
	if (self == NULL)
		return;
	buffer_init(&tags);
	for (size_t i = 0; i < json_array_size(array); i++)
		put_tags(&tags, json_string_value(json_array_get(array, i)));
	keep_tags(self, &tags);
	buffer_fini(&tags);
	self->change.keep =
		VHOST_KEEP_DESCRIPTION | VHOST_KEEP_DEFAULT_QUEUE_TYPE | VHOST_KEEP_LIMITS;
	self->fail = fail_in_quotes;
	vhost_request_submit(client, self);
}

const struct control_command control_vhost_commands[] = {
	{"add_vhost", command_add_vhost},
	{"delete_vhost", command_delete_vhost},
	{"set_vhost_tags", command_set_vhost_tags},
	{NULL, NULL},
};
