/* SPDX-License-Identifier: MIT */
#include "amqp/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/table.h"

bool amqp_value_is_integer(const struct amqp_value *value)
{
	switch (value->type) {
	case AMQP_VALUE_BYTE:
	case AMQP_VALUE_UNSIGNED_BYTE:
	case AMQP_VALUE_SHORT:
	case AMQP_VALUE_UNSIGNED_SHORT:
	case AMQP_VALUE_INT:
	case AMQP_VALUE_UNSIGNED_INT:
	case AMQP_VALUE_LONG:
	case AMQP_VALUE_LONG_ALSO:
		return true;
	default:
		return false;
	}
}

bool amqp_value_get_integer(const struct amqp_value *value, int64_t *ret_integer)
{
	if (!amqp_value_is_integer(value))
		return false;
	*ret_integer = value->integer;
	return true;
}

const char *amqp_value_type_name(char type)
{
	switch (type) {
	case AMQP_VALUE_BOOL:
		return "bool";
	case AMQP_VALUE_BYTE:
		return "byte";
	case AMQP_VALUE_UNSIGNED_BYTE:
		return "unsignedbyte";
	case AMQP_VALUE_SHORT:
		return "short";
	case AMQP_VALUE_UNSIGNED_SHORT:
		return "unsignedshort";
	case AMQP_VALUE_INT:
		return "signedint";
	case AMQP_VALUE_UNSIGNED_INT:
		return "unsignedint";
	case AMQP_VALUE_LONG:
	case AMQP_VALUE_LONG_ALSO:
		return "long";
	case AMQP_VALUE_FLOAT:
		return "float";
	case AMQP_VALUE_DOUBLE:
		return "double";
	case AMQP_VALUE_DECIMAL:
		return "decimal";
	case AMQP_VALUE_STRING:
		return "longstr";
	case AMQP_VALUE_BINARY:
		return "binary";
	case AMQP_VALUE_ARRAY:
		return "array";
	case AMQP_VALUE_TABLE:
		return "table";
	case AMQP_VALUE_TIMESTAMP:
		return "timestamp";
	case AMQP_VALUE_VOID:
		return "void";
	default:
		return "unknown";
	}
}

static bool is_real(const struct amqp_value *value)
{
	return value->type == AMQP_VALUE_FLOAT || value->type == AMQP_VALUE_DOUBLE;
}

/* Bit patterns too, so that a NaN equals itself: a redeclared argument is the same argument. */
static bool real_equal(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0 || !(a < b || a > b || isnan(a) || isnan(b));
}

static bool equal(const struct amqp_value *a, const struct amqp_value *b, unsigned depth);

static bool array_equal(struct slice a, struct slice b, unsigned depth)
{
	struct amqp_array_iter iter_a;
	struct amqp_array_iter iter_b;
	struct amqp_value value_a;
	struct amqp_value value_b;
	int more;

	amqp_array_iter_init(&iter_a, a);
	amqp_array_iter_init(&iter_b, b);
	for (;;) {
		more = amqp_array_iter_next(&iter_a, &value_a);
		if (more != amqp_array_iter_next(&iter_b, &value_b))
			return false;
		if (more == 0)
			return true;
		if (more < 0 || !equal(&value_a, &value_b, depth))
			return false;
	}
}

static bool table_equal(struct slice a, struct slice b, unsigned depth)
{
	struct amqp_table_iter iter_a;
	struct amqp_table_iter iter_b;
	struct amqp_value value_a;
	struct amqp_value value_b;
	struct slice key_a;
	struct slice key_b;
	int more;

	amqp_table_iter_init(&iter_a, a);
	amqp_table_iter_init(&iter_b, b);
	for (;;) {
		more = amqp_table_iter_next(&iter_a, &key_a, &value_a);
		if (more != amqp_table_iter_next(&iter_b, &key_b, &value_b))
			return false;
		if (more == 0)
			return true;
		if (more < 0 || !slice_equal(key_a, key_b) || !equal(&value_a, &value_b, depth))
			return false;
	}
}

/* The same bytes are equal whatever they hold; only what differs needs a look inside. */
static bool nested_equal(const struct amqp_value *a, const struct amqp_value *b, unsigned depth)
{
	if (slice_equal(a->bytes, b->bytes))
		return true;
	if (depth == 0)
		return false;
	if (a->type == AMQP_VALUE_ARRAY)
		return array_equal(a->bytes, b->bytes, depth - 1);
	return table_equal(a->bytes, b->bytes, depth - 1);
}

