/* SPDX-License-Identifier: MIT */
#include "amqp/frame.h"

#include <errno.h>

#include "exact.h"

#include "../unit.h"

#define FRAME_MAX 4096

static size_t make_frame(uint8_t *out, size_t room, uint8_t type, struct slice payload)
{
	struct amqp_writer writer;

	amqp_writer_init(&writer, out, room);
	amqp_frame_put_header(&writer, (enum amqp_frame_type)type, 0x1234, (uint32_t)payload.size);
	amqp_put_bytes(&writer, payload);
	amqp_frame_put_end(&writer);
	CU_ASSERT_FALSE_FATAL(writer.failed);
	return (size_t)(writer.p - out);
}

static void frame_is_found(void)
{
	static const uint8_t types[] = {1, 2, 3, 8};
	uint8_t bytes[64];
	struct amqp_frame frame;
	size_t used;
	size_t size;
	size_t i;

	for (i = 0; i < sizeof(types); i++) {
		size = make_frame(bytes, sizeof(bytes), types[i], SLICE_LITERAL("payload"));
		CU_ASSERT_EQUAL(size, 7 + AMQP_FRAME_OVERHEAD);
		CU_ASSERT_EQUAL(amqp_frame_parse(slice_make(bytes, sizeof(bytes)), FRAME_MAX,
						 &frame, &used),
				1);
		CU_ASSERT_EQUAL(used, size);
		CU_ASSERT_EQUAL(frame.type, types[i]);
		CU_ASSERT_EQUAL(frame.channel, 0x1234);
		CU_ASSERT_TRUE(slice_equal(frame.payload, SLICE_LITERAL("payload")));
		CU_ASSERT_PTR_EQUAL(frame.payload.data, bytes + AMQP_FRAME_HEAD_SIZE);
	}
}

static void every_prefix_asks_for_more(void)
{
	uint8_t bytes[64];
	struct amqp_frame frame;
	struct slice copy;
	size_t used;
	size_t n;
	size_t size = make_frame(bytes, sizeof(bytes), AMQP_FRAME_BODY, SLICE_LITERAL("payload"));

	for (n = 0; n < size; n++) {
		copy = exact_copy(slice_make(bytes, size), n);
		used = 99;
		CU_ASSERT_EQUAL(amqp_frame_parse(copy, FRAME_MAX, &frame, &used), 0);
		CU_ASSERT_EQUAL(used, n < AMQP_FRAME_HEAD_SIZE ? 0 : size);
		exact_free(copy);
	}
}

static void wrong_type_is_seen_at_once(void)
{
	static const uint8_t wrong[] = {0, 4, 5, 6, 7, 9, 'A', 255};
	struct amqp_frame frame;
	size_t used;
	size_t i;

	for (i = 0; i < sizeof(wrong); i++)
		CU_ASSERT_EQUAL(
			amqp_frame_parse(slice_make(&wrong[i], 1), FRAME_MAX, &frame, &used),
			-EPROTO);
}

/* frame_max counts head and end octet; RabbitMQ lets eight bytes more through. */
static void size_limit_has_its_tolerance(void)
{
	uint8_t bytes[AMQP_FRAME_HEAD_SIZE];
	struct slice head = slice_make(bytes, sizeof(bytes));
	struct amqp_writer writer;
	struct amqp_frame frame;
	size_t used;

	amqp_writer_init(&writer, bytes, sizeof(bytes));
	amqp_frame_put_header(&writer, AMQP_FRAME_BODY, 3, FRAME_MAX);
	CU_ASSERT_EQUAL(amqp_frame_parse(head, FRAME_MAX, &frame, &used), 0);
	CU_ASSERT_EQUAL(used, FRAME_MAX + AMQP_FRAME_OVERHEAD);

	amqp_writer_init(&writer, bytes, sizeof(bytes));
	amqp_frame_put_header(&writer, AMQP_FRAME_BODY, 3, FRAME_MAX + 1);
	CU_ASSERT_EQUAL(amqp_frame_parse(head, FRAME_MAX, &frame, &used), -EMSGSIZE);
	CU_ASSERT_EQUAL(frame.type, AMQP_FRAME_BODY);
	CU_ASSERT_EQUAL(frame.channel, 3);
}

