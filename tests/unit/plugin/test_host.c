/* SPDX-License-Identifier: MIT */
#include "plugin/host.h"

#include <math.h>

#include "../amqp/exact.h"
#include "../amqp/tables.h"
#include "amqp/properties.h"
#include "amqp/table.h"
#include "amqp/table_writer.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/message.h"
#include "broker/router.h"
#include "fixture.h"
#include "loop/loop.h"
#include "loop/pool.h"

/* ---- The host as a plugin has it ---- */

static const struct shunt_host *host_begin(void)
{
	plugins_begin(0);
	ASSERT_LOADS("probe");
	return probe_get()->host;
}

static void host_end(void)
{
	(void)plugins_end();
}

static struct shunt_bytes bytes_of(struct slice slice)
{
	return (struct shunt_bytes){slice.data, slice.size};
}

static bool bytes_are(struct shunt_bytes bytes, const char *text)
{
	return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

static void versions_and_every_function(void)
{
	const struct shunt_host *host = host_begin();

	CU_ASSERT_EQUAL(host->size, sizeof(*host));
	CU_ASSERT_EQUAL(host->abi_major, SHUNT_ABI_MAJOR);
	CU_ASSERT_EQUAL(host->abi_minor, SHUNT_ABI_MINOR);
	CU_ASSERT_STRING_EQUAL(host->broker_version, PACKAGE_VERSION);
	CU_ASSERT_TRUE(SHUNT_HAS(host, struct shunt_host, loop_index));
	CU_ASSERT_TRUE(host->register_exchange_type && host->config && host->log &&
		       host->allocate && host->reallocate && host->free && host->hash &&
		       host->table_next && host->table_find && host->array_next &&
		       host->message_headers && host->message_property && host->loop_count &&
		       host->loop_index);
	host_end();
}

static void each_plugin_has_its_own(void)
{
	const struct shunt_host *host;

	settings[0] = (struct plugin_setting){"probe", "text", "mine", "-o"};
	plugins_begin(1);
	ASSERT_LOADS("rival");
	ASSERT_LOADS("probe");
	host = probe_get()->host;
	ASSERT_TEXT(host->config(host, "text"), "mine");
	ASSERT_TEXT(plugin_name(plugin_of_host(host)), "probe");
	(void)plugins_end();
}

/* ---- Log ---- */

static const char *logged(const struct shunt_host *host, int level, const char *text)
{
	capture_begin();
	host->log(host, (enum shunt_log_level)level, text);
	return capture_end();
}

static void assert_ends(const char *text, const char *end)
{
	size_t n = strlen(end);

	CU_ASSERT_TRUE(strlen(text) > n && strcmp(text + strlen(text) - n, end) == 0);
}

static void log_levels(void)
{
	const struct shunt_host *host = host_begin();

	log_set_level(LOG_LEVEL_DEBUG);
	assert_ends(logged(host, SHUNT_LOG_ERROR, "one"), "Z E plugin: probe: one\n");
	assert_ends(logged(host, SHUNT_LOG_WARNING, "two"), "Z W plugin: probe: two\n");
	assert_ends(logged(host, SHUNT_LOG_INFO, "three"), "Z I plugin: probe: three\n");
	assert_ends(logged(host, SHUNT_LOG_DEBUG, "four"), "Z D plugin: probe: four\n");
	assert_ends(logged(host, 99, "five"), "Z I plugin: probe: five\n");
	assert_ends(logged(host, -1, "six"), "Z I plugin: probe: six\n");
	log_set_level(LOG_LEVEL_WARNING);
	assert_ends(logged(host, SHUNT_LOG_WARNING, "seven"), "Z W plugin: probe: seven\n");
	ASSERT_TEXT(logged(host, SHUNT_LOG_INFO, "eight"), "");
	ASSERT_TEXT(logged(host, SHUNT_LOG_DEBUG, "nine"), "");
	log_set_level(LOG_LEVEL_INFO);
	host_end();
}

/* Neither a format nor several lines. */
static void log_takes_text_as_it_is(void)
{
	const struct shunt_host *host = host_begin();

	assert_ends(logged(host, SHUNT_LOG_ERROR, "100%s %n"), "Z E plugin: probe: 100%s %n\n");
	assert_ends(logged(host, SHUNT_LOG_ERROR, "one\ntwo"), "Z E plugin: probe: one?two\n");
	assert_ends(logged(host, SHUNT_LOG_ERROR, ""), "Z E plugin: probe: \n");
	host_end();
}

/* ---- Memory ---- */

static void memory(void)
{
	const struct shunt_host *host = host_begin();
	char *block = host->allocate(host, 10), *moved;

	CU_ASSERT_PTR_NOT_NULL_FATAL(block);
	memcpy(block, "123456789", 10);
	moved = host->reallocate(host, block, 100000);
	CU_ASSERT_PTR_NOT_NULL_FATAL(moved);
	ASSERT_TEXT(moved, "123456789");
	host->free(host, moved);
	moved = host->reallocate(host, NULL, 10);
	CU_ASSERT_PTR_NOT_NULL(moved);
	host->free(host, moved);
	host->free(host, NULL);
	host_end();
}

static void memory_that_is_out_is_no_end(void)
{
	const struct shunt_host *host = host_begin();
	char *block = host->allocate(host, 10);

	CU_ASSERT_PTR_NOT_NULL_FATAL(block);
	memcpy(block, "123456789", 10);
	mem_fault_after(1);
	CU_ASSERT_PTR_NULL(host->allocate(host, 10));
	mem_fault_after(1);
	CU_ASSERT_PTR_NULL(host->reallocate(host, block, 20));
	mem_fault_after(-1);
	ASSERT_TEXT(block, "123456789");
	host->free(host, block);
	host_end();
}

/* ---- Hash ---- */

static void hash_is_the_same_for_the_same_bytes(void)
{
	const struct shunt_host *host = host_begin();
	char text[512], copy[513];
	uint64_t last = 0;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	memcpy(copy + 1, text, sizeof(text));
	for (size_t n = 0; n <= sizeof(text); n++) {
		uint64_t hash = host->hash(host, text, n);

		CU_ASSERT_EQUAL(hash, host->hash(host, copy + 1, n));
		CU_ASSERT_NOT_EQUAL(hash, last);
		last = hash;
	}
	CU_ASSERT_EQUAL(host->hash(host, NULL, 0), host->hash(host, text, 0));
	copy[1]++;
	CU_ASSERT_NOT_EQUAL(host->hash(host, text, 100), host->hash(host, copy + 1, 100));
	host_end();
}

/* ---- Tables ---- */

static void check_value(const struct shunt_value *value)
{
	switch (value->type) {
	case 'S':
		CU_ASSERT_TRUE(bytes_are(value->bytes, "x"));
		break;
	case 'I':
	case 'b':
	case 'l':
	case 's':
		CU_ASSERT_EQUAL(value->integer, -1);
		break;
	case 'B':
		CU_ASSERT_EQUAL(value->integer, 255);
		break;
	case 'u':
		CU_ASSERT_EQUAL(value->integer, 65535);
		break;
	case 'i':
		CU_ASSERT_EQUAL(value->integer, 4294967295);
		break;
	case 'L':
		CU_ASSERT_EQUAL(value->integer, 1);
		break;
	case 'D':
		CU_ASSERT_EQUAL(value->integer, 256);
		CU_ASSERT_EQUAL(value->scale, 2);
		break;
	case 'T':
		CU_ASSERT_EQUAL(value->integer, 9);
		break;
	case 'd':
	case 'f':
		CU_ASSERT_TRUE(fabs(value->real - 1.5) < 1e-9);
		break;
	case 't':
		CU_ASSERT_TRUE(value->boolean);
		break;
	case 'F':
		CU_ASSERT_EQUAL(value->bytes.size, 3);
		break;
	case 'A':
		CU_ASSERT_EQUAL(value->bytes.size, 3);
		break;
	case 'x':
		CU_ASSERT_EQUAL(value->bytes.size, 1);
		CU_ASSERT_EQUAL(value->bytes.data[0], 0);
		break;
	case 'V':
		CU_ASSERT_PTR_NULL(value->bytes.data);
		break;
	default:
		CU_FAIL("a type that is not in the table");
	}
}

static void table_next_over_all_types(void)
{
	const struct shunt_host *host = host_begin();
	struct shunt_bytes table = bytes_of(TABLE_OF_ALL_TYPES), name;
	struct shunt_value value;
	char met[TYPE_COUNT + 1] = "";
	size_t position = 0;

	for (size_t i = 0; i < TYPE_COUNT; i++) {
		memset(&value, 0x5a, sizeof(value));
		CU_ASSERT_TRUE_FATAL(host->table_next(host, table, &position, &name, &value));
		/* the key is the type's letter */
		CU_ASSERT_EQUAL_FATAL(name.size, 1);
		CU_ASSERT_EQUAL((char)name.data[0], value.type);
		check_value(&value);
		met[i] = value.type;
	}
	ASSERT_TEXT(met, "SIDTFAbBdflLsuitxV");
	CU_ASSERT_EQUAL(position, table.size);
	CU_ASSERT_FALSE(host->table_next(host, table, &position, &name, &value));
	CU_ASSERT_FALSE(host->table_next(host, table, &position, &name, &value));
	host_end();
}

static void table_find_of_all_types(void)
{
	const struct shunt_host *host = host_begin();
	struct shunt_bytes table = bytes_of(TABLE_OF_ALL_TYPES);
	struct shunt_value value;

	for (const char *type = "SIDTFAbBdflLsuitxV"; *type != '\0'; type++) {
		char name[2] = {*type, '\0'};

		CU_ASSERT_TRUE_FATAL(host->table_find(host, table, name, &value));
		CU_ASSERT_EQUAL(value.type, *type);
		check_value(&value);
	}
	memset(&value, 0x5a, sizeof(value));
	CU_ASSERT_FALSE(host->table_find(host, table, "q", &value));
	CU_ASSERT_FALSE(host->table_find(host, table, "", &value));
	CU_ASSERT_FALSE(host->table_find(host, table, "SS", &value));
	CU_ASSERT_EQUAL(value.type, 0x5a);
	host_end();
}

static void table_find_takes_the_first(void)
{
	const struct shunt_host *host = host_begin();
	struct shunt_bytes table = bytes_of(SLICE_LITERAL("\1at\0\1bV\1at\1"));
	struct shunt_value value;

	CU_ASSERT_TRUE_FATAL(host->table_find(host, table, "a", &value));
	CU_ASSERT_FALSE(value.boolean);
	host_end();
}

static void nothing_in_an_empty_table(void)
{
	const struct shunt_host *host = host_begin();
	struct shunt_bytes none = {NULL, 0}, name;
	struct shunt_value value;
	size_t position = 0;

	CU_ASSERT_FALSE(host->table_next(host, none, &position, &name, &value));
	CU_ASSERT_FALSE(host->array_next(host, none, &position, &value));
	CU_ASSERT_FALSE(host->table_find(host, none, "a", &value));
	CU_ASSERT_EQUAL(position, 0);
	host_end();
}

static void nested_tables_and_arrays(void)
{
	const struct shunt_host *host = host_begin();
	struct shunt_bytes table = bytes_of(TABLE_OF_ALL_TYPES), name;
	struct shunt_value outer, inner;
	size_t position = 0;

	CU_ASSERT_TRUE_FATAL(host->table_find(host, table, "F", &outer));
	CU_ASSERT_TRUE_FATAL(host->table_next(host, outer.bytes, &position, &name, &inner));
	CU_ASSERT_TRUE(bytes_are(name, "a"));
	CU_ASSERT_EQUAL(inner.type, 'V');
	CU_ASSERT_FALSE(host->table_next(host, outer.bytes, &position, &name, &inner));

	CU_ASSERT_TRUE_FATAL(host->table_find(host, table, "A", &outer));
	position = 0;
	CU_ASSERT_TRUE_FATAL(host->array_next(host, outer.bytes, &position, &inner));
	CU_ASSERT_EQUAL(inner.type, 'V');
	CU_ASSERT_TRUE_FATAL(host->array_next(host, outer.bytes, &position, &inner));
	CU_ASSERT_EQUAL(inner.type, 't');
	CU_ASSERT_TRUE(inner.boolean);
	CU_ASSERT_FALSE(host->array_next(host, outer.bytes, &position, &inner));
	host_end();
}

/* The values of the table, without their keys. */
static void array_next_over_all_types(void)
{
	const struct shunt_host *host = host_begin();
	struct slice table = TABLE_OF_ALL_TYPES;
	struct amqp_table_iter iter;
	struct amqp_table_writer writer;
	struct buffer buffer;
	struct amqp_value each;
	struct shunt_value outer, value;
	struct slice key;
	size_t position = 0, n = 0;

	buffer_init(&buffer);
	amqp_table_writer_init(&writer, &buffer);
	amqp_table_begin_array(&writer, "all");
	amqp_table_iter_init(&iter, table);
	while (amqp_table_iter_next(&iter, &key, &each) == 1)
		amqp_array_put_value(&writer, &each);
	amqp_table_end(&writer);
	CU_ASSERT_EQUAL_FATAL(amqp_table_writer_finish(&writer), 0);

	CU_ASSERT_TRUE_FATAL(host->table_find(host, (struct shunt_bytes){buffer.data, buffer.size},
					      "all", &outer));
	while (host->array_next(host, outer.bytes, &position, &value)) {
		CU_ASSERT_EQUAL("SIDTFAbBdflLsuitxV"[n], value.type);
		check_value(&value);
		n++;
	}
	CU_ASSERT_EQUAL(n, TYPE_COUNT);
	CU_ASSERT_EQUAL(position, outer.bytes.size);
	buffer_fini(&buffer);
	host_end();
}

/* Such are not handed to plugins; and yet nothing is read beyond the end. */
static void truncated_tables(void)
{
	const struct shunt_host *host = host_begin();
	struct slice whole = TABLE_OF_ALL_TYPES;

	for (size_t size = 0; size < whole.size; size++) {
		struct slice copy = exact_copy(whole, size);
		struct shunt_bytes table = bytes_of(copy), name;
		struct shunt_value value;
		size_t position = 0, n = 0;

		while (host->table_next(host, table, &position, &name, &value))
			n++;
		CU_ASSERT_TRUE(n < TYPE_COUNT && position <= size);
		CU_ASSERT_FALSE(host->table_find(host, table, "V", &value));
		position = 0;
		while (host->array_next(host, table, &position, &value))
			;
		CU_ASSERT_TRUE(position <= size);
		exact_free(copy);
	}
	host_end();
}

/* ---- Messages ---- */

/* As the router hands it to route(). */
static void message_begin(struct routed_message *routed, struct slice properties)
{
	struct message *message =
		message_create(SLICE_LITERAL("x"), SLICE_LITERAL("key"), properties, 0);

	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	*routed = (struct routed_message){.view.size = sizeof(struct shunt_message),
					  .message = message};
}

static void message_end(struct routed_message *routed)
{
	message_unref((struct message *)(uintptr_t)routed->message);
}

static void message_begin_with(struct routed_message *routed,
			       const struct amqp_properties *properties)
{
	uint8_t raw[512];
	struct amqp_writer writer = {raw, raw + sizeof(raw), false};

	amqp_properties_encode(&writer, properties);
	CU_ASSERT_FALSE_FATAL(writer.failed);
	message_begin(routed, slice_make(raw, amqp_properties_size(properties)));
}

static const struct amqp_properties all_properties = {
	.flags = AMQP_PROPERTY_CONTENT_TYPE | AMQP_PROPERTY_CONTENT_ENCODING |
		 AMQP_PROPERTY_HEADERS | AMQP_PROPERTY_DELIVERY_MODE | AMQP_PROPERTY_PRIORITY |
		 AMQP_PROPERTY_CORRELATION_ID | AMQP_PROPERTY_REPLY_TO | AMQP_PROPERTY_EXPIRATION |
		 AMQP_PROPERTY_MESSAGE_ID | AMQP_PROPERTY_TIMESTAMP | AMQP_PROPERTY_TYPE |
		 AMQP_PROPERTY_USER_ID | AMQP_PROPERTY_APP_ID | AMQP_PROPERTY_CLUSTER_ID,
	.content_type = SLICE_LITERAL("text/plain"),
	.content_encoding = SLICE_LITERAL("utf-8"),
	.headers = SLICE_LITERAL("\1at\1"),
	.delivery_mode = 2,
	.priority = 255,
	.correlation_id = SLICE_LITERAL("correlation"),
	.reply_to = SLICE_LITERAL("reply"),
	.expiration = SLICE_LITERAL("60000"),
	.message_id = SLICE_LITERAL("id"),
	.timestamp = 1700000000,
	.type = SLICE_LITERAL("type"),
	.user_id = SLICE_LITERAL("guest"),
	.app_id = SLICE_LITERAL(""),
	.cluster_id = SLICE_LITERAL("cluster"),
};

/* In the order of enum shunt_property. */
static const struct {
	const char *text;
	char type;
	int64_t integer;
} expected_properties[] = {
	{"text/plain", 'S', 0},	 {"utf-8", 'S', 0}, {NULL, 'B', 2},    {NULL, 'B', 255},
	{"correlation", 'S', 0}, {"reply", 'S', 0}, {"60000", 'S', 0}, {"id", 'S', 0},
	{NULL, 'T', 1700000000}, {"type", 'S', 0},  {"guest", 'S', 0}, {"", 'S', 0},
};
#define PROPERTY_COUNT (sizeof(expected_properties) / sizeof(*expected_properties))

static bool property(const struct shunt_host *host, const struct routed_message *routed, size_t i,
		     struct shunt_value *ret)
{
	return host->message_property(host, &routed->view, (enum shunt_property)i, ret);
}

static void every_property(void)
{
	const struct shunt_host *host = host_begin();
	struct routed_message routed;
	struct shunt_value value;

	CU_ASSERT_EQUAL_FATAL(PROPERTY_COUNT, SHUNT_APP_ID + 1);
	message_begin_with(&routed, &all_properties);
	for (size_t i = 0; i < PROPERTY_COUNT; i++) {
		CU_ASSERT_TRUE_FATAL(property(host, &routed, i, &value));
		CU_ASSERT_EQUAL(value.type, expected_properties[i].type);
		if (expected_properties[i].text)
			CU_ASSERT_TRUE(bytes_are(value.bytes, expected_properties[i].text))
		else
			CU_ASSERT_EQUAL(value.integer, expected_properties[i].integer)
	}
	message_end(&routed);
	host_end();
}

/* Each alone: the others are not there, and say so without touching the answer. */
static void each_property_alone(void)
{
	static const uint16_t flags[] = {
		AMQP_PROPERTY_CONTENT_TYPE,   AMQP_PROPERTY_CONTENT_ENCODING,
		AMQP_PROPERTY_DELIVERY_MODE,  AMQP_PROPERTY_PRIORITY,
		AMQP_PROPERTY_CORRELATION_ID, AMQP_PROPERTY_REPLY_TO,
		AMQP_PROPERTY_EXPIRATION,     AMQP_PROPERTY_MESSAGE_ID,
		AMQP_PROPERTY_TIMESTAMP,      AMQP_PROPERTY_TYPE,
		AMQP_PROPERTY_USER_ID,	      AMQP_PROPERTY_APP_ID,
	};
	const struct shunt_host *host = host_begin();

	for (size_t set = 0; set < PROPERTY_COUNT; set++) {
		struct amqp_properties one = all_properties;
		struct routed_message routed;
		struct shunt_value value;

		one.flags = flags[set];
		message_begin_with(&routed, &one);
		for (size_t i = 0; i < PROPERTY_COUNT; i++) {
			memset(&value, 0x5a, sizeof(value));
			CU_ASSERT_EQUAL(property(host, &routed, i, &value), i == set);
			CU_ASSERT_EQUAL(value.type, i == set ? expected_properties[i].type : 0x5a);
		}
		CU_ASSERT_EQUAL(host->message_headers(host, &routed.view).size, 0);
		message_end(&routed);
	}
	host_end();
}

static void headers(void)
{
	const struct shunt_host *host = host_begin();
	struct routed_message routed;
	struct shunt_bytes table;
	struct shunt_value value;

	message_begin_with(&routed, &all_properties);
	table = host->message_headers(host, &routed.view);
	CU_ASSERT_EQUAL_FATAL(table.size, 4);
	CU_ASSERT_TRUE_FATAL(host->table_find(host, table, "a", &value));
	CU_ASSERT_TRUE(value.boolean);
	/* in the message itself, not a copy */
	CU_ASSERT_TRUE(table.data > routed.message->bytes &&
		       table.data < routed.message->bytes + routed.message->alloc_size);
	message_end(&routed);
	host_end();
}

static void headers_with_every_type(void)
{
	const struct shunt_host *host = host_begin();
	const struct amqp_properties properties = {.flags = AMQP_PROPERTY_HEADERS,
						   .headers = TABLE_OF_ALL_TYPES};
	struct routed_message routed;
	struct shunt_bytes table, name;
	struct shunt_value value;
	size_t position = 0, n = 0;

	message_begin_with(&routed, &properties);
	table = host->message_headers(host, &routed.view);
	while (host->table_next(host, table, &position, &name, &value)) {
		check_value(&value);
		n++;
	}
	CU_ASSERT_EQUAL(n, TYPE_COUNT);
	message_end(&routed);
	host_end();
}

static void message_without_properties(void)
{
	const struct shunt_host *host = host_begin();
	struct routed_message routed;
	struct shunt_value value;

	message_begin(&routed, SLICE_LITERAL("\0\0"));
	CU_ASSERT_EQUAL(host->message_headers(host, &routed.view).size, 0);
	for (size_t i = 0; i < PROPERTY_COUNT + 2; i++)
		CU_ASSERT_FALSE(property(host, &routed, i, &value));
	message_end(&routed);
	host_end();
}

/* ---- Loops ---- */

static const struct shunt_host *visited_host;
static unsigned visited_index;

static void visit_loop(void *arg)
{
	(void)arg;
	visited_index = visited_host->loop_index(visited_host);
}

static void loops(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(3), 0);
	visited_host = host_begin();
	CU_ASSERT_EQUAL(visited_host->loop_count(visited_host), 3);
	CU_ASSERT_EQUAL(visited_host->loop_index(visited_host), 0);
	for (unsigned i = 0; i < 3; i++) {
		loop_pool_visit(i, visit_loop, NULL);
		CU_ASSERT_EQUAL(visited_index, i);
	}
	host_end();
	loop_pool_destroy();
}

