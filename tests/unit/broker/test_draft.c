/* SPDX-License-Identifier: MIT */
#include "broker/message/draft.h"

#include <errno.h>
#include <string.h>

#include "../unit.h"
#include "amqp/table.h"
#include "amqp/table_writer.h"
#include "base/account.h"
#include "base/mem.h"

#define NO_PROPERTIES slice_make("\0\0", 2)

static const struct draft_limits limits = {.body_max = 1000, .properties_max = 500};
static struct message *base;
static struct draft draft;
static struct shunt_draft *d;

static struct shunt_bytes text(const char *string)
{
	return (struct shunt_bytes){(const uint8_t *)string, strlen(string)};
}

static struct shunt_value string(const char *value)
{
	return (struct shunt_value){.type = 'S', .bytes = text(value)};
}

static struct shunt_value number(char type, int64_t value)
{
	return (struct shunt_value){.type = type, .integer = value};
}

static int set_header(const char *name, struct shunt_value value)
{
	return d->set_header(d, text(name), &value);
}

static int set_property(enum shunt_property property, struct shunt_value value)
{
	return d->set_property(d, property, &value);
}

/* a=1 (of an unusual type), b="x", a=2: as only a client could have written it. */
static const char odd_headers[] = "\1as\0\1\1bS\0\0\0\1x\1aI\0\0\0\2";
#define ODD_HEADERS slice_make(odd_headers, sizeof(odd_headers) - 1)

static struct message *make_message(struct slice headers)
{
	struct amqp_properties p = {
		.flags = AMQP_PROPERTY_HEADERS | AMQP_PROPERTY_MESSAGE_ID | AMQP_PROPERTY_PRIORITY |
			 AMQP_PROPERTY_CLUSTER_ID,
		.headers = headers,
		.message_id = SLICE_LITERAL("id"),
		.priority = 3,
		.cluster_id = SLICE_LITERAL("c"),
	};
	struct message *message;
	struct amqp_error error;
	struct buffer raw;

	buffer_init(&raw);
	CU_ASSERT_EQUAL_FATAL(amqp_properties_append(&p, &raw), 0);
	message = message_create(SLICE_LITERAL("ex"), SLICE_LITERAL("key"), buffer_slice(&raw), 4);
	memcpy(message_body_bytes(message), "body", 4);
	CU_ASSERT_EQUAL_FATAL(message_read_properties(message, &error), 0);
	buffer_fini(&raw);
	return message;
}

static void start_with(struct slice headers, bool is_delivery)
{
	base = make_message(headers);
	draft_init(&draft, base, &limits, is_delivery);
	d = &draft.functions;
}

static void start(void)
{
	start_with(ODD_HEADERS, false);
}

static void stop(void)
{
	draft_fini(&draft);
	message_unref(base);
	base = NULL;
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_MESSAGE), 0);
}

static struct message *made(struct amqp_properties *ret_properties)
{
	struct message *message = NULL;
	struct amqp_error error;
	struct extra_keys keys;

	extra_keys_init(&keys);
	CU_ASSERT_EQUAL_FATAL(draft_make(&draft, &keys, &message, &error), 0);
	extra_keys_fini(&keys);
	CU_ASSERT_EQUAL_FATAL(amqp_properties_decode(ret_properties, message_properties(message)), 0);
	return message;
}

static void nothing_set_is_no_change(void)
{
	start();
	CU_ASSERT(!draft_is_changed(&draft));
	CU_ASSERT(!draft.is_loaded);
	stop();
}

static void what_is_not_set_stays(void)
{
	struct amqp_properties p;
	struct message *m;

	start();
	CU_ASSERT_EQUAL(d->set_routing_key(d, text("other")), 0);
	CU_ASSERT(draft_is_changed(&draft));
	CU_ASSERT(!draft.is_loaded);
	m = made(&p);
	CU_ASSERT(slice_equal(message_routing_key(m), SLICE_LITERAL("other")));
	CU_ASSERT(slice_equal(message_exchange(m), SLICE_LITERAL("ex")));
	CU_ASSERT(slice_equal(message_body(m), SLICE_LITERAL("body")));
	CU_ASSERT(slice_equal(message_properties(m), message_properties(base)));
	CU_ASSERT_EQUAL(m->priority, 3);
	CU_ASSERT(slice_equal(message_routing_key(base), SLICE_LITERAL("key")));
	message_unref(m);
	stop();
}

