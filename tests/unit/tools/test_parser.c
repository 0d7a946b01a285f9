/* SPDX-License-Identifier: MIT */
#include "parser.h"

#include "../unit.h"

#include "amqp/frame.h"
#include "base/buffer.h"

#define CAPACITY 512

/* What the broker sends, made up by a test, and what the parser finds in it. */
static struct buffer wire;
static struct parser parser;

struct found {
	enum parser_type type;
	struct parser_event event;
	uint32_t method_id;
};

static void put_method(const struct amqp_method *method)
{
	size_t size = amqp_method_size(method) + AMQP_FRAME_OVERHEAD;
	uint8_t *room = buffer_reserve(&wire, size);
	struct amqp_writer writer;

	CU_ASSERT_PTR_NOT_NULL_FATAL(room);
	amqp_writer_init(&writer, room, size);
	amqp_frame_put_method(&writer, method->id == AMQP_CONNECTION_BLOCKED ? 0 : 1, method);
	CU_ASSERT_FALSE_FATAL(writer.failed);
	wire.size += size;
}

static void put_frame(enum amqp_frame_type type, uint16_t channel, const void *bytes, size_t size)
{
	uint8_t head[AMQP_FRAME_HEAD_SIZE];
	struct amqp_writer writer;

	amqp_writer_init(&writer, head, sizeof(head));
	amqp_frame_put_header(&writer, type, channel, (uint32_t)size);
	buffer_append(&wire, head, sizeof(head));
	buffer_append(&wire, bytes, size);
	buffer_append_byte(&wire, AMQP_FRAME_END);
}

static void put_content_header(uint64_t body_size)
{
	struct amqp_content_header header = {.class_id = 60, .body_size = body_size};
	uint8_t bytes[AMQP_CONTENT_HEADER_FIXED + 2];
	struct amqp_writer writer;

	header.properties = SLICE_LITERAL("\0\0");
	amqp_writer_init(&writer, bytes, sizeof(bytes));
	amqp_content_header_encode(&writer, &header);
	put_frame(AMQP_FRAME_HEADER, 1, bytes, sizeof(bytes));
}

static void put_deliver(const char *tag, uint64_t delivery_tag, bool redelivered)
{
	struct amqp_method method = {.id = AMQP_BASIC_DELIVER};

	method.basic_deliver.consumer_tag = slice_cstr(tag);
	method.basic_deliver.delivery_tag = delivery_tag;
	method.basic_deliver.redelivered = redelivered;
	method.basic_deliver.exchange = SLICE_LITERAL("x");
	method.basic_deliver.routing_key = SLICE_LITERAL("some.key");
	put_method(&method);
}

static void put_message(const char *tag, uint64_t delivery_tag, size_t body_size, size_t frame_size)
{
	uint8_t body[2000];

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)i;
	put_deliver(tag, delivery_tag, false);
	put_content_header(body_size);
	for (size_t at = 0; at < body_size; at += frame_size)
		put_frame(AMQP_FRAME_BODY, 1, body + at,
			  body_size - at < frame_size ? body_size - at : frame_size);
}

static void put_confirm(uint32_t id, uint64_t delivery_tag, bool multiple)
{
	struct amqp_method method = {.id = id};

	if (id == AMQP_BASIC_ACK) {
		method.basic_ack.delivery_tag = delivery_tag;
		method.basic_ack.multiple = multiple;
	} else {
		method.basic_nack.delivery_tag = delivery_tag;
		method.basic_nack.multiple = multiple;
	}
	put_method(&method);
}

static void setup(void)
{
	buffer_init(&wire);
	parser_init(&parser, CAPACITY);
}

static void teardown(void)
{
	buffer_fini(&wire);
	parser_fini(&parser);
}

/* Feeds `size` bytes from `at`, as many as fit at a time, `step` at most; what it finds. */
static unsigned feed(size_t at, size_t size, size_t step, struct found *found, unsigned found_max)
{
	unsigned count = 0;

	while (size > 0) {
		size_t room_size;
		uint8_t *room = parser_room(&parser, &room_size);
		size_t n = size < step ? size : step;
		struct parser_event event = {.consumer = 0};
		enum parser_type type;

		CU_ASSERT_FATAL(room_size > 0);
		n = n < room_size ? n : room_size;
		memcpy(room, wire.data + at, n);
		parser_add(&parser, n);
		at += n;
		size -= n;
		while ((type = parser_next(&parser, &event)) != PARSER_MORE) {
			CU_ASSERT_FATAL(count < found_max);
			found[count].type = type;
			found[count].event = event;
			if (type == PARSER_METHOD) {
				memcpy(&found[count].method_id, event.method.data, 4);
				found[count].method_id = __builtin_bswap32(found[count].method_id);
			}
			count++;
			if (type == PARSER_ERROR)
				return count;
		}
	}
	return count;
}

