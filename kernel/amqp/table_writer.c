/* SPDX-License-Identifier: MIT */
#include "amqp/table_writer.h"

#include <errno.h>
#include <string.h>

#include "base/bug.h"

#define LENGTH_SIZE 4

static void put_octet(struct amqp_table_writer *writer, uint8_t value)
{
	buffer_append_byte(writer->buffer, value);
}

static void put_short(struct amqp_table_writer *writer, uint16_t value)
{
	value = __builtin_bswap16(value);
	buffer_append(writer->buffer, &value, sizeof(value));
}

static void put_long(struct amqp_table_writer *writer, uint32_t value)
{
	value = __builtin_bswap32(value);
	buffer_append(writer->buffer, &value, sizeof(value));
}

static void put_longlong(struct amqp_table_writer *writer, uint64_t value)
{
	value = __builtin_bswap64(value);
	buffer_append(writer->buffer, &value, sizeof(value));
}

static void put_longstr(struct amqp_table_writer *writer, struct slice value)
{
	if (value.size > UINT32_MAX) {
		writer->error = -E2BIG;
		return;
	}
	put_long(writer, (uint32_t)value.size);
	buffer_append_slice(writer->buffer, value);
}

static bool is_in_array(const struct amqp_table_writer *writer)
{
	return writer->depth > 0 && writer->is_array[writer->depth - 1];
}

/* False: an error before, or now; nothing is to be written. */
static bool put_key(struct amqp_table_writer *writer, struct slice key)
{
	if (key.size > UINT8_MAX)
		writer->error = -E2BIG;
	if (writer->error != 0)
		return false;
	put_octet(writer, (uint8_t)key.size);
	buffer_append_slice(writer->buffer, key);
	return true;
}

static bool begin_value(struct amqp_table_writer *writer, const char *key, char type)
{
	if (writer->error != 0)
		return false;
	bug_on((key == NULL) != is_in_array(writer));
	if (key != NULL && !put_key(writer, slice_cstr(key)))
		return false;
	put_octet(writer, (uint8_t)type);
	return true;
}

void amqp_table_writer_init(struct amqp_table_writer *writer, struct buffer *buffer)
{
	writer->buffer = buffer;
	writer->start = buffer->size;
	writer->depth = 0;
	writer->error = 0;
}

int amqp_table_writer_finish(struct amqp_table_writer *writer)
{
	bug_on(writer->error == 0 && writer->depth != 0);
	if (writer->error == 0 && writer->buffer->failed)
		writer->error = -ENOMEM;
	if (writer->error == 0 && writer->buffer->size - writer->start > UINT32_MAX)
		writer->error = -E2BIG;
	if (writer->error != 0)
		writer->buffer->size = writer->start;
	return writer->error;
}

static void begin_nested(struct amqp_table_writer *writer, const char *key, char type)
{
	/* the outermost table is a level too */
	if (writer->depth + 1 >= AMQP_TABLE_DEPTH_MAX) {
		writer->error = -E2BIG;
		return;
	}
	if (!begin_value(writer, key, type))
		return;
	writer->is_array[writer->depth] = type == AMQP_VALUE_ARRAY;
	writer->open[writer->depth++] = writer->buffer->size;
	put_long(writer, 0);
}

void amqp_table_begin_table(struct amqp_table_writer *writer, const char *key)
{
	begin_nested(writer, key, AMQP_VALUE_TABLE);
}

void amqp_table_begin_array(struct amqp_table_writer *writer, const char *key)
{
	begin_nested(writer, key, AMQP_VALUE_ARRAY);
}

void amqp_table_end(struct amqp_table_writer *writer)
{
	size_t at;
	size_t size;
	uint32_t length;

	if (writer->buffer->failed && writer->error == 0)
		writer->error = -ENOMEM;
	if (writer->error != 0)
		return;
	bug_on(writer->depth == 0);
	at = writer->open[--writer->depth];
	size = writer->buffer->size - at - LENGTH_SIZE;
	if (size > UINT32_MAX) {
		writer->error = -E2BIG;
		return;
	}
	length = __builtin_bswap32((uint32_t)size);
	memcpy(writer->buffer->data + at, &length, LENGTH_SIZE);
}

