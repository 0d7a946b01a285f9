/* SPDX-License-Identifier: MIT */
#include "weight.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- The key as RabbitMQ writes it: an Erlang binary ---- */

/* Stops at the end of the text: one byte of it is the zero. */
__attribute__((format(printf, 3, 4))) static void put(struct shunt_error *error, size_t *used,
						      const char *format, ...)
{
	size_t room = sizeof(error->text) - *used;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(error->text + *used, room, format, arguments);
	va_end(arguments);
	if (length > 0)
		*used += (size_t)length < room ? (size_t)length : room - 1;
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

/* As Latin-1, which is how Erlang looks at bytes. */
static bool is_printable(struct shunt_bytes bytes)
{
	for (size_t i = 0; i < bytes.size; i++) {
		uint8_t c = bytes.data[i];

		if ((c < 32 || (c > 126 && c < 160)) && !escape_of(c))
			return false;
	}
	return bytes.size > 0;
}

static void put_binary(struct shunt_error *error, size_t *used, struct shunt_bytes bytes)
{
	bool printable = is_printable(bytes);

	put(error, used, printable ? "<<\"" : "<<");
	for (size_t i = 0; i < bytes.size; i++) {
		uint8_t c = bytes.data[i];

		if (!printable)
			put(error, used, i == 0 ? "%u" : ",%u", c);
		else if (escape_of(c))
			put(error, used, "\\%c", escape_of(c));
		else
			put(error, used, "%c", c);
	}
	put(error, used, printable ? "\">>" : ">>");
}

/* ---- The number ---- */

static int refuse_text(struct shunt_bytes key, struct shunt_error *error)
{
	size_t used = 0;

	error->code = SHUNT_PRECONDITION_FAILED;
	put(error, &used, "The binding key must be an integer: ");
	put_binary(error, &used, key);
	return -1;
}

static int refuse_number(struct shunt_error *error)
{
	size_t used = 0;

	error->code = SHUNT_PRECONDITION_FAILED;
	put(error, &used, "The binding key must be greater than 0");
	return -1;
}

int weight_parse(struct shunt_bytes key, uint32_t *ret_weight, struct shunt_error *error)
{
	bool has_sign = key.size > 0 && (key.data[0] == '-' || key.data[0] == '+');
	uint64_t weight = 0;

	if (key.size == has_sign)
		return refuse_text(key, error);
	for (size_t i = has_sign; i < key.size; i++) {
		if (key.data[i] < '0' || key.data[i] > '9')
			return refuse_text(key, error);
		weight = weight * 10 + (uint64_t)(key.data[i] - '0');
		if (weight > WEIGHT_MAX)
			weight = WEIGHT_MAX;
	}
	if (weight == 0 || key.data[0] == '-')
		return refuse_number(error);
	*ret_weight = (uint32_t)weight;
	return 0;
}
