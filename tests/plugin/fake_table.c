/* SPDX-License-Identifier: MIT */
#include "fake_table.h"

#include <stdlib.h>
#include <string.h>

void fake_table_fini(struct fake_table *table)
{
	free(table->data);
	memset(table, 0, sizeof(*table));
}

struct shunt_bytes fake_table_bytes(const struct fake_table *table)
{
	return (struct shunt_bytes){.data = table->data, .size = table->size};
}

/* ---- Writing ---- */

static void append(struct fake_table *table, const void *data, size_t size)
{
	table->data = realloc(table->data, table->size + size + 1);
	if (!table->data)
		abort();
	if (size > 0)
		memcpy(table->data + table->size, data, size);
	table->size += size;
}

static void append_number(struct fake_table *table, uint64_t value, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> 8 * (size - 1 - i));
	append(table, bytes, size);
}

static void append_name(struct fake_table *table, const char *name)
{
	if (!name)
		return;
	append_number(table, strlen(name), 1);
	append(table, name, strlen(name));
}

static void append_head(struct fake_table *table, const char *name, char type)
{
	append_name(table, name);
	append(table, &type, 1);
}

/* The width of a number on the wire, 0 for other types. */
static size_t width_of(char type)
{
	switch (type) {
	case 't':
	case 'b':
	case 'B':
		return 1;
	case 's':
	case 'u':
		return 2;
	case 'I':
	case 'i':
	case 'f':
		return 4;
	case 'l':
	case 'L':
	case 'T':
	case 'd':
		return 8;
	default:
		return 0;
	}
}

void fake_table_put(struct fake_table *table, const char *name, char type, int64_t value)
{
	append_head(table, name, type);
	append_number(table, (uint64_t)value, width_of(type));
}

void fake_table_put_real(struct fake_table *table, const char *name, char type, double value)
{
	uint64_t bits = 0;

	if (type == 'f') {
		float narrow = (float)value;
		uint32_t narrow_bits;

		memcpy(&narrow_bits, &narrow, sizeof(narrow_bits));
		bits = narrow_bits;
	} else {
		memcpy(&bits, &value, sizeof(bits));
	}
	append_head(table, name, type);
	append_number(table, bits, width_of(type));
}

void fake_table_put_decimal(struct fake_table *table, const char *name, uint8_t scale,
			    uint32_t value)
{
	append_head(table, name, 'D');
	append_number(table, scale, 1);
	append_number(table, value, 4);
}

void fake_table_put_bytes(struct fake_table *table, const char *name, char type, const void *data,
			  size_t size)
{
	append_head(table, name, type);
	append_number(table, size, 4);
	append(table, data, size);
}

void fake_table_put_raw(struct fake_table *table, const char *name, const void *data, size_t size)
{
	append_name(table, name);
	append(table, data, size);
}

void fake_table_put_text(struct fake_table *table, const char *name, const char *text)
{
	fake_table_put_bytes(table, name, 'S', text, strlen(text));
}

/* ---- Reading ---- */

static struct shunt_bytes take(struct shunt_bytes from, size_t *position, size_t size)
{
	struct shunt_bytes taken = {.size = size};

	if (size > from.size - *position)
		abort();
	taken.data = from.data + *position;
	*position += size;
	return taken;
}

static uint64_t take_number(struct shunt_bytes from, size_t *position, size_t size)
{
	struct shunt_bytes bytes = take(from, position, size);
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | bytes.data[i];
	return value;
}

static double real_of(char type, uint64_t bits)
{
	uint32_t narrow_bits = (uint32_t)bits;
	float narrow;
	double wide;

	memcpy(&narrow, &narrow_bits, sizeof(narrow));
	memcpy(&wide, &bits, sizeof(wide));
	return type == 'f' ? (double)narrow : wide;
}

static int64_t integer_of(char type, uint64_t bits)
{
	switch (type) {
	case 'b':
		return (int8_t)bits;
	case 's':
		return (int16_t)bits;
	case 'I':
		return (int32_t)bits;
	default:
		return (int64_t)bits;
	}
}

static void read_value(struct shunt_bytes from, size_t *position, struct shunt_value *ret_value)
{
	uint64_t bits;

	memset(ret_value, 0, sizeof(*ret_value));
	ret_value->type = (char)take_number(from, position, 1);
	switch (ret_value->type) {
	case 'S':
	case 'x':
	case 'F':
	case 'A':
		ret_value->bytes = take(from, position, take_number(from, position, 4));
		break;
	case 'D':
		ret_value->scale = (uint8_t)take_number(from, position, 1);
		ret_value->integer = (int64_t)take_number(from, position, 4);
		break;
	default:
		bits = take_number(from, position, width_of(ret_value->type));
		ret_value->boolean = bits != 0;
		ret_value->integer = integer_of(ret_value->type, bits);
		ret_value->real = real_of(ret_value->type, bits);
		break;
	}
}

bool fake_table_next(struct shunt_bytes table, size_t *position, struct shunt_bytes *ret_name,
		     struct shunt_value *ret_value)
{
	if (*position >= table.size)
		return false;
	*ret_name = take(table, position, take_number(table, position, 1));
	read_value(table, position, ret_value);
	return true;
}

bool fake_array_next(struct shunt_bytes array, size_t *position, struct shunt_value *ret_value)
{
	if (*position >= array.size)
		return false;
	read_value(array, position, ret_value);
	return true;
}