static void largest_claims_do_not_overflow(void)
{
	uint8_t bytes[AMQP_FRAME_HEAD_SIZE];
	struct slice head = slice_make(bytes, sizeof(bytes));
	struct amqp_writer writer;
	struct amqp_frame frame;
	size_t used;

	amqp_writer_init(&writer, bytes, sizeof(bytes));
	amqp_frame_put_header(&writer, AMQP_FRAME_METHOD, 0, UINT32_MAX);
	CU_ASSERT_EQUAL(amqp_frame_parse(head, UINT32_MAX, &frame, &used), 0);
	CU_ASSERT_EQUAL(used, (uint64_t)UINT32_MAX + AMQP_FRAME_OVERHEAD);
	CU_ASSERT_EQUAL(amqp_frame_parse(head, 0, &frame, &used), 0);
	CU_ASSERT_EQUAL(amqp_frame_parse(head, UINT32_MAX - 8, &frame, &used), -EMSGSIZE);
}

static void wrong_end_octet_is_refused(void)
{
	uint8_t bytes[64];
	struct amqp_frame frame;
	size_t used;
	size_t size = make_frame(bytes, sizeof(bytes), AMQP_FRAME_METHOD, SLICE_LITERAL("abcd"));

	bytes[size - 1] = 0xCD;
	CU_ASSERT_EQUAL(amqp_frame_parse(slice_make(bytes, size), FRAME_MAX, &frame, &used),
			-EBADMSG);
	CU_ASSERT_EQUAL(frame.channel, 0x1234);
	CU_ASSERT_EQUAL(frame.payload.size, 0);
}

static void heartbeat_is_eight_bytes(void)
{
	static const uint8_t expected[] = {8, 0, 0, 0, 0, 0, 0, 0xCE};
	uint8_t bytes[8];
	struct amqp_writer writer;

	amqp_writer_init(&writer, bytes, sizeof(bytes));
	amqp_frame_put_heartbeat(&writer);
	CU_ASSERT_FALSE(writer.failed);
	CU_ASSERT_EQUAL(memcmp(bytes, expected, sizeof(bytes)), 0);
}

static void method_frame_is_whole(void)
{
	static const uint8_t expected[] = {1, 0, 7, 0, 0, 0, 13, 0, 60, 0,   80,
					   0, 0, 0, 0, 0, 0, 0,	 9, 1,	0xCE};
	struct amqp_method method = {.id = AMQP_BASIC_ACK,
				     .basic_ack = {.delivery_tag = 9, .multiple = true}};
	uint8_t bytes[sizeof(expected)];
	struct amqp_writer writer;

	CU_ASSERT_EQUAL(amqp_method_size(&method) + AMQP_FRAME_OVERHEAD, sizeof(expected));
	amqp_writer_init(&writer, bytes, sizeof(bytes));
	amqp_frame_put_method(&writer, 7, &method);
	CU_ASSERT_FALSE(writer.failed);
	CU_ASSERT_EQUAL(memcmp(bytes, expected, sizeof(bytes)), 0);
	amqp_writer_init(&writer, bytes, sizeof(bytes) - 1);
	amqp_frame_put_method(&writer, 7, &method);
	CU_ASSERT_TRUE(writer.failed);
}

