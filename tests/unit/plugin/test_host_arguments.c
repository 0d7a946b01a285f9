/* SPDX-License-Identifier: MIT */
/* The host's functions for described arguments, and for messages that are kept. */
#include "plugin/host.h"

#include <pthread.h>

#include "amqp/table_writer.h"
#include "base/account.h"
#include "broker/message/message.h"
#include "broker/router/router.h"
#include "host_fixture.h"

/* ---- Arguments ---- */

static struct buffer table_buffer;

static struct shunt_bytes table_of(const char *name, struct amqp_value value)
{
	struct amqp_table_writer writer;

	buffer_clear(&table_buffer);
	amqp_table_writer_init(&writer, &table_buffer);
	amqp_table_put_value(&writer, slice_cstr(name), &value);
	CU_ASSERT_EQUAL_FATAL(amqp_table_writer_finish(&writer), 0);
	return bytes_of(buffer_slice(&table_buffer));
}

#define VALUE(type_, ...) ((struct amqp_value){.type = AMQP_VALUE_##type_, __VA_ARGS__})

static void value_or_default(void)
{
	const struct shunt_argument size = {.name = "size",
					    .type = SHUNT_ARGUMENT_INTEGER,
					    .minimum = 1,
					    .maximum = 9,
					    .default_value = "3"};
	const struct shunt_argument bare = {.name = "size", .type = SHUNT_ARGUMENT_INTEGER};
	const struct shunt_host *host = host_begin();
	struct shunt_bytes none = {NULL, 0};
	struct shunt_value value;

	CU_ASSERT_TRUE(host->argument(host, none, &size, &value));
	CU_ASSERT_EQUAL(value.integer, 3);
	CU_ASSERT_FALSE(host->argument(host, none, &bare, &value));
	CU_ASSERT_TRUE(
		host->argument(host, table_of("size", VALUE(BYTE, .integer = 5)), &size, &value));
	CU_ASSERT_EQUAL(value.type, 'l');
	CU_ASSERT_EQUAL(value.integer, 5);
	CU_ASSERT_TRUE(
		host->argument(host, table_of("other", VALUE(BYTE, .integer = 5)), &size, &value));
	CU_ASSERT_EQUAL(value.integer, 3);
	/* What does not fit is as if it were not there. */
	CU_ASSERT_TRUE(
		host->argument(host, table_of("size", VALUE(BYTE, .integer = 10)), &size, &value));
	CU_ASSERT_EQUAL(value.integer, 3);
	CU_ASSERT_FALSE(host->argument(host, table_of("size", VALUE(BOOL, .boolean = true)), &bare,
				       &value));
	buffer_fini(&table_buffer);
	host_end();
}

static void of_any_type(void)
{
	const struct shunt_argument any = {.name = "a", .default_value = "x"};
	const struct shunt_host *host = host_begin();
	struct shunt_value value;

	CU_ASSERT_TRUE(host->argument(host, table_of("a", VALUE(UNSIGNED_BYTE, .integer = 7)), &any,
				      &value));
	CU_ASSERT_EQUAL(value.type, 'B');
	CU_ASSERT_EQUAL(value.integer, 7);
	CU_ASSERT_TRUE(
		host->argument(host, table_of("b", VALUE(VOID, .integer = 0)), &any, &value));
	CU_ASSERT_EQUAL(value.type, 'S');
	CU_ASSERT_TRUE(bytes_are(value.bytes, "x"));
	buffer_fini(&table_buffer);
	host_end();
}

/* A table that is cut off anywhere. */
static void truncated(void)
{
	const struct shunt_argument text = {.name = "text", .type = SHUNT_ARGUMENT_STRING};
	const struct shunt_host *host = host_begin();
	struct shunt_bytes table =
		table_of("text", VALUE(STRING, .bytes = SLICE_LITERAL("some text")));
	struct shunt_value value;

	for (size_t size = 0; size < table.size; size++) {
		uint8_t *cut = malloc(size + 1);

		CU_ASSERT_PTR_NOT_NULL_FATAL(cut);
		memcpy(cut, table.data, size);
		CU_ASSERT_FALSE(
			host->argument(host, (struct shunt_bytes){cut, size}, &text, &value));
		free(cut);
	}
	CU_ASSERT_TRUE(host->argument(host, table, &text, &value));
	buffer_fini(&table_buffer);
	host_end();
}

/* ---- Messages that are kept ---- */

static void *release(void *arg)
{
	const struct shunt_message *held = arg;
	const struct shunt_host *host = probe_get()->host;

	host->message_release(host, held);
	return NULL;
}

static void held_and_released_elsewhere(void)
{
	const struct shunt_host *host = host_begin();
	struct message *message = message_create(SLICE_LITERAL("x"), SLICE_LITERAL("key"),
						 SLICE_LITERAL("\x10\0\2"), 4);
	struct slice key = message_routing_key(message);
	const struct routed_message shown = {
		.view = {.size = sizeof(struct shunt_message), .routing_key = bytes_of(key)},
		.message = message,
	};
	uint64_t before = account_kind_total(ACCOUNT_MESSAGE);
	const struct shunt_message *held = host->message_hold(host, &shown.view);
	struct shunt_value value;
	pthread_t thread;

	CU_ASSERT_PTR_NOT_NULL_FATAL(held);
	message_unref(message);
	CU_ASSERT_TRUE(account_kind_total(ACCOUNT_MESSAGE) > before);
	CU_ASSERT_TRUE(bytes_are(held->routing_key, "key"));
	CU_ASSERT_TRUE(host->message_property(host, held, SHUNT_DELIVERY_MODE, &value));
	CU_ASSERT_EQUAL(value.integer, 2);
	CU_ASSERT_EQUAL(host->message_headers(host, held).size, 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, release, (void *)(uintptr_t)held), 0);
	(void)pthread_join(thread, NULL);
	CU_ASSERT_TRUE(account_kind_total(ACCOUNT_MESSAGE) < before);
	host->message_release(host, NULL);
	host_end();
}

UNIT_MAIN("host_arguments", UNIT_TEST(value_or_default), UNIT_TEST(of_any_type),
	  UNIT_TEST(truncated), UNIT_TEST(held_and_released_elsewhere))
