/* SPDX-License-Identifier: MIT */
#include "amqp/depends.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "amqp/properties.h"
#include "../broker/arguments_fixture.h"

static struct depends depends;
static char fault[DEPENDS_FAULT_SIZE];

static int read_one(const char *name)
{
	const char *const names[] = {"routing_key", name, NULL};

	fault[0] = '\0';
	return depends_read(names, &depends, fault, sizeof(fault));
}

/* ---- Names ---- */

static void none(void)
{
	const char *const names[] = {NULL};

	CU_ASSERT_EQUAL(depends_read(NULL, &depends, fault, sizeof(fault)), 0);
	CU_ASSERT_FALSE(depends.is_declared);
	CU_ASSERT_FALSE(depends.is_by_names);
	CU_ASSERT_EQUAL(depends_read(names, &depends, fault, sizeof(fault)), 0);
	CU_ASSERT_TRUE(depends.is_declared);
	CU_ASSERT_TRUE(depends.is_by_names);
	CU_ASSERT_EQUAL(depends.n_fields, 0);
}

static void known(void)
{
	static const char *const by_names[] = {"routing_key", "exchange", "user"};
	static const char *const others[] = {"headers.x",
					     "headers.a.b",
					     "headers.headers.",
					     "property.content_type",
					     "property.content_encoding",
					     "property.delivery_mode",
					     "property.priority",
					     "property.correlation_id",
					     "property.reply_to",
					     "property.expiration",
					     "property.message_id",
					     "property.timestamp",
					     "property.type",
					     "property.user_id",
					     "property.app_id"};

	for (size_t i = 0; i < sizeof(by_names) / sizeof(by_names[0]); i++) {
		CU_ASSERT_EQUAL(read_one(by_names[i]), 0);
		CU_ASSERT_TRUE(depends.is_by_names);
		CU_ASSERT_EQUAL(depends.property, 0);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		CU_ASSERT_EQUAL(read_one(others[i]), 0);
		CU_ASSERT_FALSE(depends.is_by_names);
		CU_ASSERT_EQUAL(depends.n_fields, 2);
		CU_ASSERT_NOT_EQUAL(depends.property, 0);
	}
}

static void unknown(void)
{
	static char long_name[300] = "headers.";
	static const char *const names[] = {"",
					    "body",
					    "routing_keys",
					    "Routing_key",
					    "headers",
					    "headers.",
					    "header.x",
					    "property.",
					    "property",
					    "property.headers",
					    "property.colour",
					    "property.cluster_id",
					    "vhost",
					    long_name};

	memset(long_name + 8, 'x', sizeof(long_name) - 9);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CU_ASSERT_EQUAL(read_one(names[i]), -EINVAL);
		CU_ASSERT_FALSE(depends.is_declared);
		CU_ASSERT_NOT_EQUAL(fault[0], '\0');
	}
	CU_ASSERT_EQUAL(read_one("colour"), -EINVAL);
	CU_ASSERT_STRING_EQUAL(fault, "'colour', which is no field that can be named");
}

static void too_many(void)
{
	const char *names[DEPENDS_MAX + 2];

	for (size_t i = 0; i <= DEPENDS_MAX; i++)
		names[i] = "headers.x";
	names[DEPENDS_MAX] = NULL;
	CU_ASSERT_EQUAL(depends_read(names, &depends, fault, sizeof(fault)), 0);
	names[DEPENDS_MAX] = "user";
	names[DEPENDS_MAX + 1] = NULL;
	CU_ASSERT_EQUAL(depends_read(names, &depends, fault, sizeof(fault)), -EINVAL);
	CU_ASSERT_STRING_EQUAL(fault, "'user', which is one too many: 16 is the most");
	CU_ASSERT_FALSE(depends.is_declared);
}

/* ---- What a message has there ---- */

struct fields {
	uint8_t bytes[256];
	size_t size;
};

static struct fields write_of(const struct amqp_properties *properties, const char *key)
{
	struct shunt_message view = {.size = sizeof(view)};
	struct fields ret;
	struct buffer raw;

	buffer_init(&raw);
	CU_ASSERT_EQUAL_FATAL(amqp_properties_append(properties, &raw), 0);
	view.routing_key = (struct shunt_bytes){(const uint8_t *)key, strlen(key)};
	ret.size = depends_write(&depends, &view, buffer_slice(&raw), ret.bytes, sizeof(ret.bytes));
	buffer_fini(&raw);
	return ret;
}

static bool is_same(const struct fields *a, const struct fields *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* All of them are different from each other, and each the same as itself. */
static void all_differ(const struct fields *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CU_ASSERT_NOT_EQUAL(all[i].size, 0);
		for (size_t k = 0; k < n; k++)
			CU_ASSERT_EQUAL(is_same(&all[i], &all[k]), i == k);
	}
}

static struct fields with_header(const struct amqp_value *value)
{
	struct amqp_properties properties = {.flags = AMQP_PROPERTY_HEADERS};

	properties.headers =
		value ? (arguments_none(), arguments_add("x", value)) : arguments_none();
	return write_of(&properties, "k");
}

