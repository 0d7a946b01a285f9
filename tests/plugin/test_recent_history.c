/* SPDX-License-Identifier: MIT */
#include "exchange_case.h"

#include "fake_services.h"

#include "../unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* ---- Routing: as a fanout ---- */

static void make_binding(uint64_t *random, struct case_binding *binding)
{
	case_set_key(binding, case_random(random) % 2 ? "a" : "b");
}

static void make_message(uint64_t *random, struct case_message *message)
{
	case_message_set_key(message, case_random(random) % 2 ? "a" : "c");
}

static bool matches(const struct shunt_binding *binding, const struct case_message *message)
{
	(void)binding;
	(void)message;
	return true;
}

static const struct case_model model = {make_binding, make_message, matches, NULL};

/* ---- Declaring ---- */

static void says(const struct exchange_case *c, struct fake_table *arguments, const char *value)
{
	struct shunt_exchange exchange = c->exchange;
	struct shunt_error error = {0};
	char text[256];
	int result;

	exchange.arguments = fake_table_bytes(arguments);
	result = c->host.type->validate(c->host.plugin, &exchange, &error);
	CU_ASSERT_EQUAL(result, value ? -1 : 0);
	if (value) {
		(void)snprintf(text, sizeof(text),
			       "Invalid argument %s, 'x-recent-history-length' must be a positive "
			       "integer",
			       value);
		CU_ASSERT_EQUAL(error.code, SHUNT_PRECONDITION_FAILED);
		CU_ASSERT_STRING_EQUAL(error.text, text);
	}
	fake_table_fini(arguments);
	memset(arguments, 0, sizeof(*arguments));
}

static void refuses_lengths_as_rabbitmq(void)
{
	const char *name = "x-recent-history-length";
	struct fake_table arguments = {0};
	struct exchange_case c;

	case_open(&c, &model, 0);
	says(&c, &arguments, NULL);
	fake_table_put(&arguments, name, 'b', 1);
	says(&c, &arguments, NULL);
	fake_table_put(&arguments, name, 'l', INT64_MAX);
	says(&c, &arguments, NULL);
	fake_table_put(&arguments, name, 'I', 0);
	says(&c, &arguments, "0");
	fake_table_put(&arguments, name, 'l', -1099511627776);
	says(&c, &arguments, "-1099511627776");
	fake_table_put_text(&arguments, name, "5");
	says(&c, &arguments, "<<\"5\">>");
	fake_table_put(&arguments, name, 't', 1);
	says(&c, &arguments, "true");
	fake_table_put(&arguments, name, 'V', 0);
	says(&c, &arguments, "undefined");
	fake_table_put(&arguments, name, 'T', 1577836800);
	says(&c, &arguments, "1577836800");
	fake_table_put_decimal(&arguments, name, 1, 25);
	says(&c, &arguments, "{1,25}");
	case_close(&c);
}

/* ---- The history ---- */

static void open_with_length(struct exchange_case *c, int64_t length)
{
	static struct fake_table arguments;

	fake_table_fini(&arguments);
	memset(&arguments, 0, sizeof(arguments));
	fake_table_put(&arguments, "x-recent-history-length", 'l', length);
	case_open_declared(c, &model, 4, &arguments);
}

/* A message whose key is the number, with a body of so many bytes. */
static void observe_large(struct exchange_case *c, unsigned number, size_t size)
{
	static const uint8_t body[4096];
	struct case_message message = {0};
	char key[16];

	(void)snprintf(key, sizeof(key), "%u", number);
	case_message_set_key(&message, key);
	message.fake.message.body = (struct shunt_bytes){body, size};
	c->host.type->observe(c->state, &message.fake.message);
}

static void observe(struct exchange_case *c, unsigned number)
{
	observe_large(c, number, 0);
}

static void observe_no_store(struct exchange_case *c, unsigned number, char type, int64_t value)
{
	struct case_message message = {0};
	char key[16];

	(void)snprintf(key, sizeof(key), "%u", number);
	case_message_set_key(&message, key);
	fake_table_put(&message.headers, "x-recent-history-no-store", type, value);
	message.fake.headers = fake_table_bytes(&message.headers);
	c->host.type->observe(c->state, &message.fake.message);
	case_message_fini(&message);
}

