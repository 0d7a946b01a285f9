/* SPDX-License-Identifier: MIT */
/*
 * Cursors over bytes in wire format, with a sticky error: read or write everything, test `failed`
 * once. Nothing is ever read or written outside [p, end). AMQP 0-9-1 section 4.2.5.
 */
#ifndef KERNEL_AMQP_CURSOR_H
#define KERNEL_AMQP_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"

/* The caller's, on its stack. Slices taken from a reader point into the bytes it was given. */
struct amqp_reader {
	const uint8_t *p;
	const uint8_t *end;
	bool failed; /* a value went beyond the end; from then on every get returns zero or empty */
};

/* The caller's, on its stack; the bytes are the caller's too. */
struct amqp_writer {
	uint8_t *p;
	uint8_t *end;
	bool failed; /* no room, or a shortstr above 255 bytes; from then on nothing is written */
};

static inline void amqp_reader_init(struct amqp_reader *reader, struct slice bytes)
{
	/* never NULL: nothing may be added to NULL, not even 0 */
	reader->p = bytes.size == 0 ? (const uint8_t *)"" : bytes.data;
	reader->end = reader->p + bytes.size;
	reader->failed = false;
}

static inline size_t amqp_reader_left(const struct amqp_reader *reader)
{
	return (size_t)(reader->end - reader->p);
}

static inline void amqp_reader_fail(struct amqp_reader *reader)
{
	reader->p = reader->end;
	reader->failed = true;
}

/* True when everything was read, and nothing is left. */
static inline bool amqp_reader_is_done(const struct amqp_reader *reader)
{
	return !reader->failed && reader->p == reader->end;
}

static inline bool amqp_reader_has(struct amqp_reader *reader, size_t n)
{
	if (UNLIKELY(n > amqp_reader_left(reader))) {
		amqp_reader_fail(reader);
		return false;
	}
	return true;
}

static inline uint8_t amqp_get_octet(struct amqp_reader *reader)
{
	if (!amqp_reader_has(reader, 1))
		return 0;
	return *reader->p++;
}

static inline uint16_t amqp_get_short(struct amqp_reader *reader)
{
	uint16_t value;

	if (!amqp_reader_has(reader, sizeof(value)))
		return 0;
	memcpy(&value, reader->p, sizeof(value));
	reader->p += sizeof(value);
	return __builtin_bswap16(value);
}

static inline uint32_t amqp_get_long(struct amqp_reader *reader)
{
	uint32_t value;

	if (!amqp_reader_has(reader, sizeof(value)))
		return 0;
	memcpy(&value, reader->p, sizeof(value));
	reader->p += sizeof(value);
	return __builtin_bswap32(value);
}

static inline uint64_t amqp_get_longlong(struct amqp_reader *reader)
{
	uint64_t value;

	if (!amqp_reader_has(reader, sizeof(value)))
		return 0;
	memcpy(&value, reader->p, sizeof(value));
	reader->p += sizeof(value);
	return __builtin_bswap64(value);
}

/* The next n bytes; empty when there are not as many. */
static inline struct slice amqp_get_bytes(struct amqp_reader *reader, size_t n)
{
	struct slice bytes = {NULL, 0};

	if (!amqp_reader_has(reader, n))
		return bytes;
	bytes.data = reader->p;
	bytes.size = n;
	reader->p += n;
	return bytes;
}

static inline struct slice amqp_get_shortstr(struct amqp_reader *reader)
{
	return amqp_get_bytes(reader, amqp_get_octet(reader));
}

static inline struct slice amqp_get_longstr(struct amqp_reader *reader)
{
	return amqp_get_bytes(reader, amqp_get_long(reader));
}

static inline void amqp_writer_init(struct amqp_writer *writer, void *bytes, size_t size)
{
	writer->p = bytes;
	writer->end = size == 0 ? writer->p : writer->p + size;
	writer->failed = false;
}

