/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_BUFFER_H
#define KERNEL_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/slice.h"

/*
 * A growable run of bytes. What goes in may have a size that a peer decides, so growing may fail:
 * the failure is sticky. Write all of it, then test `failed` once; from the first failure on
 * nothing more is written.
 */
struct buffer {
	uint8_t *data;
	size_t size, capacity;
	bool failed;
};

void buffer_init(struct buffer *buffer);
void buffer_fini(struct buffer *buffer);

/* Empty again, not failed; keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Room for n more bytes: returns where they go (then add n to size), NULL on failure. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t n);

void buffer_append(struct buffer *buffer, const void *bytes, size_t n);
void buffer_append_slice(struct buffer *buffer, struct slice bytes);
void buffer_append_cstr(struct buffer *buffer, const char *string);
void buffer_append_byte(struct buffer *buffer, uint8_t byte);
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_FORMAT(2, 3);

/* Takes the first n bytes off. */
void buffer_consume(struct buffer *buffer, size_t n);

/*
 * NUL-terminates (the NUL is not counted in size) and returns the text; "" if failed. Valid until
 * the next change.
 */
const char *buffer_cstr(struct buffer *buffer);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
	return (struct slice){buffer->data, buffer->size};
}

#endif
