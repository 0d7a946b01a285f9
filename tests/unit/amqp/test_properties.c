/* SPDX-License-Identifier: MIT */
#include "amqp/properties.h"

#include <errno.h>

#include "exact.h"
#include "tables.h"

#include "../unit.h"

static const struct amqp_properties *all_properties(void)
{
	static struct amqp_properties all;

	all = (struct amqp_properties){
		.flags = 0xfffc,
		.content_type = SLICE_LITERAL("ct"),
		.content_encoding = SLICE_LITERAL("ce"),
		.headers = TABLE_OF_ALL_TYPES,
		.delivery_mode = 2,
		.priority = 9,
		.correlation_id = SLICE_LITERAL("ci"),
		.reply_to = SLICE_LITERAL("rt"),
		.expiration = SLICE_LITERAL("60000"),
		.message_id = SLICE_LITERAL("mi"),
		.timestamp = UINT64_C(0x0102030405060708),
		.type = SLICE_LITERAL("ty"),
		.user_id = SLICE_LITERAL("guest"),
		.app_id = SLICE_EMPTY,
		.cluster_id = SLICE_LITERAL("cl"),
	};
	return &all;
}

#define SAME_octet(name)    (a->name == b->name)
#define SAME_longlong(name) (a->name == b->name)
#define SAME_shortstr(name) slice_equal(a->name, b->name)
#define SAME_table(name)    slice_equal(a->name, b->name)

