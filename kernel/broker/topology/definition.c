/* SPDX-License-Identifier: MIT */
#include "broker/topology/definition.h"

#include <errno.h>

#include "broker/topology/topology.h"
#include "store/fields.h"

/* Never given another meaning. */
enum field {
	FIELD_VHOST = 1,
	FIELD_NAME = 2,
	FIELD_SOURCE = 3,
	FIELD_ROUTING_KEY = 4,
	FIELD_TYPE = 5,
	FIELD_ARGUMENTS = 6,
	FIELD_ID = 7,
	FIELD_FLAGS = 8,
	FIELD_DESCRIPTION = 9,
	FIELD_TAGS = 10,
	FIELD_DEFAULT_QUEUE_TYPE = 11,
	FIELD_MAX_CONNECTIONS = 12, /* limits are one more than they are: none is 0 */
	FIELD_MAX_QUEUES = 13,
};

enum {
	FLAG_AUTO_DELETE = 1,
	FLAG_INTERNAL = 2,
	FLAG_DESTINATION_IS_EXCHANGE = 4,
	FLAG_DOOMED = 8,
};

/* ---- Keys ---- */

void definition_put_key(struct buffer *buffer, const struct definition *definition)
{
	switch (definition->kind) {
	case DEFINITION_VHOST:
		buffer_append_cstr(buffer, "vhost/");
		buffer_append_slice(buffer, definition->name);
		break;
	case DEFINITION_EXCHANGE:
	case DEFINITION_QUEUE:
		buffer_append_cstr(buffer,
				   definition->kind == DEFINITION_QUEUE ? "queue/" : "exchange/");
		fields_put_key_part(buffer, definition->vhost);
		buffer_append_slice(buffer, definition->name);
		break;
	case DEFINITION_BINDING:
		buffer_append_cstr(buffer, "binding/");
		fields_put_key_part(buffer, definition->vhost);
		fields_put_key_part(buffer, definition->source);
		buffer_append_cstr(buffer, definition->destination_is_exchange ? "e/" : "q/");
		fields_put_key_part(buffer, definition->name);
		fields_put_key_part(buffer, definition->routing_key);
		buffer_append_slice(buffer, definition->arguments);
		break;
	}
}

/* ---- Values ---- */

static void put_settings(struct buffer *buffer, const struct vhost_settings *settings)
{
	fields_put(buffer, FIELD_DESCRIPTION, settings->description);
	fields_put(buffer, FIELD_TAGS, settings->tags);
	fields_put(buffer, FIELD_DEFAULT_QUEUE_TYPE, settings->default_queue_type);
	fields_put_number(buffer, FIELD_MAX_CONNECTIONS, (uint64_t)settings->max_connections + 1);
	fields_put_number(buffer, FIELD_MAX_QUEUES, (uint64_t)settings->max_queues + 1);
}

void definition_put_value(struct buffer *buffer, const struct definition *definition)
{
	unsigned flags = (definition->auto_delete ? FLAG_AUTO_DELETE : 0) |
			 (definition->internal ? FLAG_INTERNAL : 0) |
			 (definition->destination_is_exchange ? FLAG_DESTINATION_IS_EXCHANGE : 0) |
			 (definition->is_doomed ? FLAG_DOOMED : 0);

	fields_begin(buffer, (uint8_t)definition->kind);
	fields_put(buffer, FIELD_VHOST, definition->vhost);
	fields_put(buffer, FIELD_NAME, definition->name);
	fields_put(buffer, FIELD_SOURCE, definition->source);
	fields_put(buffer, FIELD_ROUTING_KEY, definition->routing_key);
	fields_put(buffer, FIELD_TYPE, definition->type);
	fields_put(buffer, FIELD_ARGUMENTS, definition->arguments);
	fields_put_number(buffer, FIELD_ID, definition->id);
	fields_put_number(buffer, FIELD_FLAGS, flags);
	if (definition->kind == DEFINITION_VHOST)
		put_settings(buffer, &definition->settings);
}

