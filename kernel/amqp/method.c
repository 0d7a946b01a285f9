/* SPDX-License-Identifier: MIT */
/* All of it is generated: one switch for each question about an id. */
#include "amqp/method.h"

#include <errno.h>

#include "amqp/method_decode.h"

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
		return amqp_decode_basic_publish(&ret->basic_publish, fields);
	if (ret->id == AMQP_BASIC_ACK)
		return amqp_decode_basic_ack(&ret->basic_ack, fields);
	switch (ret->id) {
#define CASE(class, method, CLASS, METHOD, ...)                                                    \
	case AMQP_##CLASS##_##METHOD:                                                              \
		return amqp_decode_##class##_##method(&ret->class##_##method, fields);
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
