/* SPDX-License-Identifier: MIT */
/*
 * The tests of all methods are generated from the table, as the code is. So that a mistake in the
 * table or in the generator shows, the bytes of some methods are also given by hand, and the octets
 * of bits are checked against the specification's rule.
 */
#include "amqp/method.h"

#include <errno.h>

#include "exact.h"

#include "../unit.h"

static uint64_t random_state = 1;

static uint64_t next_random(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return random_state >> 16 ^ random_state << 20;
}

static uint8_t junk[300];

static struct slice random_bytes(size_t most)
{
	size_t i;

	for (i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)next_random();
	return slice_make(junk, next_random() % (most + 1));
}

static struct slice random_text(void)
{
	static const char text[] = "amq.rabbitmq.reply-to-amq.gen-JzTY20BRgKO-HjmUJj0wLg amq.topic";

	return slice_make(text, next_random() % sizeof(text));
}

static struct slice random_table(void)
{
	const struct slice tables[] = {
		SLICE_EMPTY,
		SLICE_LITERAL("\1ai\0\0\0\7"),
		SLICE_LITERAL("\1aF\0\0\0\x0a\1bA\0\0\0\3t\1V\3keyV"),
	};

	return tables[next_random() % 3];
}

#define FILL_octet(name) method->name = (uint8_t)next_random();
#define FILL_short(name) method->name = (uint16_t)next_random();
#define FILL_long(name) method->name = (uint32_t)next_random();
#define FILL_longlong(name) method->name = next_random();
#define FILL_bit(name) method->name = (next_random() & 1) != 0;
#define FILL_shortstr(name) method->name = random_bytes(255);
#define FILL_text(name) method->name = random_text();
#define FILL_longstr(name) method->name = random_bytes(sizeof(junk));
#define FILL_table(name) method->name = random_table();
#define FILL_FIELD(type, name) FILL_##type(name)

#define SAME_octet(name) is_same &= a->name == b->name;
#define SAME_short(name) is_same &= a->name == b->name;
#define SAME_long(name) is_same &= a->name == b->name;
#define SAME_longlong(name) is_same &= a->name == b->name;
#define SAME_bit(name) is_same &= a->name == b->name;
#define SAME_shortstr(name) is_same &= slice_equal(a->name, b->name);
#define SAME_text(name) is_same &= slice_equal(a->name, b->name);
#define SAME_longstr(name) is_same &= slice_equal(a->name, b->name);
#define SAME_table(name) is_same &= slice_equal(a->name, b->name);
#define SAME_FIELD(type, name) SAME_##type(name)

#define FILL_AND_SAME(class, method_, ...)                                                         \
	static void fill_##class##_##method_(struct amqp_##class##_##method_ *method)              \
	{                                                                                          \
		(void)method;                                                                      \
		AMQP_FIELDS_##class##_##method_(FILL_FIELD);                                       \
	}                                                                                          \
                                                                                                   \
	static bool same_##class##_##method_(const struct amqp_##class##_##method_ *a,             \
					     const struct amqp_##class##_##method_ *b)             \
	{                                                                                          \
		bool is_same = true;                                                               \
                                                                                                   \
		(void)a;                                                                           \
		(void)b;                                                                           \
		AMQP_FIELDS_##class##_##method_(SAME_FIELD);                                       \
		return is_same;                                                                    \
	}
AMQP_METHODS(FILL_AND_SAME)

static void fill(struct amqp_method *method)
{
	switch (method->id) {
#define CASE(class, method_, CLASS, METHOD, ...)                                                   \
	case AMQP_##CLASS##_##METHOD:                                                              \
		fill_##class##_##method_(&method->class##_##method_);                              \
		break;
		AMQP_METHODS(CASE)
#undef CASE
	default:
		CU_FAIL_FATAL("no such method");
	}
}

static bool same(const struct amqp_method *a, const struct amqp_method *b)
{
	if (a->id != b->id)
		return false;
	switch (a->id) {
#define CASE(class, method_, CLASS, METHOD, ...)                                                   \
	case AMQP_##CLASS##_##METHOD:                                                              \
		return same_##class##_##method_(&a->class##_##method_, &b->class##_##method_);
		AMQP_METHODS(CASE)
#undef CASE
	default:
		return false;
	}
}

