/* SPDX-License-Identifier: MIT */
/*
 * Building field tables and arrays. See table.h for reading.
 */
#ifndef KERNEL_AMQP_TABLE_WRITER_H
#define KERNEL_AMQP_TABLE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/value.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/slice.h"

/*
 * Builds a raw table (or, in nested values, arrays) at the end of a buffer.
 *
 *	amqp_table_writer_init(&writer, &buffer);
 *	amqp_table_put_string(&writer, "product", slice_cstr("Shunt"));
 *	amqp_table_begin_table(&writer, "capabilities");
 *	amqp_table_put_bool(&writer, "basic.nack", true);
 *	amqp_table_end(&writer);
 *	error = amqp_table_writer_finish(&writer);
 *
 * The key is NULL in an array, and only there. Sticky errors: finish tells.
 */
struct amqp_table_writer {
	struct buffer *buffer; /* borrowed until finish */
	size_t start;	       /* where the table begins in it */
	unsigned depth;	       /* open nested values */
	int error;	       /* 0, -ENOMEM, -E2BIG: a key above 255 bytes, too deep, too long */
	bool is_array[AMQP_TABLE_DEPTH_MAX];
	size_t open[AMQP_TABLE_DEPTH_MAX]; /* where each open value's length goes */
};

void amqp_table_writer_init(struct amqp_table_writer *writer, struct buffer *buffer);

/*
 * 0: the table is everything from `start` to the end of the buffer. Otherwise the error, and the
 * buffer is as long as before init.
 */
int amqp_table_writer_finish(struct amqp_table_writer *writer) MUST_USE;

void amqp_table_begin_table(struct amqp_table_writer *writer, const char *key);
void amqp_table_begin_array(struct amqp_table_writer *writer, const char *key);
void amqp_table_end(struct amqp_table_writer *writer); /* the innermost open table or array */

void amqp_table_put_bool(struct amqp_table_writer *writer, const char *key, bool value);
void amqp_table_put_int32(struct amqp_table_writer *writer, const char *key, int32_t value);
void amqp_table_put_int64(struct amqp_table_writer *writer, const char *key, int64_t value);
void amqp_table_put_double(struct amqp_table_writer *writer, const char *key, double value);
void amqp_table_put_timestamp(struct amqp_table_writer *writer, const char *key, uint64_t seconds);
void amqp_table_put_string(struct amqp_table_writer *writer, const char *key, struct slice value);
void amqp_table_put_void(struct amqp_table_writer *writer, const char *key);

/* Any value, of any type, nested ones as raw bytes (which must be valid: they are copied). */
void amqp_table_put_value(struct amqp_table_writer *writer, struct slice key,
			  const struct amqp_value *value);
void amqp_array_put_value(struct amqp_table_writer *writer, const struct amqp_value *value);

/* Raw entries of another table (or, in an array, of another array), all at once. */
void amqp_table_put_raw(struct amqp_table_writer *writer, struct slice entries);

#endif
