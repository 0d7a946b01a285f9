/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_HEADERS_VALUE_H
#define EXCHANGE_HEADERS_VALUE_H

#include <shunt/plugin.h>

/*
 * A field value brought into a form in which values that RabbitMQ takes for equal look alike:
 *  - numbers are equal by value, whatever their width and sign, whether whole or real, and a
 * timestamp is its seconds;
 *  - text (S) and binary (x) are equal by their bytes; booleans equal only booleans;
 *  - decimals are equal when both their scale and their digits are;
 *  - tables and arrays are equal entry by entry in order, and within them the types must be the
 * same (l and L are); an empty table equals an empty array;
 *  - not-a-number equals nothing.
 */
enum value_kind {
	VALUE_NOTHING, /* V */
	VALUE_BOOLEAN,
	VALUE_INTEGER,
	VALUE_LARGE, /* 2^63 to 2^64 - 1 */
	VALUE_REAL,  /* not a whole number of 64 bits */
	VALUE_NAN,
	VALUE_DECIMAL,
	VALUE_BYTES,
	VALUE_EMPTY, /* table or array */
	VALUE_TABLE,
	VALUE_ARRAY,
};

struct value {
	uint64_t digest; /* equal values have equal digests */
	enum value_kind kind;
	uint8_t scale;
	uint64_t number;	  /* the integer's or the real's bits */
	struct shunt_bytes bytes; /* borrowed */
};

void value_read(const struct shunt_host *host, const struct shunt_value *raw,
		struct value *ret_value);
bool value_equal(const struct shunt_host *host, const struct value *a, const struct value *b);

#endif
