/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/mem.h"

#define CAPACITY_MIN 64

void buffer_init(struct buffer *buffer)
{
	*buffer = (struct buffer){0};
}

void buffer_fini(struct buffer *buffer)
{
	mem_free(buffer->data);
	buffer_init(buffer);
}

void buffer_clear(struct buffer *buffer)
{
	buffer->size = 0;
	buffer->failed = false;
}

static bool grow(struct buffer *buffer, size_t n)
{
	size_t needed = buffer->size + n;
	size_t capacity = buffer->capacity > SIZE_MAX / 2 ? SIZE_MAX : buffer->capacity * 2;

	if (needed < n)
		return false;
	if (capacity < CAPACITY_MIN)
		capacity = CAPACITY_MIN;
	if (capacity < needed)
		capacity = needed;
	uint8_t *data = mem_try_realloc(buffer->data, capacity);
	if (!data)
		return false;
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t n)
{
	if (UNLIKELY(buffer->failed))
		return NULL;
	if ((!buffer->data || n > buffer->capacity - buffer->size) && !grow(buffer, n)) {
		buffer->failed = true;
		return NULL;
	}
	return buffer->data + buffer->size;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t n)
{
	uint8_t *room = buffer_reserve(buffer, n);

	if (!room || n == 0)
		return;
	memcpy(room, bytes, n);
	buffer->size += n;
}

void buffer_append_slice(struct buffer *buffer, struct slice bytes)
{
	buffer_append(buffer, bytes.data, bytes.size);
}

void buffer_append_cstr(struct buffer *buffer, const char *string)
{
	buffer_append(buffer, string, strlen(string));
}

void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
	buffer_append(buffer, &byte, 1);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0) {
		buffer->failed = true;
		return;
	}
	uint8_t *room = buffer_reserve(buffer, (size_t)n + 1); /* with the NUL, which is not kept */
	if (!room)
		return;
	va_start(args, format);
	(void)vsnprintf((char *)room, (size_t)n + 1, format, args);
	va_end(args);
	buffer->size += (size_t)n;
}

void buffer_consume(struct buffer *buffer, size_t n)
{
	bug_on(n > buffer->size);
	buffer->size -= n;
	if (n > 0 && buffer->size > 0)
		memmove(buffer->data, buffer->data + n, buffer->size);
}

const char *buffer_cstr(struct buffer *buffer)
{
	uint8_t *room = buffer_reserve(buffer, 1);

	if (!room)
		return "";
	*room = '\0';
	return (const char *)buffer->data;
}