/* No thread of the broker's, no end of the broker. */
static void loop_index_outside(void)
{
	const struct shunt_host *host = host_begin();

	CU_ASSERT_PTR_NULL_FATAL(loop_self());
	CU_ASSERT_EQUAL(host->loop_index(host), 0);
	host_end();
}

UNIT_MAIN("host", UNIT_TEST(versions_and_every_function), UNIT_TEST(each_plugin_has_its_own),
	  UNIT_TEST(log_levels), UNIT_TEST(log_takes_text_as_it_is), UNIT_TEST(memory),
	  UNIT_TEST(memory_that_is_out_is_no_end), UNIT_TEST(hash_is_the_same_for_the_same_bytes),
	  UNIT_TEST(table_next_over_all_types), UNIT_TEST(table_find_of_all_types),
	  UNIT_TEST(table_find_takes_the_first), UNIT_TEST(nothing_in_an_empty_table),
	  UNIT_TEST(nested_tables_and_arrays), UNIT_TEST(array_next_over_all_types),
	  UNIT_TEST(truncated_tables), UNIT_TEST(every_property), UNIT_TEST(each_property_alone),
	  UNIT_TEST(headers), UNIT_TEST(headers_with_every_type),
	  UNIT_TEST(message_without_properties), UNIT_TEST(loops), UNIT_TEST(loop_index_outside))