static void another_exchange(void)
{
	char name[] = "there", longest[256 + 1];
	struct amqp_properties p;
	struct message *m;

	start();
	CU_ASSERT_EQUAL(d->set_exchange(d, text(name)), 0);
	memset(name, 'x', sizeof(name) - 1); /* it was copied */
	CU_ASSERT(draft_is_changed(&draft));
	m = made(&p);
	CU_ASSERT(slice_equal(message_exchange(m), SLICE_LITERAL("there")));
	CU_ASSERT(slice_equal(message_routing_key(m), SLICE_LITERAL("key")));
	CU_ASSERT(slice_equal(message_properties(m), message_properties(base)));
	CU_ASSERT(slice_equal(message_exchange(base), SLICE_LITERAL("ex")));
	message_unref(m);
	memset(longest, 'x', 256);
	longest[256] = '\0';
	CU_ASSERT_EQUAL(d->set_exchange(d, text(longest)), -1);
	CU_ASSERT_EQUAL(d->set_exchange(d, text("")), 0); /* the default one */
	m = made(&p);
	CU_ASSERT_EQUAL(message_exchange(m).size, 0);
	message_unref(m);
	stop();
}

static void properties_become_what_the_broker_goes_by(void)
{
	struct amqp_properties p;
	struct message *m;

	start();
	CU_ASSERT_EQUAL(set_property(SHUNT_DELIVERY_MODE, number('B', 2)), 0);
	CU_ASSERT_EQUAL(set_property(SHUNT_PRIORITY, number('B', 9)), 0);
	CU_ASSERT_EQUAL(set_property(SHUNT_EXPIRATION, string("12")), 0);
	CU_ASSERT_EQUAL(set_property(SHUNT_EXPIRATION, string("1234")), 0);
	CU_ASSERT_EQUAL(set_property(SHUNT_TIMESTAMP, number('T', -1)), 0);
	CU_ASSERT_EQUAL(set_property(SHUNT_USER_ID, string("bob")), 0);
	m = made(&p);
	CU_ASSERT(m->persistent);
	CU_ASSERT_EQUAL(m->priority, 9);
	CU_ASSERT_EQUAL(m->expiration_ms, 1234);
	CU_ASSERT_EQUAL(p.timestamp, UINT64_MAX);
	CU_ASSERT(slice_equal(p.user_id, SLICE_LITERAL("bob")));
	CU_ASSERT(slice_equal(p.message_id, SLICE_LITERAL("id")));
	CU_ASSERT(slice_equal(p.cluster_id, SLICE_LITERAL("c")));
	CU_ASSERT(slice_equal(p.headers, ODD_HEADERS));
	message_unref(m);
	CU_ASSERT_EQUAL(d->set_property(d, SHUNT_EXPIRATION, NULL), 0);
	CU_ASSERT_EQUAL(d->set_property(d, SHUNT_PRIORITY, NULL), 0);
	m = made(&p);
	CU_ASSERT_EQUAL(m->expiration_ms, MESSAGE_NO_EXPIRATION);
	CU_ASSERT_EQUAL(m->priority, 0);
	CU_ASSERT(!amqp_properties_has(&p, AMQP_PROPERTY_EXPIRATION));
	message_unref(m);
	stop();
}

static void header_takes_its_place_and_others_keep_their_bytes(void)
{
	static const char expected[] = "\1aS\0\0\0\1y\1bS\0\0\0\1x\1cV";
	struct amqp_properties p;
	struct message *m;

	start();
	CU_ASSERT_EQUAL(set_header("a", string("y")), 0); /* of both, one is left */
	CU_ASSERT_EQUAL(set_header("c", number('V', 0)), 0);
	m = made(&p);
	CU_ASSERT(slice_equal(p.headers, slice_make(expected, sizeof(expected) - 1)));
	message_unref(m);
	CU_ASSERT_EQUAL(d->set_header(d, text("a"), NULL), 0);
	CU_ASSERT_EQUAL(d->set_header(d, text("nowhere"), NULL), 0);
	m = made(&p);
	CU_ASSERT(slice_equal(p.headers, slice_make(expected + 8, sizeof(expected) - 9)));
	message_unref(m);
	stop();
}

