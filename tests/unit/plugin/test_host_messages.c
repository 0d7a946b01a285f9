/* SPDX-License-Identifier: MIT */
/* The host's functions for messages: headers and properties. */
#include "plugin/host.h"

#include "amqp/properties.h"
#include "broker/message/message.h"
#include "broker/router/router.h"
#include "host_fixture.h"

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

UNIT_MAIN("host_messages", UNIT_TEST(every_property), UNIT_TEST(each_property_alone),
	  UNIT_TEST(headers), UNIT_TEST(headers_with_every_type),
	  UNIT_TEST(message_without_properties))