static const uint32_t all_ids[] = {
#define ID(class, method, CLASS, METHOD, ...) AMQP_##CLASS##_##METHOD,
	AMQP_METHODS(ID)
#undef ID
};

#define ID_COUNT (sizeof(all_ids) / sizeof(all_ids[0]))

static struct slice encode(uint8_t *out, size_t room, const struct amqp_method *method)
{
	struct amqp_writer writer;

	amqp_writer_init(&writer, out, room);
	amqp_method_encode(&writer, method);
	CU_ASSERT_FALSE_FATAL(writer.failed);
	return slice_make(out, (size_t)(writer.p - out));
}

static void check_prefixes_and_excess(struct slice bytes)
{
	struct amqp_method back;
	struct slice copy;
	uint8_t longer[4096];
	size_t n;

	for (n = 0; n < bytes.size; n++) {
		copy = exact_copy(bytes, n);
		CU_ASSERT_EQUAL(amqp_method_decode(&back, copy), -EPROTO);
		exact_free(copy);
	}
	memcpy(longer, bytes.data, bytes.size);
	longer[bytes.size] = 0;
	CU_ASSERT_EQUAL(amqp_method_decode(&back, slice_make(longer, bytes.size + 1)), -EPROTO);
}

static void every_method_round_trip_and_truncation(void)
{
	struct amqp_method method;
	struct amqp_method back;
	struct slice bytes;
	uint8_t out[4096];
	unsigned turn;
	size_t i;

	for (i = 0; i < ID_COUNT; i++) {
		for (turn = 0; turn < 12; turn++) {
			method.id = all_ids[i];
			fill(&method);
			bytes = encode(out, sizeof(out) - 1, &method);
			CU_ASSERT_EQUAL(bytes.size, amqp_method_size(&method));
			CU_ASSERT_EQUAL(amqp_method_decode(&back, bytes), 0);
			CU_ASSERT_TRUE(same(&method, &back));
			check_prefixes_and_excess(bytes);
		}
	}
}

static void encode_without_room_fails(void)
{
	struct amqp_writer writer;
	struct amqp_method method;
	uint8_t *out;
	size_t size;
	size_t i;

	for (i = 0; i < ID_COUNT; i++) {
		method.id = all_ids[i];
		fill(&method);
		size = amqp_method_size(&method) - 1;
		out = malloc(size);
		amqp_writer_init(&writer, out, size);
		amqp_method_encode(&writer, &method);
		CU_ASSERT_TRUE(writer.failed);
		free(out);
	}
}

static void check_bytes(const struct amqp_method *method, struct slice expected)
{
	struct amqp_method back;
	uint8_t out[256];

	CU_ASSERT_TRUE(slice_equal(encode(out, sizeof(out), method), expected));
	CU_ASSERT_EQUAL(amqp_method_decode(&back, expected), 0);
	CU_ASSERT_TRUE(same(method, &back));
}

static void bytes_of_publish_and_deliver(void)
{
	struct amqp_method publish = {.id = AMQP_BASIC_PUBLISH,
				      .basic_publish = {.reserved_1 = 0x0102,
							.exchange = SLICE_LITERAL("ex"),
							.routing_key = SLICE_LITERAL("key"),
							.immediate = true}};
	struct amqp_method deliver = {.id = AMQP_BASIC_DELIVER,
				      .basic_deliver = {.consumer_tag = SLICE_LITERAL("t"),
							.delivery_tag = 0x0102030405060708,
							.redelivered = true,
							.exchange = SLICE_LITERAL(""),
							.routing_key = SLICE_LITERAL("rk")}};

	check_bytes(&publish, SLICE_LITERAL("\0\x3c\0\x28\1\2\2ex\3key\2"));
	check_bytes(&deliver, SLICE_LITERAL("\0\x3c\0\x3c\1t\1\2\3\4\5\6\7\x08\1\0\2rk"));
}

