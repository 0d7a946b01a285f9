/* SPDX-License-Identifier: MIT */
/*
 * One value of a field table or array: its types, comparing and printing.
 * AMQP 0-9-1 section 4.2.5.5, with the types as RabbitMQ reads them
 * (www.rabbitmq.com/docs/amqp-0-9-1-errata, section 3), which differ from the specification's.
 */
#ifndef KERNEL_AMQP_VALUE_H
#define KERNEL_AMQP_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

/* How many tables and arrays may stand in one another, the outermost included. */
#define AMQP_TABLE_DEPTH_MAX 64

/* The type octets. 'L' reads as 'l' does and keeps its letter. */
enum amqp_value_type {
	AMQP_VALUE_BOOL = 't',		 /* boolean */
	AMQP_VALUE_BYTE = 'b',		 /* integer, signed 8 bits */
	AMQP_VALUE_UNSIGNED_BYTE = 'B',	 /* integer */
	AMQP_VALUE_SHORT = 's',		 /* integer, signed 16 bits */
	AMQP_VALUE_UNSIGNED_SHORT = 'u', /* integer */
	AMQP_VALUE_INT = 'I',		 /* integer, signed 32 bits */
	AMQP_VALUE_UNSIGNED_INT = 'i',	 /* integer */
	AMQP_VALUE_LONG = 'l',		 /* integer, signed 64 bits */
	AMQP_VALUE_LONG_ALSO = 'L',	 /* integer, signed 64 bits */
	AMQP_VALUE_FLOAT = 'f',		 /* real */
	AMQP_VALUE_DOUBLE = 'd',	 /* real */
	AMQP_VALUE_DECIMAL = 'D',	 /* decimal */
	AMQP_VALUE_STRING = 'S',	 /* bytes (longstr) */
	AMQP_VALUE_BINARY = 'x',	 /* bytes */
	AMQP_VALUE_ARRAY = 'A',		 /* bytes: raw array */
	AMQP_VALUE_TABLE = 'F',		 /* bytes: raw table */
	AMQP_VALUE_TIMESTAMP = 'T',	 /* timestamp, seconds since 1970 */
	AMQP_VALUE_VOID = 'V',		 /* nothing */
};

/* A plain value; bytes are borrowed from the raw table. */
struct amqp_value {
	char type; /* enum amqp_value_type: says which member holds */
	union {
		bool boolean;
		int64_t integer;
		double real;
		struct {
			uint8_t scale; /* value / 10^scale */
			uint32_t value;
		} decimal;
		uint64_t timestamp;
		struct slice bytes;
	};
};

/* True for b B s u I i l L. */
bool amqp_value_is_integer(const struct amqp_value *value);

/* True, and *ret_integer set, for the integer types. */
bool amqp_value_get_integer(const struct amqp_value *value, int64_t *ret_integer);

/* RabbitMQ's name of a type octet: "signedint", "longstr", "bool"; "unknown" for any other. */
const char *amqp_value_type_name(char type);

/*
 * Equal as RabbitMQ compares arguments: all integer types are one, float and double are one, and
 * otherwise the types must be the same. Tables compare as lists: same keys and equal values in the
 * same order. Malformed or too deeply nested tables are equal when their bytes are.
 */
bool amqp_value_equal(const struct amqp_value *a, const struct amqp_value *b);

/*
 * For texts and listings: a string as it is, a number in decimal, true, false, "undefined" for
 * void, [{"key",value},...] for tables and [value,...] for arrays, with strings quoted inside.
 * In quotes, control bytes, quotes and backslashes are escaped.
 */
void amqp_value_print(const struct amqp_value *value, struct buffer *out);

#endif
