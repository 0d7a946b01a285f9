/* SPDX-License-Identifier: MIT */
#include "amqp/properties.h"

#include <errno.h>

#include "amqp/table.h"
#include "base/bug.h"

#define CONTINUATION 1U /* bit 0 of a flag word: another one follows */

enum {
#define OR_BIT(type, name, NAME, bit) | 1 << (bit)
	KNOWN_FLAGS = 0 AMQP_PROPERTIES(OR_BIT),
#undef OR_BIT
};

/* No property is defined beyond the first word, so whatever is set there cannot be read. */
static void skip_flag_words(struct amqp_reader *reader)
{
	uint16_t word;

	do {
		word = amqp_get_short(reader);
		if ((word & ~CONTINUATION) != 0)
			amqp_reader_fail(reader);
	} while ((word & CONTINUATION) != 0 && !reader->failed);
}

#define EMPTY_octet    0
#define EMPTY_longlong 0
#define EMPTY_shortstr ((struct slice){NULL, 0})
#define EMPTY_table    ((struct slice){NULL, 0})
#define GET_octet      amqp_get_octet
#define GET_longlong   amqp_get_longlong
#define GET_shortstr   amqp_get_shortstr
#define GET_table      amqp_get_longstr

/*
 * The values come in the order of their bits, from the highest on. Most messages have one to three
 * of the fourteen: so this goes from one set bit to the next.
 */
static ALWAYS_INLINE void decode_values(struct amqp_properties *ret, struct amqp_reader *reader)
{
	for (unsigned left = ret->flags; left != 0;) {
		unsigned bit = 31 - (unsigned)__builtin_clz(left);

		left &= ~(1U << bit);
		switch (bit) {
#define GET_PROPERTY(type, name, NAME, bit_)                                                       \
	case bit_:                                                                                 \
		ret->name = GET_##type(reader);                                                    \
		break;
			AMQP_PROPERTIES(GET_PROPERTY)
#undef GET_PROPERTY
		default:
			break;
		}
	}
}

/* The first flag word; further ones have been read. */
static uint16_t decode_flags(struct amqp_reader *reader)
{
	uint16_t flags = amqp_get_short(reader);

	if (UNLIKELY((flags & CONTINUATION) != 0))
		skip_flag_words(reader);
	return flags & KNOWN_FLAGS;
}

void amqp_properties_decode_to(struct amqp_properties *ret, struct slice raw,
			       enum amqp_property last)
{
	struct amqp_reader reader;

	amqp_reader_init(&reader, raw);
	ret->flags = decode_flags(&reader) & (uint16_t) ~((unsigned)last - 1);
	decode_values(ret, &reader);
}

int amqp_properties_decode(struct amqp_properties *ret, struct slice raw)
{
	struct amqp_reader reader;

	amqp_reader_init(&reader, raw);
	ret->flags = decode_flags(&reader);
#define CLEAR(type, name, NAME, bit) ret->name = EMPTY_##type;
	AMQP_PROPERTIES(CLEAR)
#undef CLEAR
	decode_values(ret, &reader);
	if (!amqp_reader_is_done(&reader))
		return -EPROTO;
	if (ret->headers.size == 0)
		return 0;
	return amqp_table_validate(ret->headers, AMQP_TABLE_DEPTH_MAX);
}

#define SIZE_octet(name)    1
#define SIZE_longlong(name) 8
#define SIZE_shortstr(name) (1 + properties->name.size)
#define SIZE_table(name)    (4 + properties->name.size)

size_t amqp_properties_size(const struct amqp_properties *properties)
{
	size_t size = AMQP_PROPERTIES_MIN_SIZE;

#define ADD_SIZE(type, name, NAME, bit)                                                            \
	if ((properties->flags & AMQP_PROPERTY_##NAME) != 0)                                       \
		size += SIZE_##type(name);
	AMQP_PROPERTIES(ADD_SIZE)
#undef ADD_SIZE
	return size;
}

#define PUT_octet    amqp_put_octet
#define PUT_longlong amqp_put_longlong
#define PUT_shortstr amqp_put_shortstr
#define PUT_table    amqp_put_longstr

void amqp_properties_encode(struct amqp_writer *writer, const struct amqp_properties *properties)
{
	struct amqp_writer w = *writer;

	amqp_put_short(&w, properties->flags & KNOWN_FLAGS);
#define PUT_PROPERTY(type, name, NAME, bit)                                                        \
	if ((properties->flags & AMQP_PROPERTY_##NAME) != 0)                                       \
		PUT_##type(&w, properties->name);
	AMQP_PROPERTIES(PUT_PROPERTY)
#undef PUT_PROPERTY
	*writer = w;
}

int amqp_properties_append(const struct amqp_properties *properties, struct buffer *out)
{
	size_t size = amqp_properties_size(properties);
	uint8_t *room = buffer_reserve(out, size);
	struct amqp_writer w;

	if (room == NULL)
		return -ENOMEM;
	amqp_writer_init(&w, room, size);
	amqp_properties_encode(&w, properties);
	bug_on(w.failed);
	out->size += size;
	return 0;
}
