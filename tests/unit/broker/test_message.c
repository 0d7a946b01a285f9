/* SPDX-License-Identifier: MIT */
#include "broker/message/message.h"

#include <errno.h>
#include <string.h>

#include "../unit.h"
#include "amqp/properties.h"
#include "base/account.h"
#include "base/mem.h"

#define NO_PROPERTIES slice_make("\0\0", 2)

/* Properties with the given expiration, delivery mode and priority. */
static struct slice make_properties(uint8_t *room, size_t size, const char *expiration,
				    uint8_t delivery_mode, uint8_t priority)
{
	struct amqp_properties p = {.flags = 0};
	struct amqp_writer writer;

	p.flags = AMQP_PROPERTY_DELIVERY_MODE | AMQP_PROPERTY_PRIORITY;
	p.delivery_mode = delivery_mode;
	p.priority = priority;
	if (expiration) {
		p.flags |= AMQP_PROPERTY_EXPIRATION;
		p.expiration = slice_cstr(expiration);
	}
	CU_ASSERT_FATAL(amqp_properties_size(&p) <= size);
	amqp_writer_init(&writer, room, size);
	amqp_properties_encode(&writer, &p);
	return slice_make(room, amqp_properties_size(&p));
}

static struct message *make(struct slice properties, const char *body)
{
	struct message *m = message_create(slice_cstr("ex"), slice_cstr("key"), properties,
					   (uint32_t)strlen(body));

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	memcpy(message_body_bytes(m), body, strlen(body));
	return m;
}

static void bytes_are_laid_out_as_delivered(void)
{
	struct message *m = make(NO_PROPERTIES, "hello");

	CU_ASSERT(slice_equal(message_exchange(m), slice_cstr("ex")));
	CU_ASSERT(slice_equal(message_routing_key(m), slice_cstr("key")));
	CU_ASSERT(slice_equal(message_names(m), slice_make("\2ex\3key", 7)));
	CU_ASSERT(slice_equal(message_properties(m), NO_PROPERTIES));
	CU_ASSERT(slice_equal(message_body(m), slice_cstr("hello")));
	message_unref(m);
}

static void empty_everything(void)
{
	struct message *m = message_create(SLICE_EMPTY, SLICE_EMPTY, NO_PROPERTIES, 0);

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(message_names(m).size, 2);
	CU_ASSERT_EQUAL(message_body(m).size, 0);
	message_unref(m);
	message_unref(NULL);
}

static void memory_is_counted(void)
{
	uint64_t before = account_kind_total(ACCOUNT_MESSAGE);
	struct message *m = make(NO_PROPERTIES, "0123456789");

	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_MESSAGE), before + m->alloc_size);
	CU_ASSERT(m->alloc_size >= sizeof(*m) + 10);
	message_unref(message_ref(m));
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_MESSAGE), before + m->alloc_size);
	message_unref(m);
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_MESSAGE), before);
}

static void out_of_memory_is_null(void)
{
	mem_fault_after(1);
	CU_ASSERT_PTR_NULL(message_create(SLICE_EMPTY, SLICE_EMPTY, NO_PROPERTIES, 1000));
	mem_fault_after(-1);
	CU_ASSERT_PTR_NULL(message_create(SLICE_EMPTY, SLICE_EMPTY, NO_PROPERTIES, UINT32_MAX));
}

static void properties_are_read(void)
{
	uint8_t room[64];
	struct amqp_error error;
	struct message *m = make(make_properties(room, sizeof(room), "60000", 2, 7), "x");

	CU_ASSERT_EQUAL(message_read_properties(m, &error), 0);
	CU_ASSERT_TRUE(m->persistent);
	CU_ASSERT_EQUAL(m->priority, 7);
	CU_ASSERT_EQUAL(m->expiration_ms, 60000);
	message_unref(m);

	m = make(NO_PROPERTIES, "x");
	CU_ASSERT_EQUAL(message_read_properties(m, &error), 0);
	CU_ASSERT_FALSE(m->persistent);
	CU_ASSERT_EQUAL(m->expiration_ms, MESSAGE_NO_EXPIRATION);
	message_unref(m);

	m = make(make_properties(room, sizeof(room), NULL, 1, 0), "x");
	CU_ASSERT_EQUAL(message_read_properties(m, &error), 0);
	CU_ASSERT_FALSE(m->persistent);
	message_unref(m);
}

static int read_expiration(const char *expiration, uint64_t *ret_ms, struct amqp_error *error)
{
	uint8_t room[64];
	struct message *m = make(make_properties(room, sizeof(room), expiration, 1, 0), "x");
	int result = message_read_properties(m, error);

	*ret_ms = m->expiration_ms;
	message_unref(m);
	return result;
}

static void expirations_that_are_fine(void)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} cases[] = {
		{"0", 0},
		{"+5", 5},
		{"-0", 0},
		{"007", 7},
		{"18446744073709551614", UINT64_MAX - 1},
		{"18446744073709551616", MESSAGE_NO_EXPIRATION},
		{"999999999999999999999999999", MESSAGE_NO_EXPIRATION},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct amqp_error error;
		uint64_t ms;

		CU_ASSERT_EQUAL(read_expiration(cases[i].text, &ms, &error), 0);
		CU_ASSERT_EQUAL(ms, cases[i].ms);
	}
}

