/* SPDX-License-Identifier: MIT */
#include "cell.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Numbers ---- */

/* The shortest that reads back the same, with a point and without padding: 1.5, 2.0, 1.0e30, 1.0e-7. */
static void print_real(double real, struct buffer *out)
{
	char text[40], *exponent;
	int precision = 1;

	do {
		snprintf(text, sizeof(text), "%.*g", precision, real);
	} while (precision++ < 17 && strtod(text, NULL) != real);
	exponent = strchr(text, 'e');
	if (exponent != NULL)
		*exponent++ = '\0';
	buffer_append_cstr(out, text);
	if (strpbrk(text, ".in") == NULL)
		buffer_append_cstr(out, ".0");
	if (exponent != NULL)
		buffer_printf(out, "e%d", atoi(exponent));
}

/* ---- JSON ---- */

static void print_json_text(const json_t *value, struct buffer *out)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	buffer_append_cstr(out, text != NULL ? text : "null");
	free(text);
}

static void print_json_object(const json_t *value, struct buffer *out)
{
	json_t *object = json_copy((json_t *)(uintptr_t)value), *member;
	const char *key, *separator = "";

	buffer_append_byte(out, '{');
	json_object_foreach(object, key, member) {
		json_t *name = json_string(key);

		buffer_append_cstr(out, separator);
		separator = ",";
		print_json_text(name, out);
		json_decref(name);
		buffer_append_byte(out, ':');
		cell_print_json(member, out);
	}
	buffer_append_byte(out, '}');
	json_decref(object);
}

void cell_print_json(const json_t *value, struct buffer *out)
{
	if (json_is_real(value)) {
		print_real(json_real_value(value), out);
	} else if (json_is_array(value)) {
		buffer_append_byte(out, '[');
		for (size_t i = 0; i < json_array_size(value); i++) {
			if (i != 0)
				buffer_append_byte(out, ',');
			cell_print_json(json_array_get(value, i), out);
		}
		buffer_append_byte(out, ']');
	} else if (json_is_object(value)) {
		print_json_object(value, out);
	} else {
		print_json_text(value, out);
	}
}

/* ---- Text ---- */

static void print_typed(const char *type, const json_t *value, struct buffer *out);

static void print_quoted(const json_t *value, struct buffer *out)
{
	const char *text = json_string_value(value);

	buffer_append_byte(out, '"');
	for (size_t i = 0; i < json_string_length(value); i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte == '"' || byte == '\\')
			buffer_printf(out, "\\%c", byte);
		else if (byte == '\n' || byte == '\r' || byte == '\t')
			buffer_printf(out, "\\%c", byte == '\n' ? 'n' : byte == '\r' ? 'r' : 't');
		else if (byte < 0x20 || byte == 0x7f)
			buffer_printf(out, "\\%03o", byte);
		else
			buffer_append_byte(out, byte);
	}
	buffer_append_byte(out, '"');
}

/* [{"key",value},...] from [[key, type, value], ...] */
static void print_table(const json_t *entries, struct buffer *out)
{
	buffer_append_byte(out, '[');
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *entry = json_array_get(entries, i);
		const char *type = json_string_value(json_array_get(entry, 1));

		buffer_append_cstr(out, i != 0 ? ",{" : "{");
		print_quoted(json_array_get(entry, 0), out);
		buffer_append_byte(out, ',');
		print_typed(type != NULL ? type : "", json_array_get(entry, 2), out);
		buffer_append_byte(out, '}');
	}
	buffer_append_byte(out, ']');
}

/* [value,...] from [[type, value], ...] */
static void print_array(const json_t *items, struct buffer *out)
{
	buffer_append_byte(out, '[');
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);
		const char *type = json_string_value(json_array_get(item, 0));

		if (i != 0)
			buffer_append_byte(out, ',');
		print_typed(type != NULL ? type : "", json_array_get(item, 1), out);
	}
	buffer_append_byte(out, ']');
}

