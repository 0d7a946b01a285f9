/* SPDX-License-Identifier: MIT */
/*
 * Reading field tables and arrays in place. AMQP 0-9-1 section 4.2.5.5. See value.h for the values,
 * table_writer.h for building.
 *
 * A "raw table" or "raw array" is what comes after the four-byte length.
 */
#ifndef KERNEL_AMQP_TABLE_H
#define KERNEL_AMQP_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "amqp/cursor.h"
#include "amqp/value.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/slice.h"

/* The caller's. Holds no memory; may be abandoned at any time. */
struct amqp_table_iter {
	struct amqp_reader reader;
};

struct amqp_array_iter {
	struct amqp_reader reader;
};

void amqp_table_iter_init(struct amqp_table_iter *iter, struct slice table);
void amqp_array_iter_init(struct amqp_array_iter *iter, struct slice array);

/*
 * 1: *ret_key and *ret_value are the next entry. 0: no more. -EPROTO: malformed, the same again if
 * asked again. What is inside a nested table or array is not looked at.
 * Bytes that passed amqp_table_validate() never give -EPROTO.
 */
int amqp_table_iter_next(struct amqp_table_iter *iter, struct slice *ret_key,
			 struct amqp_value *ret_value) MUST_USE;
int amqp_array_iter_next(struct amqp_array_iter *iter, struct amqp_value *ret_value) MUST_USE;

/* The first entry of that name. False: none before the end or before a malformed entry. */
bool amqp_table_find(struct slice table, const char *key, struct amqp_value *ret);
bool amqp_table_find_slice(struct slice table, struct slice key, struct amqp_value *ret);

/* Number of entries; those before the first malformed one. */
size_t amqp_table_count(struct slice table);

/*
 * Checks everything in it, at every depth: types known, lengths inside their frame, at most
 * `depth` (AMQP_TABLE_DEPTH_MAX, never more) tables and arrays in one another. 0 or -EPROTO.
 * Its time grows with the bytes, whatever the nesting.
 */
int amqp_table_validate(struct slice table, unsigned depth) MUST_USE;
int amqp_array_validate(struct slice array, unsigned depth) MUST_USE;

/* Prints a table as amqp_value_print() does: [{"x-expires",1000}]; [] when it is empty. */
void amqp_table_print(struct slice table, struct buffer *out);

#endif