static void read_flags(struct definition *ret, uint64_t flags)
{
	ret->auto_delete = (flags & FLAG_AUTO_DELETE) != 0;
	ret->internal = (flags & FLAG_INTERNAL) != 0;
	ret->destination_is_exchange = (flags & FLAG_DESTINATION_IS_EXCHANGE) != 0;
	ret->is_doomed = (flags & FLAG_DOOMED) != 0;
}

static int64_t read_limit(struct fields_reader *reader)
{
	uint64_t number = fields_number(reader);

	return number > INT64_MAX ? INT64_MAX : (int64_t)number - 1;
}

static void read_field(struct definition *ret, struct fields_reader *reader)
{
	unsigned field = reader->field;
	struct slice bytes = reader->bytes;

	if (field == FIELD_VHOST)
		ret->vhost = bytes;
	else if (field == FIELD_NAME)
		ret->name = bytes;
	else if (field == FIELD_SOURCE)
		ret->source = bytes;
	else if (field == FIELD_ROUTING_KEY)
		ret->routing_key = bytes;
	else if (field == FIELD_TYPE)
		ret->type = bytes;
	else if (field == FIELD_ARGUMENTS)
		ret->arguments = bytes;
	else if (field == FIELD_ID)
		ret->id = fields_number(reader);
	else if (field == FIELD_FLAGS)
		read_flags(ret, fields_number(reader));
	else if (field == FIELD_DESCRIPTION)
		ret->settings.description = bytes;
	else if (field == FIELD_TAGS)
		ret->settings.tags = bytes;
	else if (field == FIELD_DEFAULT_QUEUE_TYPE)
		ret->settings.default_queue_type = bytes;
	else if (field == FIELD_MAX_CONNECTIONS)
		ret->settings.max_connections = read_limit(reader);
	else if (field == FIELD_MAX_QUEUES)
		ret->settings.max_queues = read_limit(reader);
}

static bool is_kind(unsigned kind)
{
	return kind == DEFINITION_VHOST || kind == DEFINITION_EXCHANGE ||
	       kind == DEFINITION_QUEUE || kind == DEFINITION_BINDING;
}

int definition_read(struct slice value, struct definition *ret)
{
	struct definition read = {.settings = VHOST_SETTINGS_NONE};
	struct fields_reader reader;

	if (fields_open(&reader, value) != 0 || !is_kind(reader.kind))
		return -EBADMSG;
	read.kind = (enum definition_kind)reader.kind;
	while (fields_next(&reader))
		read_field(&read, &reader);
	if (!fields_are_good(&reader) || read.name.size == 0)
		return -EBADMSG;
	*ret = read;
	return 0;
}

/* ---- From the topology ---- */

struct definition definition_of_vhost(struct slice name, const struct vhost_settings *settings)
{
	return (struct definition){.kind = DEFINITION_VHOST, .name = name, .settings = *settings};
}

struct definition definition_of_exchange(const struct exchange *exchange)
{
	return (struct definition){
		.kind = DEFINITION_EXCHANGE,
		.vhost = slice_cstr(exchange->vhost->name),
		.name = exchange->node.key,
		.type = slice_cstr(exchange->type_name),
		.arguments = exchange->arguments,
		.auto_delete = exchange->auto_delete,
		.internal = exchange->internal,
	};
}

struct definition definition_of_queue(const struct queue_entry *entry)
{
	return (struct definition){
		.kind = DEFINITION_QUEUE,
		.vhost = slice_cstr(entry->vhost->name),
		.name = entry->node.key,
		.arguments = entry->arguments,
		.id = entry->id,
		.auto_delete = entry->auto_delete,
	};
}

struct definition definition_of_binding(const struct binding *binding)
{
	const struct shunt_binding *view = &binding->view;

	return (struct definition){
		.kind = DEFINITION_BINDING,
		.vhost = slice_cstr(binding->source->vhost->name),
		.name = slice_make(view->destination.data, view->destination.size),
		.source = binding->source->node.key,
		.routing_key = slice_make(view->routing_key.data, view->routing_key.size),
		.arguments = slice_make(view->arguments.data, view->arguments.size),
		.id = binding->queue ? binding->queue->id : 0,
		.destination_is_exchange = view->destination_is_exchange,
	};
}