/* Absent, empty, and each type, though the number or text be the same. */
static void headers_by_type_and_value(void)
{
	static const struct amqp_value values[] = {
		{.type = AMQP_VALUE_STRING, .bytes = {(const uint8_t *)"", 0}},
		{.type = AMQP_VALUE_STRING, .bytes = {(const uint8_t *)"1", 1}},
		{.type = AMQP_VALUE_BINARY, .bytes = {(const uint8_t *)"1", 1}},
		{.type = AMQP_VALUE_BINARY, .bytes = {(const uint8_t *)"", 0}},
		{.type = AMQP_VALUE_VOID},
		{.type = AMQP_VALUE_BOOL, .boolean = true},
		{.type = AMQP_VALUE_BOOL, .boolean = false},
		{.type = AMQP_VALUE_BYTE, .integer = 1},
		{.type = AMQP_VALUE_SHORT, .integer = 1},
		{.type = AMQP_VALUE_INT, .integer = 1},
		{.type = AMQP_VALUE_LONG, .integer = 1},
		{.type = AMQP_VALUE_LONG, .integer = 2},
		{.type = AMQP_VALUE_TIMESTAMP, .timestamp = 1},
		{.type = AMQP_VALUE_DOUBLE, .real = 1},
		{.type = AMQP_VALUE_TABLE, .bytes = {(const uint8_t *)"", 0}},
		{.type = AMQP_VALUE_ARRAY, .bytes = {(const uint8_t *)"", 0}},
	};
	enum { N = sizeof(values) / sizeof(values[0]) };
	static const struct amqp_properties none;
	struct fields all[N + 1], again;

	CU_ASSERT_EQUAL(read_one("headers.x"), 0);
	for (size_t i = 0; i < N; i++) {
		all[i] = with_header(&values[i]);
		again = with_header(&values[i]);
		CU_ASSERT_TRUE(is_same(&all[i], &again));
	}
	all[N] = with_header(NULL);
	again = write_of(&none, "k"); /* no headers at all */
	CU_ASSERT_TRUE(is_same(&all[N], &again));
	all_differ(all, N + 1);
	arguments_fini();
}

/* Names that begin or end so; all entries of the name, in their order. */
static void headers_by_name(void)
{
	struct amqp_properties properties = {.flags = AMQP_PROPERTY_HEADERS};
	struct fields all[4], again;

	CU_ASSERT_EQUAL(read_one("headers.x"), 0);
	properties.headers = ARGUMENTS_INT("x", 1);
	all[0] = write_of(&properties, "k");
	ARGUMENTS_INT("xx", 5);
	arguments_add_int("", 6);
	properties.headers = arguments_add_int("x", 1);
	again = write_of(&properties, "k");
	CU_ASSERT_TRUE(is_same(&all[0], &again));
	properties.headers = arguments_add_int("x", 2);
	all[1] = write_of(&properties, "k");
	ARGUMENTS_INT("x", 2);
	properties.headers = arguments_add_int("x", 1);
	all[2] = write_of(&properties, "k");
	properties.headers = ARGUMENTS_INT("X", 1);
	all[3] = write_of(&properties, "k");
	all_differ(all, 4);
	arguments_fini();
}

/* What ends one field is not what begins the next. */
static void fields_do_not_run_together(void)
{
	const char *const names[] = {"property.type", "property.app_id", "property.priority",
				     "property.timestamp", NULL};
	const struct {
		uint16_t flags;
		const char *type, *app_id;
		uint8_t priority;
		uint64_t timestamp;
	} cases[] = {
		{0, "", "", 0, 0},
		{AMQP_PROPERTY_TYPE, "", "", 0, 0},
		{AMQP_PROPERTY_APP_ID, "", "", 0, 0},
		{AMQP_PROPERTY_TYPE | AMQP_PROPERTY_APP_ID, "", "", 0, 0},
		{AMQP_PROPERTY_TYPE | AMQP_PROPERTY_APP_ID, "a", "b", 0, 0},
		{AMQP_PROPERTY_TYPE | AMQP_PROPERTY_APP_ID, "ab", "", 0, 0},
		{AMQP_PROPERTY_TYPE | AMQP_PROPERTY_APP_ID, "", "ab", 0, 0},
		{AMQP_PROPERTY_PRIORITY, "", "", 0, 0},
		{AMQP_PROPERTY_PRIORITY, "", "", 1, 0},
		{AMQP_PROPERTY_TIMESTAMP, "", "", 0, 0},
		{AMQP_PROPERTY_TIMESTAMP, "", "", 0, 1},
		{AMQP_PROPERTY_TIMESTAMP, "", "", 0, 256},
	};
	enum { N = sizeof(cases) / sizeof(cases[0]) };
	struct fields all[N];

	CU_ASSERT_EQUAL(depends_read(names, &depends, fault, sizeof(fault)), 0);
	for (size_t i = 0; i < N; i++) {
		const struct amqp_properties properties = {
			.flags = cases[i].flags,
			.type = slice_cstr(cases[i].type),
			.app_id = slice_cstr(cases[i].app_id),
			.priority = cases[i].priority,
			.timestamp = cases[i].timestamp,
		};

		all[i] = write_of(&properties, "k");
	}
	all_differ(all, N);
}

static void as_much_as_there_is_room_for(void)
{
	struct amqp_properties properties = {.flags = AMQP_PROPERTY_APP_ID};
	struct fields fields;
	char text[256] = "";

	CU_ASSERT_EQUAL(read_one("property.app_id"), 0);
	for (size_t i = 0; i < 255; i++) {
		text[i] = 'x';
		properties.app_id = slice_make((const uint8_t *)text, i + 1);
		fields = write_of(&properties, "k");
		CU_ASSERT_TRUE(fields.size == 0 || fields.size > i + 1);
		CU_ASSERT_EQUAL(fields.size == 0, i + 1 + 1 + 5 + 1 + 4 > sizeof(fields.bytes));
	}
}

UNIT_MAIN("depends", UNIT_TEST(none), UNIT_TEST(known), UNIT_TEST(unknown), UNIT_TEST(too_many),
	  UNIT_TEST(headers_by_type_and_value), UNIT_TEST(headers_by_name),
	  UNIT_TEST(fields_do_not_run_together), UNIT_TEST(as_much_as_there_is_room_for))