/* A new binding gets what it is told of by numbers, in text, oldest first. */
static void history_is(struct exchange_case *c, const char *expected)
{
	struct fake_sender sender;
	char text[512] = "";
	size_t used = 0;

	fake_sender_init(&sender);
	case_set_key(&c->bindings[0], "k");
	CU_ASSERT_EQUAL_FATAL(case_bind(c, 0), 0);
	c->host.type->bound(c->state, &c->bindings[0].binding, &sender.sender);
	for (size_t i = 0; i < sender.count && i < 64; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.*s", i ? " " : "",
					 (int)sender.messages[i]->routing_key.size,
					 (const char *)sender.messages[i]->routing_key.data);
	CU_ASSERT_STRING_EQUAL(text, expected);
	case_unbind(c, 0);
}

static void keeps_20_messages(void)
{
	struct exchange_case c;

	case_open(&c, &model, 1);
	history_is(&c, "");
	observe(&c, 1);
	observe(&c, 2);
	history_is(&c, "1 2");
	for (unsigned i = 3; i <= 20; i++)
		observe(&c, i);
	history_is(&c, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20");
	observe(&c, 21);
	history_is(&c, "2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21");
	CU_ASSERT_EQUAL(c.host.held, 20);
	case_close(&c);
}

static void keeps_as_many_as_declared(void)
{
	struct exchange_case c;

	open_with_length(&c, 3);
	for (unsigned i = 0; i < 1000; i++)
		observe(&c, i);
	history_is(&c, "997 998 999");
	CU_ASSERT_EQUAL(c.host.held, 3);
	case_close(&c);
	open_with_length(&c, 1);
	observe(&c, 1);
	observe(&c, 2);
	history_is(&c, "2");
	case_close(&c);
	open_with_length(&c, INT64_MAX);
	observe(&c, 1);
	history_is(&c, "1");
	for (unsigned i = 0; i < 10000; i++)
		observe(&c, i);
	CU_ASSERT_EQUAL(c.host.held, 10001);
	case_close(&c);
}

static void keeps_not_what_is_not_to_be_stored(void)
{
	struct exchange_case c;

	case_open(&c, &model, 1);
	observe_no_store(&c, 1, 't', 1);
	observe_no_store(&c, 2, 't', 0);
	observe_no_store(&c, 3, 'I', 1);
	observe_no_store(&c, 4, 'V', 0);
	history_is(&c, "2 3 4");
	case_close(&c);
}

/* 10 000 bytes hold three messages of 3 000 bytes and what goes with them. */
static void keeps_as_many_bytes_as_configured(void)
{
	static const char *const settings[] = {"max_bytes", "10000", NULL};
	struct exchange_case c;

	case_open(&c, &model, 1);
	c.host.type->destroy(c.state);
	c.host.settings = settings;
	CU_ASSERT_EQUAL_FATAL(
		c.host.type->create(c.host.plugin, &c.exchange, &c.state, &(struct shunt_error){0}),
		0);
	for (unsigned i = 1; i <= 9; i++)
		observe_large(&c, i, 3000);
	history_is(&c, "7 8 9");
	observe_large(&c, 10, 100);
	history_is(&c, "8 9 10");
	observe_large(&c, 11, 2000);
	history_is(&c, "8 9 10 11");
	observe_large(&c, 12, 4096);
	history_is(&c, "10 11 12");
	case_close(&c);
}

/* More than all are allowed to have: the last one stays. */
static void keeps_the_last_message_always(void)
{
	static const char *const settings[] = {"max_bytes", "1", NULL};
	struct exchange_case c;

	case_open(&c, &model, 1);
	c.host.type->destroy(c.state);
	c.host.settings = settings;
	CU_ASSERT_EQUAL_FATAL(
		c.host.type->create(c.host.plugin, &c.exchange, &c.state, &(struct shunt_error){0}),
		0);
	for (unsigned i = 1; i <= 9; i++)
		observe_large(&c, i, 3000);
	history_is(&c, "9");
	CU_ASSERT_EQUAL(c.host.held, 1);
	case_close(&c);
}

static void sends_until_memory_is_out(void)
{
	struct fake_sender sender;
	struct exchange_case c;

	case_open(&c, &model, 1);
	for (unsigned i = 0; i < 5; i++)
		observe(&c, i);
	fake_sender_init(&sender);
	sender.left = 2;
	CU_ASSERT_EQUAL_FATAL(case_bind(&c, 0), 0);
	c.host.type->bound(c.state, &c.bindings[0].binding, &sender.sender);
	CU_ASSERT_EQUAL(sender.count, 2);
	case_unbind(&c, 0);
	history_is(&c, "0 1 2 3 4");
	case_close(&c);
}

/* A message that cannot be held is not remembered; without a larger ring the oldest goes. */
static void remembers_what_memory_allows(void)
{
	struct exchange_case c;

	case_open(&c, &model, 1);
	fake_host_fail(&c.host, 2, false); /* the ring */
	observe(&c, 1);
	CU_ASSERT(c.host.failed);
	history_is(&c, "");
	fake_host_fail(&c.host, 1, false);
	observe(&c, 2);
	history_is(&c, "");
	for (unsigned i = 1; i <= 16; i++)
		observe(&c, i);
	fake_host_fail(&c.host, 2, true);
	observe(&c, 17);
	observe(&c, 18);
	fake_host_fail_off(&c.host);
	history_is(&c, "2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17");
	observe(&c, 19);
	history_is(&c, "2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 19");
	case_close(&c);
}

static void another_version_takes_the_history_over(void)
{
	struct shunt_error error = {0};
	struct exchange_case c;
	void *fresh;

	case_open(&c, &model, 1);
	for (unsigned i = 1; i <= 30; i++)
		observe(&c, i);
	CU_ASSERT_EQUAL_FATAL(c.host.type->create(c.host.plugin, &c.exchange, &fresh, &error), 0);
	c.host.type->adopt(fresh, c.state, "0.0.9");
	c.host.type->destroy(c.state);
	c.state = fresh;
	CU_ASSERT_EQUAL(c.host.held, 20);
	observe(&c, 31);
	history_is(&c, "12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31");
	case_close(&c);
}

/* What an older version has left does not fit: it is left to that version. */
static void a_state_of_another_layout_is_left_alone(void)
{
	uint64_t other[64] = {0};
	struct exchange_case c;

	case_open(&c, &model, 1);
	c.host.type->adopt(c.state, other, "9.0.0");
	observe(&c, 1);
	history_is(&c, "1");
	case_close(&c);
}

/* ---- The rest ---- */

static void agrees_with_the_model(void)
{
	struct exchange_case c;

	case_open(&c, &model, 200);
	case_run_random(&c, 1, 4000);
	case_close(&c);
}

static void survives_failing_allocations(void)
{
	struct exchange_case c;

	case_open(&c, &model, 60);
	case_run_memory(&c, 2, 500);
	case_close(&c);
}

static void destroy_frees_what_is_there(void)
{
	struct exchange_case c;

	case_open(&c, &model, 5000);
	for (size_t i = 0; i < 5000; i++)
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	for (unsigned i = 0; i < 30; i++)
		observe(&c, i);
	case_close(&c);
}

static _Atomic bool has_routed;

static void *observe_until_routed(void *argument)
{
	for (unsigned i = 0; !atomic_load(&has_routed); i++)
		observe(argument, i);
	return NULL;
}

/* While one thread observes. */
static void routes_on_several_loops_at_once(void)
{
	struct exchange_case c;
	pthread_t observer;

	case_open(&c, &model, 100);
	case_run_threads(&c, 3, 500);
	for (size_t i = 0; i < 100; i++)
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	atomic_store(&has_routed, false);
	if (pthread_create(&observer, NULL, observe_until_routed, &c) != 0)
		abort();
	for (unsigned i = 0; i < 20000; i++) {
		struct case_message message = {0};

		case_message_set_key(&message, "k");
		CU_ASSERT_EQUAL(case_route(&c, &message), 100);
	}
	atomic_store(&has_routed, true);
	(void)pthread_join(observer, NULL);
	case_close(&c);
}

UNIT_MAIN("exchange-recent-history", UNIT_TEST(refuses_lengths_as_rabbitmq),
	  UNIT_TEST(keeps_20_messages), UNIT_TEST(keeps_as_many_as_declared),
	  UNIT_TEST(keeps_not_what_is_not_to_be_stored),
	  UNIT_TEST(keeps_as_many_bytes_as_configured), UNIT_TEST(keeps_the_last_message_always),
	  UNIT_TEST(sends_until_memory_is_out), UNIT_TEST(remembers_what_memory_allows),
	  UNIT_TEST(another_version_takes_the_history_over),
	  UNIT_TEST(a_state_of_another_layout_is_left_alone), UNIT_TEST(agrees_with_the_model),
	  UNIT_TEST(survives_failing_allocations), UNIT_TEST(destroy_frees_what_is_there),
	  UNIT_TEST(routes_on_several_loops_at_once))
