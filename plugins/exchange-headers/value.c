/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <string.h>

static void read_integer(const struct shunt_value *raw, struct value *value)
{
	value->kind = VALUE_INTEGER;
	value->number = (uint64_t)raw->integer;
	/* a timestamp has no sign */
	if (raw->type == 'T' && raw->integer < 0)
		value->kind = VALUE_LARGE;
}

static void read_real(double real, struct value *value)
{
	static const double two63 = 9223372036854775808.0;

	value->kind = VALUE_REAL;
	memcpy(&value->number, &real, sizeof(value->number));
	if (real != real) {
		value->kind = VALUE_NAN;
	} else if (real >= -two63 && real < two63 && (double)(int64_t)real == real) {
		value->kind = VALUE_INTEGER;
		value->number = (uint64_t)(int64_t)real;
	} else if (real >= two63 && real < 2 * two63) {
		value->kind = VALUE_LARGE;
		value->number = (uint64_t)real;
	}
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
	return x ^ x >> 32;
}

static uint64_t digest_of(const struct shunt_host *host, const struct value *value)
{
	uint64_t content = value->number + value->scale;

	if (value->kind == VALUE_BYTES)
		content = host->hash(host, value->bytes.data, value->bytes.size);
	return mix(content ^ (uint64_t)value->kind << 56);
}

void value_read(const struct shunt_host *host, const struct shunt_value *raw,
		struct value *ret_value)
{
	memset(ret_value, 0, sizeof(*ret_value));
	switch (raw->type) {
	case 't':
		ret_value->kind = VALUE_BOOLEAN;
		ret_value->number = raw->boolean;
		break;
	case 'f':
	case 'd':
		read_real(raw->real, ret_value);
		break;
	case 'D':
		ret_value->kind = VALUE_DECIMAL;
		ret_value->number = (uint64_t)raw->integer;
		ret_value->scale = raw->scale;
		break;
	case 'S':
	case 'x':
		ret_value->kind = VALUE_BYTES;
		ret_value->bytes = raw->bytes;
		break;
	case 'F':
	case 'A':
		ret_value->kind = raw->type == 'F' ? VALUE_TABLE : VALUE_ARRAY;
		if (raw->bytes.size == 0)
			ret_value->kind = VALUE_EMPTY;
		ret_value->bytes = raw->bytes;
		break;
	case 'V':
		ret_value->kind = VALUE_NOTHING;
		break;
	default:
		read_integer(raw, ret_value);
		break;
	}
	ret_value->digest = digest_of(host, ret_value);
}

static bool bytes_equal(struct shunt_bytes a, struct shunt_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Both are read as a signed integer of 64 bits. */
static char same_type(char type)
{
	return type == 'L' ? 'l' : type;
}

static bool element_equal(const struct shunt_host *host, const struct shunt_value *a,
			  const struct shunt_value *b)
{
	struct value value_a, value_b;

	if (same_type(a->type) != same_type(b->type))
		return false;
	value_read(host, a, &value_a);
	value_read(host, b, &value_b);
	return value_equal(host, &value_a, &value_b);
}

static bool array_equal(const struct shunt_host *host, struct shunt_bytes a, struct shunt_bytes b)
{
	size_t position_a = 0, position_b = 0;
	struct shunt_value value_a, value_b;

	for (;;) {
		bool more_a = host->array_next(host, a, &position_a, &value_a);
		bool more_b = host->array_next(host, b, &position_b, &value_b);

		if (!more_a || !more_b)
			return more_a == more_b;
		if (!element_equal(host, &value_a, &value_b))
			return false;
	}
}

static bool table_equal(const struct shunt_host *host, struct shunt_bytes a, struct shunt_bytes b)
{
	size_t position_a = 0, position_b = 0;
	struct shunt_value value_a, value_b;
	struct shunt_bytes name_a, name_b;

	for (;;) {
		bool more_a = host->table_next(host, a, &position_a, &name_a, &value_a);
		bool more_b = host->table_next(host, b, &position_b, &name_b, &value_b);

		if (!more_a || !more_b)
			return more_a == more_b;
		if (!bytes_equal(name_a, name_b) || !element_equal(host, &value_a, &value_b))
			return false;
	}
}

bool value_equal(const struct shunt_host *host, const struct value *a, const struct value *b)
{
	if (a->kind != b->kind || a->digest != b->digest)
		return false;
	switch (a->kind) {
	case VALUE_NAN:
		return false;
	case VALUE_BYTES:
		return bytes_equal(a->bytes, b->bytes);
	case VALUE_TABLE:
		return table_equal(host, a->bytes, b->bytes);
	case VALUE_ARRAY:
		return array_equal(host, a->bytes, b->bytes);
	case VALUE_NOTHING:
	case VALUE_BOOLEAN:
	case VALUE_INTEGER:
	case VALUE_LARGE:
	case VALUE_REAL:
	case VALUE_DECIMAL:
	case VALUE_EMPTY:
		break;
	}
	return a->number == b->number && a->scale == b->scale;
}
