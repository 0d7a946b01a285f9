/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share: libFuzzer's entry, a check that is never compiled out, and a source
 * that turns the fuzzer's bytes into values, so that a target can also build what is well-formed.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "amqp/cursor.h"
#include "amqp/table_writer.h"
#include "base/buffer.h"
#include "base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_check(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* A reader that gives zeros and empty slices once the bytes are used up. */
#define fuzz_source amqp_reader

static inline struct slice fuzz_bytes(struct fuzz_source *source, size_t wanted)
{
	size_t left = amqp_reader_left(source);

	return amqp_get_bytes(source, wanted < left ? wanted : left);
}

static inline struct slice fuzz_shortstr(struct fuzz_source *source)
{
	return fuzz_bytes(source, amqp_get_octet(source));
}

/* Like the above, but UTF-8: cut before the first byte that is not. */
static inline struct slice fuzz_text(struct fuzz_source *source)
{
	struct slice text = fuzz_shortstr(source);
	size_t size = 0;
	size_t length;

	while ((length = amqp_utf8_length(slice_make(text.data + size, text.size - size))) > 0)
		size += length;
	return slice_make(text.data, size);
}

static inline struct slice fuzz_longstr(struct fuzz_source *source)
{
	return fuzz_bytes(source, amqp_get_short(source) % 1024);
}

/* One value of the grammar that is neither a table nor an array. */
static inline struct amqp_value fuzz_scalar(struct fuzz_source *source)
{
	static const char types[] = "IiSbBsulLfdDxTtV";
	struct amqp_value value = {.type = types[amqp_get_octet(source) % (sizeof(types) - 1)]};

	switch (value.type) {
	case AMQP_VALUE_BOOL:
		value.boolean = (amqp_get_octet(source) & 1) != 0;
		break;
	case AMQP_VALUE_FLOAT:
	case AMQP_VALUE_DOUBLE:
		value.real = (int16_t)amqp_get_short(source) / 8.0;
		break;
	case AMQP_VALUE_DECIMAL:
		value.decimal.scale = amqp_get_octet(source);
		value.decimal.value = amqp_get_long(source);
		break;
	case AMQP_VALUE_TIMESTAMP:
		value.timestamp = amqp_get_longlong(source);
		break;
	case AMQP_VALUE_STRING:
	case AMQP_VALUE_BINARY:
		value.bytes = fuzz_longstr(source);
		break;
	default:
		value.integer = (int8_t)amqp_get_octet(source);
	}
	return value;
}

static inline bool fuzz_is_in_array(const struct amqp_table_writer *writer)
{
	return writer->depth > 0 && writer->is_array[writer->depth - 1];
}

/* One entry, or the begin or end of a nested value, as the next bytes say. */
static inline void fuzz_put_entry(struct fuzz_source *source, struct amqp_table_writer *writer)
{
	const char *key = fuzz_is_in_array(writer) ? NULL : "nested";
	unsigned choice = amqp_get_octet(source) % 8;
	struct amqp_value value;

	if (choice == 0 && writer->depth + 1 < AMQP_TABLE_DEPTH_MAX) {
		amqp_table_begin_table(writer, key);
	} else if (choice == 1 && writer->depth + 1 < AMQP_TABLE_DEPTH_MAX) {
		amqp_table_begin_array(writer, key);
	} else if (choice == 2 && writer->depth > 0) {
		amqp_table_end(writer);
	} else if (key == NULL) {
		value = fuzz_scalar(source);
		amqp_array_put_value(writer, &value);
	} else {
		struct slice name = fuzz_shortstr(source);

		value = fuzz_scalar(source);
		amqp_table_put_value(writer, name, &value);
	}
}

/* A well-formed raw table; its bytes are in the buffer, which begins empty. */
static inline struct slice fuzz_table(struct fuzz_source *source, struct buffer *buffer)
{
	struct amqp_table_writer writer;
	unsigned entries = amqp_get_octet(source);

	amqp_table_writer_init(&writer, buffer);
	while (entries-- > 0 && amqp_reader_left(source) > 0)
		fuzz_put_entry(source, &writer);
	while (writer.depth > 0)
		amqp_table_end(&writer);
	fuzz_check(amqp_table_writer_finish(&writer) == 0);
	return buffer_slice(buffer);
}

/* A copy of exactly that size, so that the sanitizer sees a read beyond it; released with free. */
static inline uint8_t *fuzz_exact_copy(struct slice bytes, size_t size)
{
	uint8_t *copy = malloc(size);

	fuzz_check(copy != NULL || size == 0);
	if (size > 0)
		memcpy(copy, bytes.data, size);
	return copy;
}

#endif