static unsigned feed_all(struct found *found, unsigned found_max)
{
	return feed(0, wire.size, SIZE_MAX, found, found_max);
}

/* One of everything, as a broker would send it. */
static void put_conversation(void)
{
	struct amqp_method blocked = {.id = AMQP_CONNECTION_BLOCKED};
	struct amqp_method returned = {.id = AMQP_BASIC_RETURN};

	put_message("0", 1, 100, 1000);
	put_confirm(AMQP_BASIC_ACK, 7, true);
	put_frame(AMQP_FRAME_HEARTBEAT, 0, "", 0);
	put_message("1f", 2, 0, 1000);
	put_confirm(AMQP_BASIC_NACK, 8, false);
	put_message("a", 3, 5, 1000);
	put_message("a", UINT64_C(1) << 40, 1500, 400);
	put_method(&blocked);
	put_method(&returned);
	put_content_header(3);
	put_frame(AMQP_FRAME_BODY, 1, "abc", 3);
	put_message("a", 5, 20, 3);
}

static void check_conversation(const struct found *found, unsigned count)
{
	static const enum parser_type types[] = {PARSER_DELIVERY, PARSER_ACK,	   PARSER_DELIVERY,
						 PARSER_NACK,	  PARSER_DELIVERY, PARSER_DELIVERY,
						 PARSER_METHOD,	  PARSER_RETURN,   PARSER_DELIVERY};
	const struct parser_event *last = &found[8].event;

	CU_ASSERT_EQUAL_FATAL(count, 9);
	for (unsigned i = 0; i < 9; i++)
		CU_ASSERT_EQUAL_FATAL(found[i].type, types[i]);
	CU_ASSERT(found[0].event.body_size == 100 && found[0].event.head_size == 16);
	CU_ASSERT(found[0].event.head[0] == 0 && found[0].event.head[15] == 15);
	CU_ASSERT(found[1].event.delivery_tag == 7 && found[1].event.multiple);
	CU_ASSERT(found[2].event.consumer == 0x1f && found[2].event.head_size == 0);
	CU_ASSERT(found[3].event.delivery_tag == 8 && !found[3].event.multiple);
	CU_ASSERT(found[4].event.consumer == 10 && found[4].event.head_size == 5);
	CU_ASSERT(found[5].event.delivery_tag == UINT64_C(1) << 40);
	CU_ASSERT(found[5].event.body_size == 1500 && found[5].event.head[15] == 15);
	CU_ASSERT_EQUAL(found[6].method_id, AMQP_CONNECTION_BLOCKED);
	CU_ASSERT(last->body_size == 20 && last->head_size == 16 && last->head[15] == 15);
}

static void finds_everything_at_once(void)
{
	struct found found[16];

	setup();
	put_conversation();
	check_conversation(found, feed_all(found, 16));
	teardown();
}

static void finds_everything_in_pieces_of_any_size(void)
{
	struct found found[16];

	for (size_t step = 1; step < 80; step++) {
		setup();
		put_conversation();
		check_conversation(found, feed(0, wire.size, step, found, 16));
		teardown();
	}
}

static void finds_the_same_wherever_it_is_cut(void)
{
	struct found found[16];
	size_t size;

	setup();
	put_conversation();
	size = wire.size;
	teardown();
	for (size_t cut = 0; cut <= size; cut++) {
		unsigned count;

		setup();
		put_conversation();
		count = feed(0, cut, SIZE_MAX, found, 16);
		count += feed(cut, size - cut, SIZE_MAX, found + count, 16 - count);
		check_conversation(found, count);
		teardown();
	}
}

static void tells_redelivered(void)
{
	struct found found[1];

	setup();
	put_deliver("0", 1, true);
	put_content_header(0);
	CU_ASSERT_EQUAL_FATAL(feed_all(found, 1), 1);
	CU_ASSERT(found[0].event.redelivered);
	teardown();
}

