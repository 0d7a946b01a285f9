/* SPDX-License-Identifier: MIT */
/*
 * Methods: a struct, an id, a decoder and an encoder for each line of the table in spec.h.
 *
 * struct amqp_basic_publish { uint16_t reserved_1; struct slice exchange; ... bool immediate; };
 * Field names are the specification's with underscores (no_wait, reserved_1). A table is the raw
 * bytes after its four-byte length; see table.h.
 */
#ifndef KERNEL_AMQP_METHOD_H
#define KERNEL_AMQP_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/cursor.h"
#include "amqp/spec.h"
#include "base/compiler.h"
#include "base/slice.h"

/* AMQP_CLASS_CONNECTION = 10, ... */
enum amqp_class_id {
#define AMQP_CLASS_MEMBER(class, CLASS, id) AMQP_CLASS_##CLASS = (id),
	AMQP_CLASSES(AMQP_CLASS_MEMBER)
#undef AMQP_CLASS_MEMBER
};

/* AMQP_CONNECTION_START = 10 << 16 | 10, ... */
enum amqp_method_id {
#define AMQP_ID_MEMBER(class, method, CLASS, METHOD, class_id, method_id, ...)                     \
	AMQP_##CLASS##_##METHOD = (class_id) << 16 | (method_id),
	AMQP_METHODS(AMQP_ID_MEMBER)
#undef AMQP_ID_MEMBER
};

/*
 * Plain values, the caller's; slices are borrowed. After decoding they point into the payload.
 * A method without fields is an empty struct (a GNU extension), so that all are alike.
 */
/* clang-format off */
#define AMQP_FIELD_MEMBER(type, name) AMQP_CTYPE_##type name;
#define AMQP_METHOD_STRUCT(class, method, ...)                                                     \
	struct amqp_##class##_##method {                                                           \
		AMQP_FIELDS_##class##_##method(AMQP_FIELD_MEMBER)                                  \
	};
AMQP_METHODS(AMQP_METHOD_STRUCT)
/* clang-format on */
#undef AMQP_METHOD_STRUCT
#undef AMQP_FIELD_MEMBER

/* Any method; id says which member of the union holds (method.basic_publish.routing_key). */
struct amqp_method {
	uint32_t id;
	union {
#define AMQP_METHOD_MEMBER(class, method, ...) struct amqp_##class##_##method class##_##method;
		AMQP_METHODS(AMQP_METHOD_MEMBER)
#undef AMQP_METHOD_MEMBER
	};
};

static inline uint16_t amqp_method_class(uint32_t id)
{
	return (uint16_t)(id >> 16);
}

static inline uint16_t amqp_method_number(uint32_t id)
{
	return (uint16_t)id;
}

/* A method frame's payload: the id, 0 when there is none; and what is behind the id. */
static inline uint32_t amqp_method_id(struct slice payload)
{
	uint32_t id;

	if (UNLIKELY(payload.size < sizeof(id)))
		return 0;
	memcpy(&id, payload.data, sizeof(id));
	return __builtin_bswap32(id);
}

static inline struct slice amqp_method_fields(struct slice payload)
{
	return slice_make(payload.data + 4, payload.size - 4);
}

/*
 * Decodes the payload of a method frame.
 * 0: ret is filled. -ENOSYS: no such class or method. -EPROTO: too short, bytes left over, a name
 * that is not UTF-8, or a malformed table or one nested deeper than AMQP_TABLE_DEPTH_MAX.
 * On failure ret->id is set (0 when even the ids could not be read), all else is unspecified.
 */
int amqp_method_decode(struct amqp_method *ret, struct slice payload) MUST_USE;

/* Bytes of the payload that encoding makes, the four of the ids included. 0: unknown id. */
size_t amqp_method_size(const struct amqp_method *method);

/* Writes the payload; the writer fails on an unknown id. Tables are written as they are. */
void amqp_method_encode(struct amqp_writer *writer, const struct amqp_method *method);

/* "basic.publish", "connection.start_ok": RabbitMQ's names. "unknown" for an unknown id. */
const char *amqp_method_name(uint32_t id);

/* False for all unknown ids: */
bool amqp_method_is_known(uint32_t id);
bool amqp_method_is_content(uint32_t id);     /* header and body frames follow */
bool amqp_method_is_synchronous(uint32_t id); /* its sender waits for an answer */
bool amqp_method_is_from_client(uint32_t id); /* a client may send it */
bool amqp_method_is_from_server(uint32_t id); /* a server may send it */

