/* SPDX-License-Identifier: MIT */
#include "amqp/table.h"

#include <errno.h>

static double get_float(struct amqp_reader *reader)
{
	uint32_t bits = amqp_get_long(reader);
	float value;

	memcpy(&value, &bits, sizeof(value));
	return (double)value;
}

static double get_double(struct amqp_reader *reader)
{
	uint64_t bits = amqp_get_longlong(reader);
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static inline void get_value(struct amqp_reader *reader, struct amqp_value *ret)
{
	ret->type = (char)amqp_get_octet(reader);
	switch (ret->type) {
	case AMQP_VALUE_BOOL:
		ret->boolean = amqp_get_octet(reader) != 0;
		return;
	case AMQP_VALUE_BYTE:
		ret->integer = (int8_t)amqp_get_octet(reader);
		return;
	case AMQP_VALUE_UNSIGNED_BYTE:
		ret->integer = amqp_get_octet(reader);
		return;
	case AMQP_VALUE_SHORT:
		ret->integer = (int16_t)amqp_get_short(reader);
		return;
	case AMQP_VALUE_UNSIGNED_SHORT:
		ret->integer = amqp_get_short(reader);
		return;
	case AMQP_VALUE_INT:
		ret->integer = (int32_t)amqp_get_long(reader);
		return;
	case AMQP_VALUE_UNSIGNED_INT:
		ret->integer = amqp_get_long(reader);
		return;
	case AMQP_VALUE_LONG:
	case AMQP_VALUE_LONG_ALSO:
		ret->integer = (int64_t)amqp_get_longlong(reader);
		return;
	case AMQP_VALUE_FLOAT:
		ret->real = get_float(reader);
		return;
	case AMQP_VALUE_DOUBLE:
		ret->real = get_double(reader);
		return;
	case AMQP_VALUE_DECIMAL:
		ret->decimal.scale = amqp_get_octet(reader);
		ret->decimal.value = amqp_get_long(reader);
		return;
	case AMQP_VALUE_STRING:
	case AMQP_VALUE_BINARY:
	case AMQP_VALUE_ARRAY:
	case AMQP_VALUE_TABLE:
		ret->bytes = amqp_get_longstr(reader);
		return;
	case AMQP_VALUE_TIMESTAMP:
		ret->timestamp = amqp_get_longlong(reader);
		return;
	case AMQP_VALUE_VOID:
		return;
	default:
		amqp_reader_fail(reader);
	}
}

static inline int array_next(struct amqp_reader *reader, struct amqp_value *ret_value)
{
	if (reader->p == reader->end)
		return reader->failed ? -EPROTO : 0;
	get_value(reader, ret_value);
	return reader->failed ? -EPROTO : 1;
}

static inline int table_next(struct amqp_reader *reader, struct slice *ret_key,
			     struct amqp_value *ret_value)
{
	if (reader->p == reader->end)
		return reader->failed ? -EPROTO : 0;
	*ret_key = amqp_get_shortstr(reader);
	get_value(reader, ret_value);
	return reader->failed ? -EPROTO : 1;
}

void amqp_table_iter_init(struct amqp_table_iter *iter, struct slice table)
{
	amqp_reader_init(&iter->reader, table);
}

int amqp_table_iter_next(struct amqp_table_iter *iter, struct slice *ret_key,
			 struct amqp_value *ret_value)
{
	return table_next(&iter->reader, ret_key, ret_value);
}

void amqp_array_iter_init(struct amqp_array_iter *iter, struct slice array)
{
	amqp_reader_init(&iter->reader, array);
}

int amqp_array_iter_next(struct amqp_array_iter *iter, struct amqp_value *ret_value)
{
	return array_next(&iter->reader, ret_value);
}

bool amqp_table_find_slice(struct slice table, struct slice key, struct amqp_value *ret)
{
	struct amqp_reader reader;
	struct amqp_value value;
	struct slice name;

	amqp_reader_init(&reader, table);
	while (table_next(&reader, &name, &value) > 0) {
		if (slice_equal(name, key)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

bool amqp_table_find(struct slice table, const char *key, struct amqp_value *ret)
{
	return amqp_table_find_slice(table, slice_cstr(key), ret);
}

size_t amqp_table_count(struct slice table)
{
	struct amqp_reader reader;
	struct amqp_value value;
	struct slice key;
	size_t count = 0;

	amqp_reader_init(&reader, table);
	while (table_next(&reader, &key, &value) > 0)
		count++;
	return count;
}

/* A nested length is checked against what is around it before the inside is read, so each byte is
 * read once, and the recursion is as deep as `depth` at most. */
static int validate(struct slice bytes, bool is_array, unsigned depth)
{
	struct amqp_reader reader;
	struct amqp_value value;
	struct slice key;
	int result;

	if (depth == 0)
		return -EPROTO;
	amqp_reader_init(&reader, bytes);
	for (;;) {
		result = is_array ? array_next(&reader, &value) : table_next(&reader, &key, &value);
		if (result <= 0)
			return result;
		if (value.type != AMQP_VALUE_TABLE && value.type != AMQP_VALUE_ARRAY)
			continue;
		result = validate(value.bytes, value.type == AMQP_VALUE_ARRAY, depth - 1);
		if (result != 0)
			return result;
	}
}

static unsigned depth_within_limit(unsigned depth)
{
	return depth < AMQP_TABLE_DEPTH_MAX ? depth : AMQP_TABLE_DEPTH_MAX;
}

int amqp_table_validate(struct slice table, unsigned depth)
{
	return validate(table, false, depth_within_limit(depth));
}

int amqp_array_validate(struct slice array, unsigned depth)
{
	return validate(array, true, depth_within_limit(depth));
}

void amqp_table_print(struct slice table, struct buffer *out)
{
	struct amqp_value value = {.type = AMQP_VALUE_TABLE, .bytes = table};

	amqp_value_print(&value, out);
}