static void a_body_may_be_larger_than_the_buffer(void)
{
	struct found found[2];

	setup();
	put_message("0", 1, 2000, 2000);
	put_message("0", 2, 8, 2000);
	CU_ASSERT_EQUAL_FATAL(feed_all(found, 2), 2);
	CU_ASSERT(found[0].event.body_size == 2000 && found[1].event.body_size == 8);
	teardown();
}

/* The wire of the test ends in an error. */
static void expect_error(void)
{
	struct parser_event event;
	struct found found[4];
	unsigned count = feed_all(found, 4);

	CU_ASSERT_FATAL(count > 0);
	CU_ASSERT_EQUAL(found[count - 1].type, PARSER_ERROR);
	CU_ASSERT_PTR_NOT_NULL(parser.error);
	CU_ASSERT_EQUAL(parser_next(&parser, &event), PARSER_ERROR);
	teardown();
}

static void refuses_a_wrong_frame_end(void)
{
	setup();
	put_confirm(AMQP_BASIC_ACK, 1, false);
	wire.data[wire.size - 1] = 0;
	expect_error();
	setup();
	put_message("0", 1, 300, 300);
	wire.data[wire.size - 1] = 0;
	expect_error();
}

static void refuses_an_unknown_frame_type(void)
{
	setup();
	put_confirm(AMQP_BASIC_ACK, 1, false);
	wire.data[0] = 4;
	expect_error();
}

static void refuses_a_method_frame_beyond_the_buffer(void)
{
	uint8_t payload[CAPACITY] = {0};

	setup();
	put_frame(AMQP_FRAME_METHOD, 1, payload, sizeof(payload));
	expect_error();
}

static void refuses_content_out_of_place(void)
{
	setup();
	put_content_header(5);
	expect_error();
	setup();
	put_frame(AMQP_FRAME_BODY, 1, "abc", 3);
	expect_error();
	setup();
	put_deliver("0", 1, false);
	put_frame(AMQP_FRAME_BODY, 1, "abc", 3);
	expect_error();
	setup();
	put_deliver("0", 1, false);
	put_content_header(5);
	put_content_header(5);
	expect_error();
	setup();
	put_deliver("0", 1, false);
	put_confirm(AMQP_BASIC_ACK, 1, false);
	expect_error();
}

static void refuses_a_body_longer_than_said(void)
{
	setup();
	put_deliver("0", 1, false);
	put_content_header(2);
	put_frame(AMQP_FRAME_BODY, 1, "abc", 3);
	expect_error();
}

static void refuses_a_tag_of_someone_else(void)
{
	setup();
	put_deliver("amq.ctag-x", 1, false);
	expect_error();
	setup();
	put_deliver("", 1, false);
	expect_error();
}

static void refuses_short_methods(void)
{
	static const uint8_t deliver[] = {0, 60, 0, 60, 200, 'a'};
	static const uint8_t ack[] = {0, 60, 0, 80, 0, 0, 0, 0};

	setup();
	put_frame(AMQP_FRAME_METHOD, 1, deliver, sizeof(deliver));
	expect_error();
	setup();
	put_frame(AMQP_FRAME_METHOD, 1, ack, sizeof(ack));
	expect_error();
	setup();
	put_frame(AMQP_FRAME_METHOD, 1, "\0\x3c", 2);
	expect_error();
	setup();
	put_deliver("0", 1, false);
	put_frame(AMQP_FRAME_HEADER, 1, "\0\x3c", 2);
	expect_error();
}

UNIT_MAIN("parser", UNIT_TEST(finds_everything_at_once),
	  UNIT_TEST(finds_everything_in_pieces_of_any_size),
	  UNIT_TEST(finds_the_same_wherever_it_is_cut), UNIT_TEST(tells_redelivered),
	  UNIT_TEST(a_body_may_be_larger_than_the_buffer), UNIT_TEST(refuses_a_wrong_frame_end),
	  UNIT_TEST(refuses_an_unknown_frame_type),
	  UNIT_TEST(refuses_a_method_frame_beyond_the_buffer),
	  UNIT_TEST(refuses_content_out_of_place), UNIT_TEST(refuses_a_body_longer_than_said),
	  UNIT_TEST(refuses_a_tag_of_someone_else), UNIT_TEST(refuses_short_methods))