/* AMQP 0-9-1 section 4.2.5.2: bits in a row fill an octet from the low end. */
static void bits_in_a_row_share_an_octet(void)
{
	struct amqp_method declare = {.id = AMQP_QUEUE_DECLARE,
				      .queue_declare = {.queue = SLICE_LITERAL("q"),
							.durable = true,
							.auto_delete = true}};
	struct amqp_method exchange = {.id = AMQP_EXCHANGE_DECLARE,
				       .exchange_declare = {.exchange = SLICE_LITERAL("e"),
							    .type = SLICE_LITERAL("topic"),
							    .passive = true,
							    .internal = true,
							    .no_wait = true}};
	struct amqp_method nack = {.id = AMQP_BASIC_NACK,
				   .basic_nack = {.delivery_tag = 1, .requeue = true}};
	struct amqp_method request = {
		.id = AMQP_ACCESS_REQUEST,
		.access_request = {.realm = SLICE_LITERAL("/data"), .active = true, .read = true}};

	check_bytes(&declare, SLICE_LITERAL("\0\x32\0\x0a\0\0\1q\x0a\0\0\0\0"));
	check_bytes(&exchange, SLICE_LITERAL("\0\x28\0\x0a\0\0\1e\5topic\x19\0\0\0\0"));
	check_bytes(&nack, SLICE_LITERAL("\0\x3c\0\x78\0\0\0\0\0\0\0\1\2"));
	check_bytes(&request, SLICE_LITERAL("\0\x1e\0\x0a\5/data\x14"));
}

static void bytes_of_the_odd_ones(void)
{
	struct amqp_method channel_open_ok = {.id = AMQP_CHANNEL_OPEN_OK};
	struct amqp_method connection_open_ok = {.id = AMQP_CONNECTION_OPEN_OK};
	struct amqp_method unbind_ok = {.id = AMQP_EXCHANGE_UNBIND_OK};
	struct amqp_method get_empty = {.id = AMQP_BASIC_GET_EMPTY};
	struct amqp_method unbind = {
		.id = AMQP_QUEUE_UNBIND,
		.queue_unbind = {.queue = SLICE_LITERAL("q"), .exchange = SLICE_LITERAL("e")}};
	struct amqp_method tune = {
		.id = AMQP_CONNECTION_TUNE,
		.connection_tune = {.channel_max = 2047, .frame_max = 131072, .heartbeat = 60}};

	check_bytes(&channel_open_ok, SLICE_LITERAL("\0\x14\0\x0b\0\0\0\0"));
	check_bytes(&connection_open_ok, SLICE_LITERAL("\0\x0a\0\x29\0"));
	check_bytes(&unbind_ok, SLICE_LITERAL("\0\x28\0\x33"));
	check_bytes(&get_empty, SLICE_LITERAL("\0\x3c\0\x48\0"));
	check_bytes(&unbind, SLICE_LITERAL("\0\x32\0\x32\0\0\1q\1e\0\0\0\0\0"));
	check_bytes(&tune, SLICE_LITERAL("\0\x0a\0\x1e\x07\xff\0\2\0\0\0\x3c"));
}

static void unused_bits_are_ignored(void)
{
	struct amqp_method method;
	struct slice bytes = SLICE_LITERAL("\0\x3c\0\x50\0\0\0\0\0\0\0\1\xfe");

	CU_ASSERT_EQUAL(amqp_method_decode(&method, bytes), 0);
	CU_ASSERT_FALSE(method.basic_ack.multiple);
}

static void unknown_methods_are_told_apart(void)
{
	static const char *const unknown[] = {
		"\0\x3c\0\x29", "\0\x3c\0\xff",	    "\0\x28\0\x29",
		"\0\x46\0\x0a", "\xff\xff\xff\xff", "\0\0\0\0",
	};
	struct amqp_method method;
	struct amqp_writer writer;
	uint8_t out[16];
	size_t i;

	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		CU_ASSERT_EQUAL(amqp_method_decode(&method, slice_make(unknown[i], 4)), -ENOSYS);
		CU_ASSERT_FALSE(amqp_method_is_known(method.id));
		CU_ASSERT_STRING_EQUAL(amqp_method_name(method.id), "unknown");
		CU_ASSERT_EQUAL(amqp_method_size(&method), 0);
		amqp_writer_init(&writer, out, sizeof(out));
		amqp_method_encode(&writer, &method);
		CU_ASSERT_TRUE(writer.failed);
	}
}