static bool equal(const struct amqp_value *a, const struct amqp_value *b, unsigned depth)
{
	if (amqp_value_is_integer(a))
		return amqp_value_is_integer(b) && a->integer == b->integer;
	if (is_real(a))
		return is_real(b) && real_equal(a->real, b->real);
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case AMQP_VALUE_BOOL:
		return a->boolean == b->boolean;
	case AMQP_VALUE_DECIMAL:
		return a->decimal.scale == b->decimal.scale && a->decimal.value == b->decimal.value;
	case AMQP_VALUE_TIMESTAMP:
		return a->timestamp == b->timestamp;
	case AMQP_VALUE_ARRAY:
	case AMQP_VALUE_TABLE:
		return nested_equal(a, b, depth);
	case AMQP_VALUE_STRING:
	case AMQP_VALUE_BINARY:
		return slice_equal(a->bytes, b->bytes);
	default:
		return true;
	}
}

bool amqp_value_equal(const struct amqp_value *a, const struct amqp_value *b)
{
	return equal(a, b, AMQP_TABLE_DEPTH_MAX);
}

static void print_quoted(struct slice bytes, struct buffer *out)
{
	size_t i;

	buffer_append_byte(out, '"');
	for (i = 0; i < bytes.size; i++) {
		uint8_t byte = bytes.data[i];

		if (byte == '"' || byte == '\\')
			buffer_append_byte(out, '\\');
		if (byte < 0x20 || byte == 0x7f)
			buffer_printf(out, "\\x%02x", (unsigned)byte);
		else
			buffer_append_byte(out, byte);
	}
	buffer_append_byte(out, '"');
}

/* The shortest form that reads back as the same number, and a sign that it is a real. A float has
 * been widened, and prints as short as a float does. */
static void print_real(const struct amqp_value *value, struct buffer *out)
{
	int precision = value->type == AMQP_VALUE_FLOAT ? 6 : 15;
	int most = value->type == AMQP_VALUE_FLOAT ? 9 : 17;
	char text[40];
	double back;

	do {
		(void)snprintf(text, sizeof(text), "%.*g", precision, value->real);
		back = value->type == AMQP_VALUE_FLOAT ? (double)strtof(text, NULL)
						       : strtod(text, NULL);
	} while (++precision <= most && !real_equal(back, value->real));
	buffer_append_cstr(out, text);
	if (isfinite(value->real) && strpbrk(text, ".e") == NULL)
		buffer_append_cstr(out, ".0");
}

static void print(const struct amqp_value *value, struct buffer *out, unsigned depth);

static void print_array(struct slice array, struct buffer *out, unsigned depth)
{
	struct amqp_array_iter iter;
	struct amqp_value value;
	const char *comma = "";

	amqp_array_iter_init(&iter, array);
	while (amqp_array_iter_next(&iter, &value) > 0) {
		buffer_append_cstr(out, comma);
		print(&value, out, depth);
		comma = ",";
	}
}

static void print_table(struct slice table, struct buffer *out, unsigned depth)
{
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;
	const char *comma = "";

	amqp_table_iter_init(&iter, table);
	while (amqp_table_iter_next(&iter, &key, &value) > 0) {
		buffer_append_cstr(out, comma);
		buffer_append_byte(out, '{');
		print_quoted(key, out);
		buffer_append_byte(out, ',');
		print(&value, out, depth);
		buffer_append_byte(out, '}');
		comma = ",";
	}
}

static void print_nested(const struct amqp_value *value, struct buffer *out, unsigned depth)
{
	buffer_append_byte(out, '[');
	if (depth == 0)
		buffer_append_cstr(out, "...");
	else if (value->type == AMQP_VALUE_ARRAY)
		print_array(value->bytes, out, depth - 1);
	else
		print_table(value->bytes, out, depth - 1);
	buffer_append_byte(out, ']');
}

static void print(const struct amqp_value *value, struct buffer *out, unsigned depth)
{
	switch (value->type) {
	case AMQP_VALUE_BOOL:
		buffer_append_cstr(out, value->boolean ? "true" : "false");
		return;
	case AMQP_VALUE_FLOAT:
	case AMQP_VALUE_DOUBLE:
		print_real(value, out);
		return;
	case AMQP_VALUE_DECIMAL:
		buffer_printf(out, "%ue-%u", (unsigned)value->decimal.value,
			      (unsigned)value->decimal.scale);
		return;
	case AMQP_VALUE_TIMESTAMP:
		buffer_printf(out, "%llu", (unsigned long long)value->timestamp);
		return;
	case AMQP_VALUE_STRING:
	case AMQP_VALUE_BINARY:
		print_quoted(value->bytes, out);
		return;
	case AMQP_VALUE_ARRAY:
	case AMQP_VALUE_TABLE:
		print_nested(value, out, depth);
		return;
	case AMQP_VALUE_VOID:
		buffer_append_cstr(out, "undefined");
		return;
	default:
		buffer_printf(out, "%lld", (long long)value->integer);
	}
}

void amqp_value_print(const struct amqp_value *value, struct buffer *out)
{
	if (value->type == AMQP_VALUE_STRING || value->type == AMQP_VALUE_BINARY)
		buffer_append_slice(out, value->bytes);
	else
		print(value, out, AMQP_TABLE_DEPTH_MAX);
}