static void content_header_round_trip(void)
{
	static const uint8_t expected[] = {0, 60, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x10, 0, 2};
	struct amqp_content_header header = {.class_id = 60,
					     .body_size = UINT64_C(0x0102030405060708),
					     .properties = SLICE_LITERAL("\x10\0\2")};
	struct amqp_content_header back;
	uint8_t bytes[sizeof(expected)];
	struct amqp_writer writer;

	CU_ASSERT_EQUAL(amqp_content_header_size(&header), sizeof(expected));
	amqp_writer_init(&writer, bytes, sizeof(bytes));
	amqp_content_header_encode(&writer, &header);
	CU_ASSERT_EQUAL(memcmp(bytes, expected, sizeof(bytes)), 0);
	CU_ASSERT_EQUAL(amqp_content_header_decode(&back, slice_make(bytes, sizeof(bytes))), 0);
	CU_ASSERT_EQUAL(back.class_id, 60);
	CU_ASSERT_EQUAL(back.body_size, header.body_size);
	CU_ASSERT_TRUE(slice_equal(back.properties, header.properties));
}

static void content_header_truncated(void)
{
	struct amqp_content_header header;
	struct slice whole = SLICE_LITERAL("\0\x3c\0\0\0\0\0\0\0\0\0\1");
	struct slice copy;
	size_t n;

	CU_ASSERT_EQUAL(amqp_content_header_decode(&header, whole), 0);
	CU_ASSERT_EQUAL(header.properties.size, 0);
	for (n = 0; n < whole.size; n++) {
		copy = exact_copy(whole, n);
		CU_ASSERT_EQUAL(amqp_content_header_decode(&header, copy), -EPROTO);
		exact_free(copy);
	}
}

static void content_header_weight_must_be_zero(void)
{
	struct amqp_content_header header;
	struct slice bytes = SLICE_LITERAL("\0\x3c\0\1\0\0\0\0\0\0\0\1\0\0");

	CU_ASSERT_EQUAL(amqp_content_header_decode(&header, bytes), -EPROTO);
	CU_ASSERT_EQUAL(header.class_id, 60);
}

static void protocol_header_is_checked_byte_by_byte(void)
{
	struct slice good = SLICE_LITERAL("AMQP\0\0\x09\x01");
	uint8_t bytes[AMQP_PROTOCOL_HEADER_SIZE];
	size_t n;

	CU_ASSERT_EQUAL(memcmp(amqp_protocol_header, good.data, good.size), 0);
	CU_ASSERT_EQUAL(amqp_protocol_header_check(good), AMQP_PROTOCOL_HEADER_OK);
	CU_ASSERT_EQUAL(amqp_protocol_header_check(SLICE_LITERAL("AMQP\0\0\x09\x01more")),
			AMQP_PROTOCOL_HEADER_OK);
	CU_ASSERT_EQUAL(amqp_protocol_header_check(SLICE_EMPTY), AMQP_PROTOCOL_HEADER_MORE);
	for (n = 0; n < good.size; n++) {
		CU_ASSERT_EQUAL(amqp_protocol_header_check(slice_make(good.data, n)),
				AMQP_PROTOCOL_HEADER_MORE);
		memcpy(bytes, good.data, sizeof(bytes));
		bytes[n] ^= 0x20;
		CU_ASSERT_EQUAL(amqp_protocol_header_check(slice_make(bytes, n + 1)),
				AMQP_PROTOCOL_HEADER_BAD);
	}
	CU_ASSERT_EQUAL(amqp_protocol_header_check(SLICE_LITERAL("GET / HTTP/1.1")),
			AMQP_PROTOCOL_HEADER_BAD);
}

UNIT_MAIN("amqp/frame", UNIT_TEST(frame_is_found), UNIT_TEST(every_prefix_asks_for_more),
	  UNIT_TEST(wrong_type_is_seen_at_once), UNIT_TEST(size_limit_has_its_tolerance),
	  UNIT_TEST(largest_claims_do_not_overflow), UNIT_TEST(wrong_end_octet_is_refused),
	  UNIT_TEST(heartbeat_is_eight_bytes), UNIT_TEST(method_frame_is_whole),
	  UNIT_TEST(content_header_round_trip), UNIT_TEST(content_header_truncated),
	  UNIT_TEST(content_header_weight_must_be_zero),
	  UNIT_TEST(protocol_header_is_checked_byte_by_byte))