static void expirations_that_are_refused(void)
{
	static const struct {
		const char *text, *reply;
	} cases[] = {
		{"abc", "PRECONDITION_FAILED - invalid expiration 'abc': no_integer"},
		{"", "PRECONDITION_FAILED - invalid expiration '': no_integer"},
		{"-", "PRECONDITION_FAILED - invalid expiration '-': no_integer"},
		{" 1", "PRECONDITION_FAILED - invalid expiration ' 1': no_integer"},
		{"12x", "PRECONDITION_FAILED - invalid expiration '12x': {leftover_string,\"x\"}"},
		{"1.5", "PRECONDITION_FAILED - invalid expiration '1.5': {leftover_string,\".5\"}"},
		{"-1", "PRECONDITION_FAILED - invalid expiration '-1': {value_negative,-1}"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct amqp_error error = {.code = 0};
		uint64_t ms;

		CU_ASSERT_EQUAL(read_expiration(cases[i].text, &ms, &error), -EPROTO);
		CU_ASSERT_EQUAL(error.code, AMQP_PRECONDITION_FAILED);
		CU_ASSERT_STRING_EQUAL(error.text, cases[i].reply);
		CU_ASSERT_EQUAL(ms, MESSAGE_NO_EXPIRATION);
	}
}

static void malformed_properties_are_a_syntax_error(void)
{
	struct amqp_error error = {.code = 0};
	struct message *m = make(slice_make("\xff\xf8\1", 3), "x");

	CU_ASSERT_EQUAL(message_read_properties(m, &error), -EPROTO);
	CU_ASSERT_EQUAL(error.code, AMQP_SYNTAX_ERROR);
	message_unref(m);
}

static void stored_and_back(void)
{
	uint8_t room[64];
	struct amqp_error error;
	int result = 1;
	struct message *m = make(make_properties(room, sizeof(room), "10", 2, 3), "the body");

	CU_ASSERT_EQUAL(message_read_properties(m, &error), 0);
	struct message *back = message_from_stored(message_stored(m), &result);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	CU_ASSERT_EQUAL(result, 0);
	CU_ASSERT(slice_equal(message_stored(m), message_stored(back)));
	CU_ASSERT(slice_equal(message_body(back), slice_cstr("the body")));
	CU_ASSERT(slice_equal(message_exchange(back), slice_cstr("ex")));
	CU_ASSERT_TRUE(back->persistent);
	CU_ASSERT_EQUAL(back->priority, 3);
	CU_ASSERT_EQUAL(back->expiration_ms, 10);
	message_unref(back);

	uint32_t size = 0;

	CU_ASSERT_EQUAL(message_stored_body_size(message_stored(m), &size), 0);
	CU_ASSERT_EQUAL(size, 8);

	mem_fault_after(1);
	CU_ASSERT_PTR_NULL(message_from_stored(message_stored(m), &result));
	CU_ASSERT_EQUAL(result, -ENOMEM);
	mem_fault_after(-1);
	message_unref(m);
}

/* Cut within names and properties it is refused; within the body it is another message. */
static void stored_and_truncated(void)
{
	struct message *m = make(NO_PROPERTIES, "hello");
	struct slice stored = message_stored(m);
	int result;

	for (size_t size = 0; size < stored.size; size++) {
		uint8_t *exact = mem_alloc(size + 1);

		memcpy(exact + 1, stored.data, size);
		struct message *back = message_from_stored(slice_make(exact + 1, size), &result);
		if (size < stored.size - 5) {
			CU_ASSERT_PTR_NULL(back);
			CU_ASSERT_EQUAL(result, -EBADMSG);
		} else {
			CU_ASSERT_PTR_NOT_NULL(back);
		}
		uint32_t body_size = 0;

		CU_ASSERT_EQUAL(message_stored_body_size(slice_make(exact + 1, size), &body_size),
				back ? 0 : -EBADMSG);
		CU_ASSERT_EQUAL(body_size, back ? back->body_size : 0);
		message_unref(back);
		mem_free(exact);
	}
	message_unref(m);
}

/* As message_from_stored(): malformed properties are refused, a strange expiration is not. */
static void stored_properties(void)
{
	static const struct {
		struct slice properties;
		int result;
	} cases[] = {
		{{(const uint8_t *)"\x10\0", 2}, -EBADMSG},
		{{(const uint8_t *)"\x01\0\2hi", 5}, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct message *m = make(cases[i].properties, "hello");
		uint32_t size;
		int result;

		CU_ASSERT_EQUAL(message_stored_body_size(message_stored(m), &size),
				cases[i].result);
		message_unref(message_from_stored(message_stored(m), &result));
		CU_ASSERT_EQUAL(result, cases[i].result);
		message_unref(m);
	}
}

UNIT_MAIN("message", UNIT_TEST(bytes_are_laid_out_as_delivered), UNIT_TEST(empty_everything),
	  UNIT_TEST(memory_is_counted), UNIT_TEST(out_of_memory_is_null),
	  UNIT_TEST(properties_are_read), UNIT_TEST(expirations_that_are_fine),
	  UNIT_TEST(expirations_that_are_refused),
	  UNIT_TEST(malformed_properties_are_a_syntax_error), UNIT_TEST(stored_and_back),
	  UNIT_TEST(stored_and_truncated), UNIT_TEST(stored_properties))
