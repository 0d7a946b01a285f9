/* SPDX-License-Identifier: MIT */
#include "amqp/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "amqp/cursor.h"

#define ELLIPSIS      "..."
#define FORMATTED_MAX 1024 /* names in a text are at most 255 bytes each */

static size_t append(char *out, size_t size, const char *text, size_t length)
{
	memcpy(out + size, text, length);
	return size + length;
}

/* Copies whole characters of the text while they fit, with '?' for each wrong byte. */
static void store_text(char out[AMQP_ERROR_TEXT_MAX + 1], struct slice text)
{
	size_t room = AMQP_ERROR_TEXT_MAX;
	bool is_cut = text.size > AMQP_ERROR_TEXT_MAX;
	size_t size = 0;

	if (is_cut)
		room -= strlen(ELLIPSIS);
	while (text.size > 0) {
		size_t length = amqp_utf8_length(text);
		size_t used = length == 0 ? 1 : length;

		if (used > room - size)
			break;
		size = append(out, size, length == 0 ? "?" : (const char *)text.data, used);
		text.data += used;
		text.size -= used;
	}
	if (is_cut)
		size = append(out, size, ELLIPSIS, strlen(ELLIPSIS));
	out[size] = '\0';
}

int amqp_error_set(struct amqp_error *error, uint16_t code, const char *format, ...)
{
	char text[FORMATTED_MAX];
	int head;
	int tail;
	va_list arguments;

	head = snprintf(text, sizeof(text), "%s - ", amqp_code_name(code));
	va_start(arguments, format);
	tail = vsnprintf(text + head, sizeof(text) - (size_t)head, format, arguments);
	va_end(arguments);
	if (tail < 0)
		text[head] = '\0';
	error->code = code;
	store_text(error->text, slice_make(text, strlen(text)));
	return -EPROTO;
}

int amqp_error_set_bare(struct amqp_error *error, uint16_t code)
{
	const char *name = amqp_code_name(code);

	error->code = code;
	store_text(error->text, slice_make(name, strlen(name)));
	return -EPROTO;
}

bool amqp_error_is_soft(uint16_t code)
{
	enum { SOFT = true, HARD = false };

	switch (code) {
#define CASE(NAME, code_, scope)                                                                   \
	case AMQP_##NAME:                                                                          \
		return scope;
		AMQP_REPLY_CODES(CASE)
#undef CASE
	default:
		return false;
	}
}

const char *amqp_code_name(uint16_t code)
{
	switch (code) {
#define CASE(NAME, code_, scope)                                                                   \
	case AMQP_##NAME:                                                                          \
		return #NAME;
		AMQP_REPLY_CODES(CASE)
#undef CASE
	default:
		return "UNKNOWN";
	}
}
