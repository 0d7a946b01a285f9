/* SPDX-License-Identifier: MIT */
#include "describe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text that stops growing when it is full; what is written then is not even formatted. */
struct writer {
	const struct shunt_host *host;
	char *text;
	size_t size; /* room, the zero byte included */
	size_t used;
};

static bool is_full(const struct writer *writer)
{
	return writer->used + 1 >= writer->size;
}

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format,
						      ...)
{
	va_list arguments;
	int length;

	if (is_full(writer))
		return;
	va_start(arguments, format);
	length = vsnprintf(writer->text + writer->used, writer->size - writer->used, format,
			   arguments);
	va_end(arguments);
	if (length > 0)
		writer->used += (size_t)length;
	if (writer->used >= writer->size)
		writer->used = writer->size - 1;
}

static const char *type_name(char type)
{
	static const char *const names[][2] = {
		{"S", "longstr"},   {"I", "signedint"},	    {"D", "decimal"},
		{"T", "timestamp"}, {"F", "table"},	    {"A", "array"},
		{"b", "byte"},	    {"B", "unsignedbyte"},  {"d", "double"},
		{"f", "float"},	    {"l", "long"},	    {"L", "long"},
		{"s", "short"},	    {"u", "unsignedshort"}, {"i", "unsignedint"},
		{"t", "bool"},	    {"x", "binary"},	    {"V", "void"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i][0][0] == type)
			return names[i][1];
	return "unknown";
}

/* The letter behind the backslash, or 0. */
static char escape_of(uint8_t c)
{
	static const char escapes[][2] = {{'\n', 'n'}, {'\r', 'r'}, {'\t', 't'},
					  {'\v', 'v'}, {'\b', 'b'}, {'\f', 'f'},
					  {27, 'e'},   {'"', '"'},  {'\\', '\\'}};

	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++)
		if ((uint8_t)escapes[i][0] == c)
			return escapes[i][1];
	return 0;
}

static bool is_printable(struct shunt_bytes bytes)
{
	for (size_t i = 0; i < bytes.size; i++)
		if ((bytes.data[i] < 32 || bytes.data[i] > 126) && !escape_of(bytes.data[i]))
			return false;
	return bytes.size > 0;
}

static void put_bytes(struct writer *writer, struct shunt_bytes bytes)
{
	bool printable = is_printable(bytes);

	put(writer, printable ? "<<\"" : "<<");
	for (size_t i = 0; i < bytes.size && !is_full(writer); i++) {
		uint8_t c = bytes.data[i];

		if (!printable)
			put(writer, i == 0 ? "%u" : ",%u", c);
		else if (escape_of(c))
			put(writer, "\\%c", escape_of(c));
		else
			put(writer, "%c", c);
	}
	put(writer, printable ? "\">>" : ">>");
}

/* As few digits as tell the number from its neighbours, and always a point. */
static void put_real(struct writer *writer, double real)
{
	char text[40];
	char *exponent;

	for (int digits = 1; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, real);
		if (strtod(text, NULL) == real)
			break;
	}
	exponent = strchr(text, 'e');
	if (exponent)
		*exponent = '\0';
	put(writer, strpbrk(text, ".n") ? "%s" : "%s.0", text); /* n: inf, nan */
	if (exponent)
		put(writer, "e%d", atoi(exponent + 1));
}

static void put_value(struct writer *writer, const struct shunt_value *value);

static void put_array(struct writer *writer, struct shunt_bytes array)
{
	const struct shunt_host *host = writer->host;
	struct shunt_value value;
	size_t position = 0;
	bool first = true;

	put(writer, "[");
	while (!is_full(writer) && host->array_next(host, array, &position, &value)) {
		put(writer, "%s{%s,", first ? "" : ",", type_name(value.type));
		put_value(writer, &value);
		put(writer, "}");
		first = false;
	}
	put(writer, "]");
}

static void put_table(struct writer *writer, struct shunt_bytes table)
{
	const struct shunt_host *host = writer->host;
	struct shunt_bytes name;
	struct shunt_value value;
	size_t position = 0;
	bool first = true;

	put(writer, "[");
	while (!is_full(writer) && host->table_next(host, table, &position, &name, &value)) {
		put(writer, first ? "{" : ",{");
		put_bytes(writer, name);
		put(writer, ",%s,", type_name(value.type));
		put_value(writer, &value);
		put(writer, "}");
		first = false;
	}
	put(writer, "]");
}

static void put_value(struct writer *writer, const struct shunt_value *value)
{
	switch (value->type) {
	case 't':
		put(writer, value->boolean ? "true" : "false");
		break;
	case 'f':
	case 'd':
		put_real(writer, value->real);
		break;
	case 'D':
		put(writer, "{%u,%" PRId64 "}", value->scale, value->integer);
		break;
	case 'S':
	case 'x':
		put_bytes(writer, value->bytes);
		break;
	case 'F':
		put_table(writer, value->bytes);
		break;
	case 'A':
		put_array(writer, value->bytes);
		break;
	case 'V':
		put(writer, "undefined");
		break;
	case 'T':
		put(writer, "%" PRIu64, (uint64_t)value->integer);
		break;
	default:
		put(writer, "%" PRId64, value->integer);
		break;
	}
}

void describe_bad_match(const struct shunt_host *host, const struct shunt_value *value, char *text,
			size_t size)
{
	struct writer writer = {.host = host, .text = text, .size = size};

	if (value->type != 'S')
		put(&writer, "Invalid x-match field type %s (value ", type_name(value->type));
	else
		put(&writer, "Invalid x-match field value ");
	put_value(&writer, value);
	if (value->type != 'S')
		put(&writer, "); expected longstr");
	else
		put(&writer, "; expected all, any, all-with-x, or any-with-x");
}