static void malformed_keeps_the_id(void)
{
	struct amqp_method method = {.id = 1};

	CU_ASSERT_EQUAL(amqp_method_decode(&method, SLICE_LITERAL("\0\x32\0\x0a\0")), -EPROTO);
	CU_ASSERT_EQUAL(method.id, AMQP_QUEUE_DECLARE);
	CU_ASSERT_EQUAL(amqp_method_decode(&method, SLICE_LITERAL("\0\x32\0")), -EPROTO);
	CU_ASSERT_EQUAL(method.id, 0);
}

static void malformed_table_is_refused(void)
{
	struct amqp_method method;

	CU_ASSERT_EQUAL(amqp_method_decode(&method, SLICE_LITERAL("\0\x32\0\x0a\0\0\1q\0"
								  "\0\0\0\4\1aV?")),
			-EPROTO);
	CU_ASSERT_EQUAL(amqp_method_decode(&method, SLICE_LITERAL("\0\x32\0\x0a\0\0\1q\0"
								  "\0\0\0\3\1aV")),
			0);
	CU_ASSERT_EQUAL(amqp_method_decode(&method, SLICE_LITERAL("\0\x32\0\x0a\0\0\1q\0"
								  "\xff\xff\xff\xff\1aV")),
			-EPROTO);
}

/* RabbitMQ refuses names that are not UTF-8, but not the keys of messages. */
static void names_must_be_utf8(void)
{
	struct amqp_method method;

	CU_ASSERT_EQUAL(amqp_method_decode(&method, SLICE_LITERAL("\0\x32\0\x0a\0\0\1\xff\0"
								  "\0\0\0\0")),
			-EPROTO);
	CU_ASSERT_EQUAL(
		amqp_method_decode(&method, SLICE_LITERAL("\0\x3c\0\x28\0\0\1\xff\1\xfe\0")), 0);
}

static void what_the_table_says_of_methods(void)
{
	size_t client = 0;
	size_t server = 0;
	size_t content = 0;
	size_t synchronous = 0;
	size_t i;

	CU_ASSERT_EQUAL(ID_COUNT, 66);
	for (i = 0; i < ID_COUNT; i++) {
		CU_ASSERT_TRUE(amqp_method_is_known(all_ids[i]));
		CU_ASSERT_TRUE(i == 0 || all_ids[i] > all_ids[i - 1]);
		client += amqp_method_is_from_client(all_ids[i]);
		server += amqp_method_is_from_server(all_ids[i]);
		content += amqp_method_is_content(all_ids[i]);
		synchronous += amqp_method_is_synchronous(all_ids[i]);
	}
	CU_ASSERT_EQUAL(client + server, ID_COUNT + 10);
	CU_ASSERT_EQUAL(content, 4);
	CU_ASSERT_EQUAL(synchronous, 28);
	CU_ASSERT_TRUE(amqp_method_is_content(AMQP_BASIC_PUBLISH));
	CU_ASSERT_TRUE(amqp_method_is_content(AMQP_BASIC_GET_OK));
	CU_ASSERT_FALSE(amqp_method_is_from_client(AMQP_BASIC_DELIVER));
	CU_ASSERT_TRUE(amqp_method_is_from_server(AMQP_BASIC_CANCEL));
	CU_ASSERT_STRING_EQUAL(amqp_method_name(AMQP_BASIC_PUBLISH), "basic.publish");
	CU_ASSERT_STRING_EQUAL(amqp_method_name(AMQP_CONNECTION_START_OK), "connection.start_ok");
	CU_ASSERT_EQUAL(amqp_method_class(AMQP_BASIC_PUBLISH), 60);
	CU_ASSERT_EQUAL(amqp_method_number(AMQP_BASIC_PUBLISH), 40);
}

UNIT_MAIN("amqp/method", UNIT_TEST(every_method_round_trip_and_truncation),
	  UNIT_TEST(encode_without_room_fails), UNIT_TEST(bytes_of_publish_and_deliver),
	  UNIT_TEST(bits_in_a_row_share_an_octet), UNIT_TEST(bytes_of_the_odd_ones),
	  UNIT_TEST(unused_bits_are_ignored), UNIT_TEST(unknown_methods_are_told_apart),
	  UNIT_TEST(malformed_keeps_the_id), UNIT_TEST(malformed_table_is_refused),
	  UNIT_TEST(names_must_be_utf8), UNIT_TEST(what_the_table_says_of_methods))