static void header_of_a_message_without_any(void)
{
	struct amqp_properties p;
	struct message *m;

	base = message_create(SLICE_EMPTY, SLICE_EMPTY, NO_PROPERTIES, 0);
	draft_init(&draft, base, &limits, false);
	d = &draft.functions;
	CU_ASSERT_EQUAL(d->set_header(d, text("a"), NULL), 0);
	CU_ASSERT(!draft_is_changed(&draft));
	CU_ASSERT_EQUAL(set_header("a", number('t', 0)), 0);
	m = made(&p);
	CU_ASSERT_EQUAL(p.flags, AMQP_PROPERTY_HEADERS);
	CU_ASSERT(slice_equal(p.headers, slice_make("\1at\0", 4)));
	message_unref(m);
	stop();
}

static void values_of_every_type(void)
{
	static const char nested[] = "\1aF\0\0\0\4\1bt\1";
	const struct shunt_value values[] = {
		{.type = 't', .boolean = true},
		number('b', -128),
		number('B', 255),
		number('s', -32768),
		number('u', 65535),
		number('I', INT32_MIN),
		number('i', UINT32_MAX),
		number('l', INT64_MIN),
		number('L', INT64_MAX),
		{.type = 'f', .real = 1.5},
		{.type = 'd', .real = 2.25},
		{.type = 'D', .scale = 2, .integer = UINT32_MAX},
		string("text"),
		{.type = 'x', .bytes = {(const uint8_t *)"\0", 1}},
		{.type = 'F', .bytes = {(const uint8_t *)nested, sizeof(nested) - 1}},
		{.type = 'A', .bytes = {(const uint8_t *)"t\1V", 3}},
		number('T', 77),
		number('V', 0),
	};
	struct amqp_properties p;
	struct amqp_value value;
	struct message *m;

	start_with(SLICE_EMPTY, false);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const char name[] = {values[i].type, '\0'};

		CU_ASSERT_EQUAL(set_header(name, values[i]), 0);
	}
	m = made(&p);
	CU_ASSERT_EQUAL(amqp_table_count(p.headers), sizeof(values) / sizeof(values[0]));
	CU_ASSERT(amqp_table_find(p.headers, "i", &value) && value.integer == UINT32_MAX);
	CU_ASSERT(amqp_table_find(p.headers, "d", &value) && value.real > 2.2 && value.real < 2.3);
	CU_ASSERT(amqp_table_find(p.headers, "D", &value) && value.decimal.scale == 2 &&
		  value.decimal.value == UINT32_MAX);
	CU_ASSERT(amqp_table_find(p.headers, "F", &value) &&
		  slice_equal(value.bytes, slice_make(nested, sizeof(nested) - 1)));
	message_unref(m);
	stop();
}

static void values_that_cannot_be(void)
{
	const struct shunt_value wrong[] = {
		number('b', 128),
		number('B', -1),
		number('s', 32768),
		number('u', -1),
		number('I', (int64_t)INT32_MAX + 1),
		number('i', -1),
		number('D', -1),
		number('D', (int64_t)UINT32_MAX + 1),
		number('Z', 0),
		number('\0', 0),
		{.type = 'S', .bytes = {NULL, 1}},
		{.type = 'F', .bytes = {(const uint8_t *)"\5abc", 4}},
		{.type = 'A', .bytes = {(const uint8_t *)"S\0\0\0\2x", 6}},
	};

	start();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CU_ASSERT_EQUAL(set_header("h", wrong[i]), -1);
	CU_ASSERT_EQUAL(set_property(SHUNT_PRIORITY, number('I', 1)), -1);
	CU_ASSERT_EQUAL(set_property(SHUNT_PRIORITY, number('B', 256)), -1);
	CU_ASSERT_EQUAL(set_property(SHUNT_MESSAGE_ID, number('B', 1)), -1);
	CU_ASSERT_EQUAL(set_property(SHUNT_EXPIRATION, string("soon")), -1);
	CU_ASSERT_EQUAL(set_property(SHUNT_EXPIRATION, string("-1")), -1);
	CU_ASSERT_EQUAL(set_property((enum shunt_property)12, string("x")), -1);
	CU_ASSERT(!draft_is_changed(&draft));
	stop();
}

