/* SPDX-License-Identifier: MIT */
#include "broker/definition.h"

#include <errno.h>

#include "amqp/cursor.h"
#include "broker/topology.h"

#define VERSION 1

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
};

enum {
	FLAG_AUTO_DELETE = 1,
	FLAG_INTERNAL = 2,
	FLAG_DESTINATION_IS_EXCHANGE = 4,
};

/* ---- Keys ---- */

static void put_escaped(struct buffer *buffer, struct slice part)
{
	size_t begin = 0;

	for (size_t i = 0; i < part.size; i++) {
		if (part.data[i] != '%' && part.data[i] != '/')
			continue;
		buffer_append_slice(buffer, slice_make(part.data + begin, i - begin));
		buffer_append_cstr(buffer, part.data[i] == '%' ? "%25" : "%2F");
		begin = i + 1;
	}
	if (begin < part.size)
		buffer_append_slice(buffer, slice_make(part.data + begin, part.size - begin));
	buffer_append_byte(buffer, '/');
}

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
		put_escaped(buffer, definition->vhost);
		buffer_append_slice(buffer, definition->name);
		break;
	case DEFINITION_BINDING:
		buffer_append_cstr(buffer, "binding/");
		put_escaped(buffer, definition->vhost);
		put_escaped(buffer, definition->source);
		buffer_append_cstr(buffer, definition->destination_is_exchange ? "e/" : "q/");
		put_escaped(buffer, definition->name);
		put_escaped(buffer, definition->routing_key);
		buffer_append_slice(buffer, definition->arguments);
		break;
	}
}

/* ---- Values ---- */

static void put_field(struct buffer *buffer, enum field field, struct slice bytes)
{
	uint8_t head[5];
	struct amqp_writer writer;

	if (bytes.size == 0)
		return;
	amqp_writer_init(&writer, head, sizeof(head));
	amqp_put_octet(&writer, (uint8_t)field);
	amqp_put_long(&writer, (uint32_t)bytes.size);
	buffer_append(buffer, head, sizeof(head));
	buffer_append_slice(buffer, bytes);
}

static void put_number(struct buffer *buffer, enum field field, uint64_t number)
{
	uint8_t bytes[8];
	struct amqp_writer writer;

	if (number == 0)
		return;
	amqp_writer_init(&writer, bytes, sizeof(bytes));
	amqp_put_longlong(&writer, number);
	put_field(buffer, field, slice_make(bytes, sizeof(bytes)));
}

void definition_put_value(struct buffer *buffer, const struct definition *definition)
{
	unsigned flags = (definition->auto_delete ? FLAG_AUTO_DELETE : 0) |
			 (definition->internal ? FLAG_INTERNAL : 0) |
			 (definition->destination_is_exchange ? FLAG_DESTINATION_IS_EXCHANGE : 0);

	buffer_append_byte(buffer, VERSION);
	buffer_append_byte(buffer, (uint8_t)definition->kind);
	put_field(buffer, FIELD_VHOST, definition->vhost);
	put_field(buffer, FIELD_NAME, definition->name);
	put_field(buffer, FIELD_SOURCE, definition->source);
	put_field(buffer, FIELD_ROUTING_KEY, definition->routing_key);
	put_field(buffer, FIELD_TYPE, definition->type);
	put_field(buffer, FIELD_ARGUMENTS, definition->arguments);
	put_number(buffer, FIELD_ID, definition->id);
	put_number(buffer, FIELD_FLAGS, flags);
}

/* A number that is not eight octets long makes the reader fail. */
static uint64_t read_number(struct amqp_reader *reader, struct slice bytes)
{
	struct amqp_reader number;

	amqp_reader_init(&number, bytes);
	uint64_t value = amqp_get_longlong(&number);

	if (!amqp_reader_is_done(&number))
		amqp_reader_fail(reader);
	return value;
}

static void read_flags(struct definition *ret, uint64_t flags)
{
	ret->auto_delete = (flags & FLAG_AUTO_DELETE) != 0;
	ret->internal = (flags & FLAG_INTERNAL) != 0;
	ret->destination_is_exchange = (flags & FLAG_DESTINATION_IS_EXCHANGE) != 0;
}

static void read_field(struct definition *ret, struct amqp_reader *reader)
{
	unsigned field = amqp_get_octet(reader);
	struct slice bytes = amqp_get_longstr(reader);

	if (reader->failed)
		return;
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
		ret->id = read_number(reader, bytes);
	else if (field == FIELD_FLAGS)
		read_flags(ret, read_number(reader, bytes));
}

static bool is_kind(unsigned kind)
{
	return kind == DEFINITION_VHOST || kind == DEFINITION_EXCHANGE ||
	       kind == DEFINITION_QUEUE || kind == DEFINITION_BINDING;
}

int definition_read(struct slice value, struct definition *ret)
{
	struct definition read = {0};
	struct amqp_reader reader;

	amqp_reader_init(&reader, value);
	uint8_t version = amqp_get_octet(&reader), kind = amqp_get_octet(&reader);

	if (version != VERSION || !is_kind(kind))
		return -EBADMSG;
	read.kind = (enum definition_kind)kind;
	while (!reader.failed && amqp_reader_left(&reader) > 0)
		read_field(&read, &reader);
	if (reader.failed || read.name.size == 0)
		return -EBADMSG;
	*ret = read;
	return 0;
}

/* ---- From the topology ---- */

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
