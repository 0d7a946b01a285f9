/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_FIELDS_H
#define KERNEL_STORE_FIELDS_H

/*
 * How keys and values of the store's definitions are written (docs/store-format.md).
 *
 * A key is "kind/PART/.../LAST", where '%' and '/' in all parts but the last are "%25" and "%2F".
 *
 * A value: an octet for the version (1), one for the kind, then fields: an octet that says which,
 * the length in four octets (big endian), the bytes. Numbers are eight octets, big endian. Unknown
 * fields are skipped by the reader, missing ones are empty, so that fields may be added.
 */

#include <stdbool.h>
#include <stdint.h>

#include "amqp/cursor.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/slice.h"

/* ---- Writing: to a buffer, whose failure is sticky ---- */

/* A part that is not the last one, and the '/' behind it. */
void fields_put_key_part(struct buffer *buffer, struct slice part);

void fields_begin(struct buffer *buffer, uint8_t kind);
/* Nothing, if it is empty, or 0. */
void fields_put(struct buffer *buffer, uint8_t field, struct slice bytes);
void fields_put_number(struct buffer *buffer, uint8_t field, uint64_t number);

/* ---- Reading ---- */

/* The caller's, on its stack; slices point into the value. */
struct fields_reader {
	struct amqp_reader reader;
	uint8_t kind, field;
	struct slice bytes; /* of the field */
};

/* -EBADMSG: not of this version, or too short. */
int fields_open(struct fields_reader *reader, struct slice value) MUST_USE;
/* The next field. False: there is none, or it is cut off. */
bool fields_next(struct fields_reader *reader);
/* The field as a number; if it is none, the reader has failed. */
uint64_t fields_number(struct fields_reader *reader);

/* After the last one: whether all was well. */
static inline bool fields_are_good(const struct fields_reader *reader)
{
	return amqp_reader_is_done(&reader->reader);
}

#endif