static void texts_above_255_bytes(void)
{
	char longest[256 + 1];

	start();
	memset(longest, 'x', 256);
	longest[256] = '\0';
	CU_ASSERT_EQUAL(d->set_routing_key(d, text(longest)), -1);
	CU_ASSERT_EQUAL(set_property(SHUNT_TYPE, string(longest)), -1);
	CU_ASSERT_EQUAL(set_header(longest, number('V', 0)), -1);
	CU_ASSERT(!draft_is_changed(&draft));
	longest[255] = '\0';
	CU_ASSERT_EQUAL(d->set_routing_key(d, text(longest)), 0);
	CU_ASSERT_EQUAL(set_property(SHUNT_TYPE, string(longest)), 0);
	stop();
}

/* The headers are the 64th level, with 63 in one another below. */
static void nesting_has_a_limit(void)
{
	uint8_t bytes[512];
	size_t at = sizeof(bytes);

	start_with(SLICE_EMPTY, false);
	draft.limits.properties_max = 10000;
	for (int level = 1; level <= AMQP_TABLE_DEPTH_MAX; level++) {
		struct shunt_value value = {.type = 'A',
					    .bytes = {bytes + at, sizeof(bytes) - at}};

		CU_ASSERT_EQUAL(set_header("h", value), level < AMQP_TABLE_DEPTH_MAX ? 0 : -1);
		uint32_t size = (uint32_t)(sizeof(bytes) - at);
		const uint8_t head[5] = {'A', 0, 0, (uint8_t)(size >> 8), (uint8_t)size};
		at -= sizeof(head);
		memcpy(bytes + at, head, sizeof(head));
	}
	stop();
}

static void limits_of_size(void)
{
	static const char large[1001];
	struct shunt_value value = {.type = 'x', .bytes = {(const uint8_t *)large, 600}};
	struct message *m = NULL;
	struct amqp_error error;
	struct extra_keys keys;

	start();
	extra_keys_init(&keys);
	CU_ASSERT_EQUAL(set_header("h", value), -1);
	CU_ASSERT(!draft_is_changed(&draft));
	CU_ASSERT_EQUAL(d->set_body(d, (struct shunt_bytes){(const uint8_t *)large, 1001}), -1);
	CU_ASSERT(draft_is_changed(&draft));
	CU_ASSERT_EQUAL(draft_make(&draft, &keys, &m, &error), -EPROTO);
	CU_ASSERT_EQUAL(error.code, AMQP_PRECONDITION_FAILED);
	CU_ASSERT_STRING_EQUAL(error.text, "PRECONDITION_FAILED - message size 1001 is larger than "
					   "configured max size 1000");
	CU_ASSERT_EQUAL(d->set_body(d, (struct shunt_bytes){(const uint8_t *)large, 1000}), 0);
	CU_ASSERT_EQUAL_FATAL(draft_make(&draft, &keys, &m, &error), 0);
	CU_ASSERT_EQUAL(m->body_size, 1000);
	message_unref(m);
	extra_keys_fini(&keys);
	stop();
}

static void on_delivery(void)
{
	static const char large[1001];
	struct amqp_properties p;
	struct amqp_value value;
	struct message *m;

	start_with(ODD_HEADERS, true);
	CU_ASSERT_EQUAL(d->set_routing_key(d, text("other")), -1);
	CU_ASSERT_EQUAL(d->set_exchange(d, text("other")), -1);
	CU_ASSERT_EQUAL(d->set_body(d, (struct shunt_bytes){(const uint8_t *)large, 1001}), -1);
	CU_ASSERT(!draft_is_changed(&draft));
	CU_ASSERT_EQUAL(set_header("BCC", string("a header as any")), 0);
	CU_ASSERT_EQUAL(d->set_body(d, text("")), 0);
	m = made(&p);
	CU_ASSERT_EQUAL(m->body_size, 0);
	CU_ASSERT(amqp_table_find(p.headers, "BCC", &value));
	message_unref(m);
	stop();
}

/* ---- CC and BCC ---- */

