/* SPDX-License-Identifier: MIT */
/*
 * All of it is generated: one straight-line decoder for each method from its fields, one switch for
 * each question about an id. The octet and number of bits at hand are constants to the compiler.
 */
#include "amqp/method.h"

#include <errno.h>

#include "amqp/table.h"

#define GET_octet(name)	   (bits = 0, ret->name = amqp_get_octet(&reader));
#define GET_short(name)	   (bits = 0, ret->name = amqp_get_short(&reader));
#define GET_long(name)	   (bits = 0, ret->name = amqp_get_long(&reader));
#define GET_longlong(name) (bits = 0, ret->name = amqp_get_longlong(&reader));
#define GET_bit(name)                                                                              \
	if (bits == 0)                                                                             \
		octet = amqp_get_octet(&reader);                                                   \
	ret->name = (octet >> bits & 1) != 0;                                                      \
	bits = (bits + 1) & 7;
#define GET_shortstr(name) (bits = 0, ret->name = amqp_get_shortstr(&reader));
#define GET_text(name)                                                                             \
	GET_shortstr(name);                                                                        \
	is_valid &= amqp_is_utf8(ret->name);
#define GET_longstr(name) (bits = 0, ret->name = amqp_get_longstr(&reader));
#define GET_table(name)                                                                            \
	GET_longstr(name);                                                                         \
	is_valid &= amqp_table_validate(ret->name, AMQP_TABLE_DEPTH_MAX) == 0;
#define GET_FIELD(type, name) GET_##type(name)

#define DECODER(class, method, ...)                                                                \
	static inline int decode_##class##_##method(struct amqp_##class##_##method *ret,           \
						    struct slice fields)                           \
	{                                                                                          \
		struct amqp_reader reader;                                                         \
		unsigned bits = 0;                                                                 \
		uint8_t octet = 0;                                                                 \
		bool is_valid = true;                                                              \
                                                                                                   \
		(void)ret;                                                                         \
		amqp_reader_init(&reader, fields);                                                 \
		AMQP_FIELDS_##class##_##method(GET_FIELD);                                         \
		(void)bits;                                                                        \
		(void)octet;                                                                       \
		return is_valid && amqp_reader_is_done(&reader) ? 0 : -EPROTO;                     \
	}
AMQP_METHODS(DECODER)

int amqp_method_decode(struct amqp_method *ret, struct slice payload)
{
	struct amqp_reader reader;
	struct slice fields;

	amqp_reader_init(&reader, payload);
	ret->id = amqp_get_long(&reader);
	if (reader.failed)
		return -EPROTO;
	fields = slice_make(reader.p, amqp_reader_left(&reader));
	if (LIKELY(ret->id == AMQP_BASIC_PUBLISH))
		return decode_basic_publish(&ret->basic_publish, fields);
	if (ret->id == AMQP_BASIC_ACK)
		return decode_basic_ack(&ret->basic_ack, fields);
	switch (ret->id) {
#define CASE(class, method, CLASS, METHOD, ...)                                                    \
	case AMQP_##CLASS##_##METHOD:                                                              \
		return decode_##class##_##method(&ret->class##_##method, fields);
		AMQP_METHODS(CASE)
#undef CASE
	default:
		return -ENOSYS;
	}
}

size_t amqp_method_size(const struct amqp_method *method)
{
	switch (method->id) {
#define CASE(class, method_, CLASS, METHOD, ...)                                                   \
	case AMQP_##CLASS##_##METHOD:                                                              \
		return amqp_size_##class##_##method_(&method->class##_##method_);
		AMQP_METHODS(CASE)
#undef CASE
	default:
		return 0;
	}
}

void amqp_method_encode(struct amqp_writer *writer, const struct amqp_method *method)
{
	switch (method->id) {
#define CASE(class, method_, CLASS, METHOD, ...)                                                   \
	case AMQP_##CLASS##_##METHOD:                                                              \
		amqp_encode_##class##_##method_(writer, &method->class##_##method_);               \
		return;
		AMQP_METHODS(CASE)
#undef CASE
	default:
		amqp_writer_fail(writer);
	}
}

const char *amqp_method_name(uint32_t id)
{
	switch (id) {
#define CASE(class, method, CLASS, METHOD, ...)                                                    \
	case AMQP_##CLASS##_##METHOD:                                                              \
		return #class "." #method;
		AMQP_METHODS(CASE)
#undef CASE
	default:
		return "unknown";
	}
}

/* What the columns of the table stand for, as bits. */
enum trait {
	CLIENT = 1,
	SERVER = 2,
	BOTH = CLIENT | SERVER,
	ASYNC = 0,
	SYNC = 4,
	PLAIN = 0,
	CONTENT = 8,
	KNOWN = 16,
};

static unsigned method_traits(uint32_t id)
{
	switch (id) {
#define CASE(class, method, CLASS, METHOD, class_id, method_id, sender, kind, content)             \
	case AMQP_##CLASS##_##METHOD:                                                              \
		return (unsigned)KNOWN | (unsigned)sender | (unsigned)kind | (unsigned)content;
		AMQP_METHODS(CASE)
#undef CASE
	default:
		return 0;
	}
}

bool amqp_method_is_known(uint32_t id)
{
	return (method_traits(id) & KNOWN) != 0;
}

bool amqp_method_is_content(uint32_t id)
{
	return (method_traits(id) & CONTENT) != 0;
}

bool amqp_method_is_synchronous(uint32_t id)
{
	return (method_traits(id) & SYNC) != 0;
}

bool amqp_method_is_from_client(uint32_t id)
{
	return (method_traits(id) & CLIENT) != 0;
}

bool amqp_method_is_from_server(uint32_t id)
{
	return (method_traits(id) & SERVER) != 0;
}