void amqp_table_put_bool(struct amqp_table_writer *writer, const char *key, bool value)
{
	if (begin_value(writer, key, AMQP_VALUE_BOOL))
		put_octet(writer, value);
}

void amqp_table_put_int32(struct amqp_table_writer *writer, const char *key, int32_t value)
{
	if (begin_value(writer, key, AMQP_VALUE_INT))
		put_long(writer, (uint32_t)value);
}

void amqp_table_put_int64(struct amqp_table_writer *writer, const char *key, int64_t value)
{
	if (begin_value(writer, key, AMQP_VALUE_LONG))
		put_longlong(writer, (uint64_t)value);
}

static void put_double(struct amqp_table_writer *writer, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	put_longlong(writer, bits);
}

static void put_float(struct amqp_table_writer *writer, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	put_long(writer, bits);
}

void amqp_table_put_double(struct amqp_table_writer *writer, const char *key, double value)
{
	if (begin_value(writer, key, AMQP_VALUE_DOUBLE))
		put_double(writer, value);
}

void amqp_table_put_timestamp(struct amqp_table_writer *writer, const char *key, uint64_t seconds)
{
	if (begin_value(writer, key, AMQP_VALUE_TIMESTAMP))
		put_longlong(writer, seconds);
}

void amqp_table_put_string(struct amqp_table_writer *writer, const char *key, struct slice value)
{
	if (begin_value(writer, key, AMQP_VALUE_STRING))
		put_longstr(writer, value);
}

void amqp_table_put_void(struct amqp_table_writer *writer, const char *key)
{
	(void)begin_value(writer, key, AMQP_VALUE_VOID);
}

static void put_any(struct amqp_table_writer *writer, const struct amqp_value *value)
{
	put_octet(writer, (uint8_t)value->type);
	switch (value->type) {
	case AMQP_VALUE_BOOL:
		put_octet(writer, value->boolean);
		return;
	case AMQP_VALUE_BYTE:
	case AMQP_VALUE_UNSIGNED_BYTE:
		put_octet(writer, (uint8_t)value->integer);
		return;
	case AMQP_VALUE_SHORT:
	case AMQP_VALUE_UNSIGNED_SHORT:
		put_short(writer, (uint16_t)value->integer);
		return;
	case AMQP_VALUE_INT:
	case AMQP_VALUE_UNSIGNED_INT:
		put_long(writer, (uint32_t)value->integer);
		return;
	case AMQP_VALUE_LONG:
	case AMQP_VALUE_LONG_ALSO:
		put_longlong(writer, (uint64_t)value->integer);
		return;
	case AMQP_VALUE_FLOAT:
		put_float(writer, (float)value->real);
		return;
	case AMQP_VALUE_DOUBLE:
		put_double(writer, value->real);
		return;
	case AMQP_VALUE_DECIMAL:
		put_octet(writer, value->decimal.scale);
		put_long(writer, value->decimal.value);
		return;
	case AMQP_VALUE_STRING:
	case AMQP_VALUE_BINARY:
	case AMQP_VALUE_ARRAY:
	case AMQP_VALUE_TABLE:
		put_longstr(writer, value->bytes);
		return;
	case AMQP_VALUE_TIMESTAMP:
		put_longlong(writer, value->timestamp);
		return;
	case AMQP_VALUE_VOID:
		return;
	default:
		bug_on(true); /* the type is no type */
	}
}

void amqp_table_put_value(struct amqp_table_writer *writer, struct slice key,
			  const struct amqp_value *value)
{
	bug_on(writer->error == 0 && is_in_array(writer));
	if (put_key(writer, key))
		put_any(writer, value);
}

void amqp_array_put_value(struct amqp_table_writer *writer, const struct amqp_value *value)
{
	bug_on(writer->error == 0 && !is_in_array(writer));
	if (writer->error == 0)
		put_any(writer, value);
}

void amqp_table_put_raw(struct amqp_table_writer *writer, struct slice entries)
{
	if (writer->error == 0)
		buffer_append_slice(writer->buffer, entries);
}