static bool same(const struct amqp_properties *a, const struct amqp_properties *b)
{
	bool is_same = a->flags == b->flags;

#define SAME(type, name, NAME, bit)                                                                \
	if (amqp_properties_has(a, AMQP_PROPERTY_##NAME))                                          \
		is_same &= SAME_##type(name);
	AMQP_PROPERTIES(SAME)
#undef SAME
	return is_same;
}

static struct slice encode(uint8_t *out, size_t room, const struct amqp_properties *properties)
{
	struct amqp_writer writer;

	amqp_writer_init(&writer, out, room);
	amqp_properties_encode(&writer, properties);
	CU_ASSERT_FALSE_FATAL(writer.failed);
	CU_ASSERT_EQUAL(amqp_properties_size(properties), (size_t)(writer.p - out));
	return slice_make(out, (size_t)(writer.p - out));
}

static void bytes_in_wire_order(void)
{
	struct amqp_properties some = {
		.flags = AMQP_PROPERTY_CONTENT_TYPE | AMQP_PROPERTY_HEADERS |
			 AMQP_PROPERTY_DELIVERY_MODE | AMQP_PROPERTY_TIMESTAMP |
			 AMQP_PROPERTY_CLUSTER_ID,
		.content_type = SLICE_LITERAL("a/b"),
		.headers = SLICE_LITERAL("\1kV"),
		.delivery_mode = 2,
		.priority = 5,
		.timestamp = 7,
		.cluster_id = SLICE_LITERAL("c"),
	};
	uint8_t out[64];

	CU_ASSERT_TRUE(
		slice_equal(encode(out, sizeof(out), &some),
			    SLICE_LITERAL("\xb0\x44\3a/b\0\0\0\3\1kV\2\0\0\0\0\0\0\0\7\1c")));
}

static void every_set_of_flags_round_trip(void)
{
	struct amqp_properties some = *all_properties();
	struct amqp_properties back;
	uint8_t out[512];
	unsigned flags;

	for (flags = 0; flags < 0x10000; flags += 4) {
		some.flags = (uint16_t)flags;
		if (amqp_properties_decode(&back, encode(out, sizeof(out), &some)) != 0 ||
		    !same(&some, &back)) {
			CU_FAIL("not the same");
			return;
		}
	}
	CU_PASS("all the same");
}

static void absent_fields_are_empty(void)
{
	struct amqp_properties back;

	memset(&back, 0xa5, sizeof(back));
	CU_ASSERT_EQUAL(amqp_properties_decode(&back, SLICE_LITERAL("\0\0")), 0);
	CU_ASSERT_EQUAL(back.flags, 0);
	CU_ASSERT_EQUAL(back.content_type.size, 0);
	CU_ASSERT_EQUAL(back.headers.size, 0);
	CU_ASSERT_EQUAL(back.delivery_mode, 0);
	CU_ASSERT_EQUAL(back.priority, 0);
	CU_ASSERT_EQUAL(back.timestamp, 0);
	CU_ASSERT_EQUAL(back.cluster_id.size, 0);
}

static void down_to_a_property(void)
{
	const struct amqp_properties *all = all_properties();
	struct amqp_properties back;
	uint8_t out[512];
	struct slice whole = encode(out, sizeof(out), all);

	memset(&back, 0xa5, sizeof(back));
	amqp_properties_decode_to(&back, whole, AMQP_PROPERTY_CONTENT_TYPE);
	CU_ASSERT_EQUAL(back.flags, AMQP_PROPERTY_CONTENT_TYPE);
	CU_ASSERT_TRUE(slice_equal(back.content_type, all->content_type));
	amqp_properties_decode_to(&back, whole, AMQP_PROPERTY_HEADERS);
	CU_ASSERT_EQUAL(back.flags, AMQP_PROPERTY_CONTENT_TYPE | AMQP_PROPERTY_CONTENT_ENCODING |
					    AMQP_PROPERTY_HEADERS);
	CU_ASSERT_TRUE(slice_equal(back.headers, all->headers));
	amqp_properties_decode_to(&back, whole, AMQP_PROPERTY_CLUSTER_ID);
	CU_ASSERT_TRUE(same(all, &back));
	amqp_properties_decode_to(&back, SLICE_LITERAL("\x10\0\2"), AMQP_PROPERTY_HEADERS);
	CU_ASSERT_EQUAL(back.flags, 0);
}

static void every_prefix_is_refused(void)
{
	struct amqp_properties back;
	struct slice whole;
	struct slice copy;
	uint8_t out[512];
	size_t n;

	whole = encode(out, sizeof(out) - 1, all_properties());
	CU_ASSERT_EQUAL(amqp_properties_decode(&back, whole), 0);
	for (n = 0; n < whole.size; n++) {
		copy = exact_copy(whole, n);
		CU_ASSERT_EQUAL(amqp_properties_decode(&back, copy), -EPROTO);
		exact_free(copy);
	}
	out[whole.size] = 0;
	CU_ASSERT_EQUAL(amqp_properties_decode(&back, slice_make(out, whole.size + 1)), -EPROTO);
}

/* AMQP 0-9-1 section 4.2.6.1: bit 0 says that another flag word follows. */
static void continuation_words_are_read(void)
{
	struct amqp_properties back;

	CU_ASSERT_EQUAL(amqp_properties_decode(&back, SLICE_LITERAL("\x10\1\0\0\2")), 0);
	CU_ASSERT_EQUAL(back.flags, AMQP_PROPERTY_DELIVERY_MODE);
	CU_ASSERT_EQUAL(back.delivery_mode, 2);
	CU_ASSERT_EQUAL(amqp_properties_decode(&back, SLICE_LITERAL("\x10\1\0\1\0\0\2")), 0);
	CU_ASSERT_EQUAL(back.delivery_mode, 2);
	CU_ASSERT_EQUAL(amqp_properties_decode(&back, SLICE_LITERAL("\x10\1\0\2\2")), -EPROTO);
	CU_ASSERT_EQUAL(amqp_properties_decode(&back, SLICE_LITERAL("\x10\1")), -EPROTO);
	CU_ASSERT_EQUAL(amqp_properties_decode(&back, SLICE_LITERAL("\0\1\0\1\0\1")), -EPROTO);
}

/* As RabbitMQ does with the one bit of the first word that means nothing. */
static void reserved_bit_is_ignored(void)
{
	struct amqp_properties back;

	CU_ASSERT_EQUAL(amqp_properties_decode(&back, SLICE_LITERAL("\x10\2\1")), 0);
	CU_ASSERT_EQUAL(back.flags, AMQP_PROPERTY_DELIVERY_MODE);
}

static void malformed_headers_are_refused(void)
{
	struct amqp_properties back;

	CU_ASSERT_EQUAL(amqp_properties_decode(&back, SLICE_LITERAL("\x20\0\0\0\0\3\1kV")), 0);
	CU_ASSERT_EQUAL(amqp_properties_decode(&back, SLICE_LITERAL("\x20\0\0\0\0\3\1k?")),
			-EPROTO);
	CU_ASSERT_EQUAL(amqp_properties_decode(&back, SLICE_LITERAL("\x20\0\0\0\0\4\1kV\1")),
			-EPROTO);
	CU_ASSERT_EQUAL(amqp_properties_decode(&back, SLICE_LITERAL("\x20\0\xff\xff\xff\xff\1kV")),
			-EPROTO);
}

static void encode_without_room_fails(void)
{
	struct amqp_writer writer;
	uint8_t *out;
	size_t size = amqp_properties_size(all_properties());
	size_t n;

	for (n = 0; n < size; n++) {
		out = malloc(n);
		amqp_writer_init(&writer, out, n);
		amqp_properties_encode(&writer, all_properties());
		CU_ASSERT_TRUE(writer.failed);
		free(out);
	}
}

UNIT_MAIN("amqp/properties", UNIT_TEST(bytes_in_wire_order),
	  UNIT_TEST(every_set_of_flags_round_trip), UNIT_TEST(absent_fields_are_empty),
	  UNIT_TEST(down_to_a_property), UNIT_TEST(every_prefix_is_refused),
	  UNIT_TEST(continuation_words_are_read), UNIT_TEST(reserved_bit_is_ignored),
	  UNIT_TEST(malformed_headers_are_refused), UNIT_TEST(encode_without_room_fails))
