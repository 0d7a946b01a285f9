/* SPDX-License-Identifier: MIT */
#include "control/arguments.h"

#include <errno.h>

#include "amqp/table_writer.h"

static void put(struct amqp_table_writer *writer, const char *key, const json_t *value);

static void put_object(struct amqp_table_writer *writer, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value) put(writer, key, value);
}

static void put_array(struct amqp_table_writer *writer, const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		put(writer, NULL, json_array_get(array, i));
}

/* How deep it may be is the writer's business: after an error it does nothing any more, and jansson
 * has read the text with a limit of its own. */
static void put(struct amqp_table_writer *writer, const char *key, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		amqp_table_begin_table(writer, key);
		put_object(writer, value);
		amqp_table_end(writer);
		break;
	case JSON_ARRAY:
		amqp_table_begin_array(writer, key);
		put_array(writer, value);
		amqp_table_end(writer);
		break;
	case JSON_STRING:
		amqp_table_put_string(
			writer, key,
			slice_make(json_string_value(value), json_string_length(value)));
		break;
	case JSON_INTEGER:
		amqp_table_put_int64(writer, key, json_integer_value(value));
		break;
	case JSON_REAL:
		amqp_table_put_double(writer, key, json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		amqp_table_put_bool(writer, key, json_is_true(value));
		break;
	case JSON_NULL:
		amqp_table_put_void(writer, key);
		break;
	}
}

int control_arguments(const json_t *object, struct buffer *ret_table)
{
	struct amqp_table_writer writer;

	if (object != NULL && !json_is_object(object))
		return -EINVAL;
	amqp_table_writer_init(&writer, ret_table);
	if (object != NULL)
		put_object(&writer, object);
	return amqp_table_writer_finish(&writer);
}