/*
 * Typed helpers, for each method; generated inline, since deliveries and confirms are hot:
 *
 * size_t amqp_size_basic_deliver(const struct amqp_basic_deliver *);
 * void amqp_encode_basic_deliver(struct amqp_writer *, const struct amqp_basic_deliver *);
 *
 * Both count or write the whole payload with the ids. `bits` is the number of bits in the octet at
 * hand: a constant at every place once the compiler has unrolled the list.
 */
#define AMQP_SIZE_octet(name)	    (bits = 0, size += 1);
#define AMQP_SIZE_short(name)	    (bits = 0, size += 2);
#define AMQP_SIZE_long(name)	    (bits = 0, size += 4);
#define AMQP_SIZE_longlong(name)    (bits = 0, size += 8);
#define AMQP_SIZE_bit(name)	    (size += bits == 0, bits = (bits + 1) & 7);
#define AMQP_SIZE_shortstr(name)    (bits = 0, size += 1 + method->name.size);
#define AMQP_SIZE_text(name)	    AMQP_SIZE_shortstr(name)
#define AMQP_SIZE_longstr(name)	    (bits = 0, size += 4 + method->name.size);
#define AMQP_SIZE_table(name)	    AMQP_SIZE_longstr(name)
#define AMQP_SIZE_FIELD(type, name) AMQP_SIZE_##type(name)

#define AMQP_PUT_BITS                                                                              \
	if (bits != 0)                                                                             \
		p = amqp_store_octet(p, octet);                                                    \
	bits = 0;                                                                                  \
	octet = 0;
#define AMQP_PUT_octet(name)	AMQP_PUT_BITS p = amqp_store_octet(p, method->name);
#define AMQP_PUT_short(name)	AMQP_PUT_BITS p = amqp_store_short(p, method->name);
#define AMQP_PUT_long(name)	AMQP_PUT_BITS p = amqp_store_long(p, method->name);
#define AMQP_PUT_longlong(name) AMQP_PUT_BITS p = amqp_store_longlong(p, method->name);
#define AMQP_PUT_bit(name)                                                                         \
	octet = (uint8_t)(octet | method->name << bits);                                           \
	if (++bits == 8) {                                                                         \
		AMQP_PUT_BITS                                                                      \
	}
#define AMQP_PUT_shortstr(name)                                                                    \
	AMQP_PUT_BITS                                                                              \
	is_valid &= method->name.size <= UINT8_MAX;                                                \
	p = amqp_store_shortstr(p, method->name);
#define AMQP_PUT_text(name) AMQP_PUT_shortstr(name)
#define AMQP_PUT_longstr(name)                                                                     \
	AMQP_PUT_BITS                                                                              \
	is_valid &= method->name.size <= UINT32_MAX;                                               \
	p = amqp_store_longstr(p, method->name);
#define AMQP_PUT_table(name)	   AMQP_PUT_longstr(name)
#define AMQP_PUT_FIELD(type, name) AMQP_PUT_##type(name)

/* The room is asked for once: what the size counts is what is stored. */
#define AMQP_METHOD_CODING(class, method_, CLASS, METHOD, ...)                                     \
	static inline size_t amqp_size_##class##_##method_(                                        \
		const struct amqp_##class##_##method_ *method)                                     \
	{                                                                                          \
		unsigned bits = 0;                                                                 \
		size_t size = 4;                                                                   \
                                                                                                   \
		(void)method;                                                                      \
		AMQP_FIELDS_##class##_##method_(AMQP_SIZE_FIELD);                                  \
		(void)bits;                                                                        \
		return size;                                                                       \
	}                                                                                          \
                                                                                                   \
	static inline void amqp_encode_##class##_##method_(                                        \
		struct amqp_writer *writer, const struct amqp_##class##_##method_ *method)         \
	{                                                                                          \
		uint8_t *p = writer->p;                                                            \
		bool is_valid = true;                                                              \
		unsigned bits = 0;                                                                 \
		uint8_t octet = 0;                                                                 \
                                                                                                   \
		if (!amqp_writer_has(writer, amqp_size_##class##_##method_(method)))               \
			return;                                                                    \
		p = amqp_store_long(p, AMQP_##CLASS##_##METHOD);                                   \
		AMQP_FIELDS_##class##_##method_(AMQP_PUT_FIELD);                                   \
		AMQP_PUT_BITS;                                                                     \
		(void)octet;                                                                       \
		writer->p = p;                                                                     \
		if (UNLIKELY(!is_valid))                                                           \
			amqp_writer_fail(writer);                                                  \
	}
AMQP_METHODS(AMQP_METHOD_CODING)
#undef AMQP_METHOD_CODING

#endif