static inline size_t amqp_writer_left(const struct amqp_writer *writer)
{
	return (size_t)(writer->end - writer->p);
}

static inline void amqp_writer_fail(struct amqp_writer *writer)
{
	writer->end = writer->p;
	writer->failed = true;
}

static inline bool amqp_writer_has(struct amqp_writer *writer, size_t n)
{
	if (UNLIKELY(n > amqp_writer_left(writer))) {
		amqp_writer_fail(writer);
		return false;
	}
	return true;
}

/*
 * Stores without a check, for whoever has asked amqp_writer_has() for all of them; each returns
 * where the next one goes.
 */
static inline uint8_t *amqp_store_octet(uint8_t *p, uint8_t value)
{
	*p = value;
	return p + 1;
}

static inline uint8_t *amqp_store_short(uint8_t *p, uint16_t value)
{
	value = __builtin_bswap16(value);
	memcpy(p, &value, sizeof(value));
	return p + sizeof(value);
}

static inline uint8_t *amqp_store_long(uint8_t *p, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(p, &value, sizeof(value));
	return p + sizeof(value);
}

static inline uint8_t *amqp_store_longlong(uint8_t *p, uint64_t value)
{
	value = __builtin_bswap64(value);
	memcpy(p, &value, sizeof(value));
	return p + sizeof(value);
}

static inline uint8_t *amqp_store_bytes(uint8_t *p, struct slice bytes)
{
	slice_copy(p, bytes);
	return p + bytes.size;
}

static inline uint8_t *amqp_store_shortstr(uint8_t *p, struct slice value)
{
	return amqp_store_bytes(amqp_store_octet(p, (uint8_t)value.size), value);
}

static inline uint8_t *amqp_store_longstr(uint8_t *p, struct slice value)
{
	return amqp_store_bytes(amqp_store_long(p, (uint32_t)value.size), value);
}

static inline void amqp_put_octet(struct amqp_writer *writer, uint8_t value)
{
	if (amqp_writer_has(writer, sizeof(value)))
		writer->p = amqp_store_octet(writer->p, value);
}

static inline void amqp_put_short(struct amqp_writer *writer, uint16_t value)
{
	if (amqp_writer_has(writer, sizeof(value)))
		writer->p = amqp_store_short(writer->p, value);
}

static inline void amqp_put_long(struct amqp_writer *writer, uint32_t value)
{
	if (amqp_writer_has(writer, sizeof(value)))
		writer->p = amqp_store_long(writer->p, value);
}

static inline void amqp_put_longlong(struct amqp_writer *writer, uint64_t value)
{
	if (amqp_writer_has(writer, sizeof(value)))
		writer->p = amqp_store_longlong(writer->p, value);
}

static inline void amqp_put_bytes(struct amqp_writer *writer, struct slice bytes)
{
	if (amqp_writer_has(writer, bytes.size))
		writer->p = amqp_store_bytes(writer->p, bytes);
}

static inline void amqp_put_shortstr(struct amqp_writer *writer, struct slice value)
{
	if (UNLIKELY(value.size > UINT8_MAX)) {
		amqp_writer_fail(writer);
		return;
	}
	amqp_put_octet(writer, (uint8_t)value.size);
	amqp_put_bytes(writer, value);
}

static inline void amqp_put_longstr(struct amqp_writer *writer, struct slice value)
{
	if (UNLIKELY(value.size > UINT32_MAX)) {
		amqp_writer_fail(writer);
		return;
	}
	amqp_put_long(writer, (uint32_t)value.size);
	amqp_put_bytes(writer, value);
}

/* Bytes of the UTF-8 character (RFC 3629) at the beginning; 0: none, or the slice is empty. */
size_t amqp_utf8_length(struct slice bytes) MUST_USE;

/* True for well-formed UTF-8; the empty string is. */
bool amqp_is_utf8(struct slice bytes) MUST_USE;

#endif