static struct shunt_value array(struct buffer *room, const char *a, const char *b)
{
	struct amqp_table_writer w;
	size_t start_at = room->size;

	amqp_table_writer_init(&w, room);
	amqp_table_begin_array(&w, "x");
	amqp_table_put_string(&w, NULL, slice_cstr(a));
	if (b != NULL)
		amqp_table_put_string(&w, NULL, slice_cstr(b));
	amqp_table_end(&w);
	CU_ASSERT_EQUAL_FATAL(amqp_table_writer_finish(&w), 0);
	start_at += 2 + 1 + 4; /* name, type, length */
	return (struct shunt_value){.type = 'A',
				    .bytes = {room->data + start_at, room->size - start_at}};
}

static struct extra_keys keys;

/* As a client would have published it. */
static void set_client_keys(const char *cc, const char *bcc)
{
	struct amqp_error error;
	bool has_bcc;

	extra_keys_init(&keys);
	draft_init(&draft, NULL, &limits, false);
	d = &draft.functions;
	struct buffer room;
	buffer_init(&room);
	(void)buffer_reserve(&room, 1000);
	CU_ASSERT_EQUAL_FATAL(set_header("CC", array(&room, cc, NULL)), 0);
	CU_ASSERT_EQUAL_FATAL(set_header("BCC", array(&room, bcc, NULL)), 0);
	CU_ASSERT_EQUAL_FATAL(extra_keys_note_cc(&keys, draft.properties.headers, &error), 0);
	CU_ASSERT_EQUAL_FATAL(
		extra_keys_note_bcc(&keys, draft.properties.headers, &has_bcc, &error), 0);
	CU_ASSERT(has_bcc);
	draft_fini(&draft);
	buffer_fini(&room);
}

static void check_keys(size_t n, const char *const *expected)
{
	struct slice found[8];

	CU_ASSERT_EQUAL_FATAL(keys.n, n);
	CU_ASSERT_EQUAL_FATAL(extra_keys_read(buffer_slice(&keys.bytes), keys.n, found), n);
	for (size_t i = 0; i < n; i++)
		CU_ASSERT(slice_equal(found[i], slice_cstr(expected[i])));
}

static void check_make(struct amqp_properties *ret_properties, struct message **ret_message)
{
	struct amqp_error error;

	CU_ASSERT_EQUAL_FATAL(draft_make(&draft, &keys, ret_message, &error), 0);
	CU_ASSERT_EQUAL_FATAL(
		amqp_properties_decode(ret_properties, message_properties(*ret_message)), 0);
}

static void cc_and_bcc_replace_their_own_keys_only(void)
{
	struct amqp_properties p;
	struct amqp_value value;
	struct message *m;
	struct buffer room;

	buffer_init(&room);
	(void)buffer_reserve(&room, 1000);
	set_client_keys("c1", "b1");
	start();
	CU_ASSERT_EQUAL(d->set_body(d, text("x")), 0);
	check_make(&p, &m);
	check_keys(2, (const char *const[]){"c1", "b1"});
	message_unref(m);
	CU_ASSERT_EQUAL(set_header("CC", array(&room, "c2", "c3")), 0);
	check_make(&p, &m);
	check_keys(3, (const char *const[]){"c2", "c3", "b1"});
	CU_ASSERT(amqp_table_find(p.headers, "CC", &value));
	message_unref(m);
	CU_ASSERT_EQUAL(set_header("BCC", array(&room, "b2", NULL)), 0);
	check_make(&p, &m);
	check_keys(3, (const char *const[]){"c2", "c3", "b2"});
	CU_ASSERT(!amqp_table_find(p.headers, "BCC", &value));
	CU_ASSERT(amqp_table_find(p.headers, "b", &value));
	message_unref(m);
	CU_ASSERT_EQUAL(d->set_header(d, text("BCC"), NULL), 0);
	CU_ASSERT_EQUAL(d->set_header(d, text("CC"), NULL), 0);
	check_make(&p, &m);
	check_keys(0, NULL);
	message_unref(m);
	extra_keys_fini(&keys);
	buffer_fini(&room);
	stop();
}

