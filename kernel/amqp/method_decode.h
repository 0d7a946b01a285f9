/* SPDX-License-Identifier: MIT */
/*
 * The typed decoders, for each method: for method.c, and for those few places where a method is hot
 * enough to be decoded in line.
 *
 * int amqp_decode_basic_publish(struct amqp_basic_publish *ret, struct slice fields);
 *
 * `fields` is the payload behind the ids; 0 or -EPROTO as amqp_method_decode() has it. Each is
 * generated as straight-line code from the method's fields; the octet and number of bits at hand
 * are constants to the compiler.
 */
#ifndef KERNEL_AMQP_METHOD_DECODE_H
#define KERNEL_AMQP_METHOD_DECODE_H

#include <errno.h>

#include "amqp/method.h"
#include "amqp/table.h"

#define AMQP_GET_octet(name)	(bits = 0, ret->name = amqp_get_octet(&reader));
#define AMQP_GET_short(name)	(bits = 0, ret->name = amqp_get_short(&reader));
#define AMQP_GET_long(name)	(bits = 0, ret->name = amqp_get_long(&reader));
#define AMQP_GET_longlong(name) (bits = 0, ret->name = amqp_get_longlong(&reader));
#define AMQP_GET_bit(name)                                                                         \
	if (bits == 0)                                                                             \
		octet = amqp_get_octet(&reader);                                                   \
	ret->name = (octet >> bits & 1) != 0;                                                      \
	bits = (bits + 1) & 7;
#define AMQP_GET_shortstr(name) (bits = 0, ret->name = amqp_get_shortstr(&reader));
#define AMQP_GET_text(name)                                                                        \
	AMQP_GET_shortstr(name);                                                                   \
	is_valid &= amqp_is_utf8(ret->name);
#define AMQP_GET_longstr(name) (bits = 0, ret->name = amqp_get_longstr(&reader));
#define AMQP_GET_table(name)                                                                       \
	AMQP_GET_longstr(name);                                                                    \
	is_valid &= amqp_table_validate(ret->name, AMQP_TABLE_DEPTH_MAX) == 0;
#define AMQP_GET_FIELD(type, name) AMQP_GET_##type(name)

#define AMQP_METHOD_DECODER(class, method, ...)                                                    \
	static inline int amqp_decode_##class##_##method(struct amqp_##class##_##method *ret,      \
							 struct slice fields)                      \
	{                                                                                          \
		struct amqp_reader reader;                                                         \
		unsigned bits = 0;                                                                 \
		uint8_t octet = 0;                                                                 \
		bool is_valid = true;                                                              \
                                                                                                   \
		(void)ret;                                                                         \
		amqp_reader_init(&reader, fields);                                                 \
		AMQP_FIELDS_##class##_##method(AMQP_GET_FIELD);                                    \
		(void)bits;                                                                        \
		(void)octet;                                                                       \
		return is_valid && amqp_reader_is_done(&reader) ? 0 : -EPROTO;                     \
	}
AMQP_METHODS(AMQP_METHOD_DECODER)
#undef AMQP_METHOD_DECODER

#endif
