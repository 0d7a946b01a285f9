/* SPDX-License-Identifier: MIT */
/* JSON objects as field tables, with RabbitMQ's types (rabbit_misc:to_amqp_table): whole numbers
 * are of 64 bits. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/plan_reader.h"
#include "amqp/table_writer.h"

/* Where we are in the arguments, from the inside out. */
struct place {
	const struct place *outer;
	const char *key; /* NULL: an element of an array */
	size_t index;
};

struct conversion {
	struct plan_reader *reader;
	struct amqp_table_writer writer;
};

static size_t print_place(char *text, size_t size, const struct place *place)
{
	size_t used = place->outer ? print_place(text, size, place->outer) : 0;
	int n;

	if (used >= size)
		return used;
	if (place->key)
		n = snprintf(text + used, size - used, "%s%.64s", place->outer ? "." : "",
			     place->key);
	else
		n = snprintf(text + used, size - used, "[%zu]", place->index);
	return used + (n > 0 ? (size_t)n : 0);
}

static int refuse(struct conversion *conversion, const struct place *place, const char *why)
{
	char path[256];

	(void)print_place(path, sizeof(path), place);
	return plan_fail(conversion->reader, path, "%s", why);
}

static int put(struct conversion *conversion, const struct place *place, const json_t *value);

static int put_object(struct conversion *conversion, const struct place *place,
		      const json_t *object)
{
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		const struct place inner = {.outer = place, .key = key};

		r = strlen(key) > 255 ? refuse(conversion, &inner, "a name above 255 bytes")
				      : put(conversion, &inner, value);
		if (r != 0)
			break;
	}
	return r;
}

static int put_array(struct conversion *conversion, const struct place *place, const json_t *array)
{
	const json_t *value;
	size_t i;
	int r = 0;

	json_array_foreach(array, i, value)
	{
		const struct place inner = {.outer = place, .index = i};

		r = put(conversion, &inner, value);
		if (r != 0)
			break;
	}
	return r;
}

static int put_nested(struct conversion *conversion, const struct place *place, const json_t *value)
{
	struct amqp_table_writer *writer = &conversion->writer;
	int r;

	/* One more than there may be is the writer's error. */
	if (writer->depth + 1 >= AMQP_TABLE_DEPTH_MAX)
		return refuse(conversion, place, "nested too deeply");
	if (json_is_object(value)) {
		amqp_table_begin_table(writer, place->key);
		r = put_object(conversion, place, value);
	} else {
		amqp_table_begin_array(writer, place->key);
		r = put_array(conversion, place, value);
	}
	amqp_table_end(writer);
	return r;
}

static int put(struct conversion *conversion, const struct place *place, const json_t *value)
{
	struct amqp_table_writer *writer = &conversion->writer;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		return put_nested(conversion, place, value);
	case JSON_STRING:
		amqp_table_put_string(
			writer, place->key,
			slice_make(json_string_value(value), json_string_length(value)));
		break;
	case JSON_INTEGER:
		amqp_table_put_int64(writer, place->key, json_integer_value(value));
		break;
	case JSON_REAL:
		amqp_table_put_double(writer, place->key, json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		amqp_table_put_bool(writer, place->key, json_is_true(value));
		break;
	case JSON_NULL:
		return refuse(conversion, place, "null is no value of an argument");
	}
	return 0;
}

/* The type may stand beside the arguments. */
static void put_queue_type(struct conversion *conversion, const json_t *arguments, const char *type)
{
	if (type && strcmp(type, "classic") != 0 && !json_object_get(arguments, "x-queue-type"))
		amqp_table_put_string(&conversion->writer, "x-queue-type", slice_cstr(type));
}

static int convert(struct conversion *conversion, const json_t *arguments, const char *type,
		   struct buffer *bytes)
{
	const struct place place = {.key = "arguments"};
	int r, finished;

	amqp_table_writer_init(&conversion->writer, bytes);
	r = put_object(conversion, &place, arguments);
	put_queue_type(conversion, arguments, type);
	finished = amqp_table_writer_finish(&conversion->writer);
	if (r == 0 && finished != 0)
		r = finished == -ENOMEM ? plan_fail_memory(conversion->reader)
					: refuse(conversion, &place, "too long");
	return r;
}

int plan_get_arguments(struct plan_reader *reader, const json_t *object, const char *queue_type,
		       struct slice *ret_table)
{
	const json_t *arguments = json_object_get(object, "arguments");
	struct conversion conversion = {.reader = reader};
	struct buffer bytes;
	int r;

	*ret_table = SLICE_EMPTY;
	/* [] is what some writers make of an empty object. */
	if (arguments && !json_is_object(arguments) && !json_is_null(arguments) &&
	    !(json_is_array(arguments) && json_array_size(arguments) == 0))
		return plan_fail(reader, "arguments", "expected an object");
	buffer_init(&bytes);
	r = convert(&conversion, arguments, queue_type, &bytes);
	if (r == 0 && bytes.size > 0) {
		*ret_table = plan_keep(reader->plan, buffer_slice(&bytes));
		r = ret_table->data ? 0 : plan_fail_memory(reader);
	}
	buffer_fini(&bytes);
	return r;
}