static void cc_that_is_no_array_is_refused_as_a_clients(void)
{
	struct message *m = NULL;
	struct amqp_error error;

	set_client_keys("c1", "b1");
	start();
	CU_ASSERT_EQUAL(set_header("CC", string("c2")), 0);
	CU_ASSERT_EQUAL(draft_make(&draft, &keys, &m, &error), -EPROTO);
	CU_ASSERT_EQUAL(error.code, AMQP_PRECONDITION_FAILED);
	CU_ASSERT_PTR_NULL(m);
	check_keys(2, (const char *const[]){"c1", "b1"});
	extra_keys_fini(&keys);
	stop();
}

static void new_message(void)
{
	struct amqp_properties p;
	struct message *m;

	draft_init(&draft, NULL, &limits, false);
	d = &draft.functions;
	draft_set_exchange(&draft, SLICE_LITERAL("to"));
	m = made(&p);
	CU_ASSERT_EQUAL(p.flags, 0);
	CU_ASSERT_EQUAL(m->body_size, 0);
	CU_ASSERT_EQUAL(m->routing_key_size, 0);
	message_unref(m);
	CU_ASSERT_EQUAL(d->set_routing_key(d, text("k")), 0);
	CU_ASSERT_EQUAL(d->set_body(d, text("b")), 0);
	CU_ASSERT_EQUAL(set_property(SHUNT_DELIVERY_MODE, number('B', 2)), 0);
	CU_ASSERT_EQUAL(set_header("h", number('l', 1)), 0);
	m = made(&p);
	CU_ASSERT(slice_equal(message_exchange(m), SLICE_LITERAL("to")));
	CU_ASSERT(slice_equal(message_routing_key(m), SLICE_LITERAL("k")));
	CU_ASSERT(slice_equal(message_body(m), SLICE_LITERAL("b")));
	CU_ASSERT(m->persistent);
	message_unref(m);
	stop();
}

/* Each allocation in turn: an error, and the draft is as before. */
static void memory_runs_out(void)
{
	struct message *m = NULL;
	struct amqp_error error;
	struct buffer room;
	int n = 0;

	buffer_init(&room);
	(void)buffer_reserve(&room, 1000);
	start();
	extra_keys_init(&keys);
	do {
		mem_fault_after(++n);
	} while (d->set_body(d, text("b")) != 0);
	CU_ASSERT(n > 1);
	for (n = 0; mem_fault_after(++n), set_header("BCC", array(&room, "k", NULL)) != 0;)
		CU_ASSERT(!draft.has_properties);
	CU_ASSERT(n > 1);
	for (n = 0; mem_fault_after(++n), set_property(SHUNT_TYPE, string("t")) != 0;)
		CU_ASSERT(!amqp_properties_has(&draft.properties, AMQP_PROPERTY_TYPE));
	CU_ASSERT(n > 1);
	for (n = 0; mem_fault_after(++n), draft_make(&draft, &keys, &m, &error) != 0;) {
		CU_ASSERT_EQUAL(error.code, AMQP_RESOURCE_ERROR);
		CU_ASSERT_EQUAL(keys.n, 0);
	}
	CU_ASSERT(n > 1);
	mem_fault_after(-1);
	CU_ASSERT_EQUAL(keys.n, 1);
	message_unref(m);
	extra_keys_fini(&keys);
	buffer_fini(&room);
	stop();
}

UNIT_MAIN("draft", UNIT_TEST(nothing_set_is_no_change), UNIT_TEST(what_is_not_set_stays), UNIT_TEST(another_exchange),
	  UNIT_TEST(properties_become_what_the_broker_goes_by),
	  UNIT_TEST(header_takes_its_place_and_others_keep_their_bytes),
	  UNIT_TEST(header_of_a_message_without_any), UNIT_TEST(values_of_every_type),
	  UNIT_TEST(values_that_cannot_be), UNIT_TEST(texts_above_255_bytes),
	  UNIT_TEST(nesting_has_a_limit), UNIT_TEST(limits_of_size), UNIT_TEST(on_delivery),
	  UNIT_TEST(cc_and_bcc_replace_their_own_keys_only),
	  UNIT_TEST(cc_that_is_no_array_is_refused_as_a_clients), UNIT_TEST(new_message),
	  UNIT_TEST(memory_runs_out))