static void print_numbers(const json_t *numbers, struct buffer *out)
{
	buffer_append_byte(out, '{');
	for (size_t i = 0; i < json_array_size(numbers); i++) {
		if (i != 0)
			buffer_append_byte(out, ',');
		cell_print_text(json_array_get(numbers, i), out);
	}
	buffer_append_byte(out, '}');
}

static void print_typed(const char *type, const json_t *value, struct buffer *out)
{
	if (strcmp(type, "table") == 0) {
		print_table(value, out);
	} else if (strcmp(type, "array") == 0) {
		print_array(value, out);
	} else if (strcmp(type, "binary") == 0) {
		buffer_append_cstr(out, "<<");
		print_quoted(value, out);
		buffer_append_cstr(out, ">>");
	} else if (strcmp(type, "longstr") == 0) {
		print_quoted(value, out);
	} else if (json_is_array(value)) {
		print_numbers(value, out); /* a decimal */
	} else {
		cell_print_text(value, out);
	}
}

/* True if all are whole numbers from 0 to the limit. */
static bool are_numbers(const json_t *array, json_int_t limit)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *item = json_array_get(array, i);

		if (!json_is_integer(item) || json_integer_value(item) < 0 || json_integer_value(item) > limit)
			return false;
	}
	return true;
}

static bool print_address(const json_t *numbers, struct buffer *out)
{
	size_t n = json_array_size(numbers);
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if ((n != 4 || !are_numbers(numbers, 255)) && (n != 8 || !are_numbers(numbers, 65535)))
		return false;
	for (size_t i = 0; i < n; i++) {
		json_int_t number = json_integer_value(json_array_get(numbers, i));

		if (n == 4) {
			bytes[i] = (unsigned char)number;
		} else {
			bytes[2 * i] = (unsigned char)(number >> 8);
			bytes[2 * i + 1] = (unsigned char)number;
		}
	}
	if (inet_ntop(n == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text)) == NULL)
		return false;
	buffer_append_cstr(out, text);
	return true;
}

/* [one, other] */
static void print_names(const json_t *names, struct buffer *out)
{
	buffer_append_byte(out, '[');
	for (size_t i = 0; i < json_array_size(names); i++) {
		if (i != 0)
			buffer_append_cstr(out, ", ");
		cell_print_text(json_array_get(names, i), out);
	}
	buffer_append_byte(out, ']');
}

static void print_text_array(const json_t *array, struct buffer *out)
{
	if (json_array_size(array) == 0)
		buffer_append_cstr(out, "[]");
	else if (json_is_string(json_array_get(array, 0)))
		print_names(array, out);
	else if (json_is_array(json_array_get(array, 0)))
		print_table(array, out);
	else if (!print_address(array, out))
		print_numbers(array, out);
}

/* [{name, value}, {name, value}] */
static void print_text_object(const json_t *value, struct buffer *out)
{
	json_t *object = json_copy((json_t *)(uintptr_t)value), *member;
	const char *key, *separator = "";

	buffer_append_byte(out, '[');
	json_object_foreach(object, key, member) {
		buffer_printf(out, "%s{%s, ", separator, key);
		separator = ", ";
		cell_print_text(member, out);
		buffer_append_byte(out, '}');
	}
	buffer_append_byte(out, ']');
	json_decref(object);
}

void cell_print_text(const json_t *value, struct buffer *out)
{
	if (json_is_string(value))
		buffer_append(out, json_string_value(value), json_string_length(value));
	else if (json_is_array(value))
		print_text_array(value, out);
	else if (json_is_object(value))
		print_text_object(value, out);
	else if (!json_is_null(value))
		cell_print_json(value, out);
}

void cell_escape(struct slice text, struct buffer *out)
{
	for (size_t i = 0; i < text.size; i++) {
		uint8_t byte = text.data[i];
		/* U+0080 to U+009F in UTF-8: controls too */
		bool is_c1 = byte == 0xc2 && i + 1 < text.size && text.data[i + 1] < 0xa0;

		if (is_c1)
			buffer_printf(out, "\\%03o", text.data[++i]);
		else if (byte < 0x20 || byte == 0x7f)
			buffer_printf(out, "\\%03o", byte);
		else
			buffer_append_byte(out, byte);
	}
}
