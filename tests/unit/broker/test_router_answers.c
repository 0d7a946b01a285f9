/* SPDX-License-Identifier: MIT */
#include "broker/router/answers.h"

#include "../unit.h"
#include "answers_fixture.h"
#include "base/clock.h"
#include "broker/router/explain.h"
#include "broker/upgrade/trial.h"
#include "upgrade_fixture.h"

static const char *const by_header[] = {"headers.to", NULL};
static const char *const by_key[] = {"routing_key", NULL};
static const char *const by_user[] = {"user", "exchange", NULL};
static const char *const by_id[] = {"property.message_id", NULL};
static const char *const by_nothing[] = {NULL};

static const struct shunt_exchange_type types[] = {
	ANSWERING_TYPE("header", route_by_header, .depends = by_header),
	ANSWERING_TYPE("key", route_by_key_counted, .depends = by_key),
	ANSWERING_TYPE("user", route_by_key_counted, .depends = by_user),
	ANSWERING_TYPE("id", route_by_key_counted, .depends = by_id),
	ANSWERING_TYPE("nothing", route_by_key_counted, .depends = by_nothing),
	ANSWERING_TYPE("short", route_by_key_counted, .depends = by_key, .depends_ms = 20),
};

static void begin(void)
{
	router_begin(1);
	n_asked = 0;
	varies = false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		register_type(&types[i]);
		CU_ASSERT_EQUAL(exchange_declare(types[i].name, types[i].name, 0), 0);
	}
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("r", 0), 0);
}

static bool publish_header(const char *exchange, const char *to)
{
	return publish_message(
		make_message_with_headers(exchange, "k", ARGUMENTS_STRING("to", to)));
}

/* ---- Asked once ---- */

static void equal_fields_are_asked_once(void)
{
	begin();
	CU_ASSERT_EQUAL(queue_bind("q", "header", "q"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "header", "r"), 0);
	for (unsigned i = 0; i < 5; i++) {
		CU_ASSERT_TRUE(publish_header("header", "q"));
		CU_ASSERT_TRUE(publish_header("header", "r"));
		CU_ASSERT_FALSE(publish_header("header", "nobody"));
	}
	CU_ASSERT_EQUAL(n_asked, 3);
	CU_ASSERT_EQUAL(ready("q"), 5);
	CU_ASSERT_EQUAL(ready("r"), 5);
	arguments_fini();
	router_end();
}

/* Also where all else is different, the exchange's name too. */
static void what_is_not_declared_makes_no_difference(void)
{
	struct amqp_properties properties = {.flags = AMQP_PROPERTY_HEADERS |
						      AMQP_PROPERTY_MESSAGE_ID};
	char id[] = "a";

	begin();
	CU_ASSERT_EQUAL(queue_bind("q", "header", "q"), 0);
	for (unsigned i = 0; i < 4; i++) {
		ARGUMENTS_INT("before", i);
		arguments_add_string("to", "q");
		properties.headers = arguments_add_int("behind", i);
		properties.message_id = slice_cstr(id);
		id[0]++;
		published_by = i % 2 == 0 ? slice_cstr("alice") : SLICE_EMPTY;
		CU_ASSERT_TRUE(publish_message(make_message_with("header", id, &properties)));
	}
	CU_ASSERT_EQUAL(n_asked, 1);
	CU_ASSERT_EQUAL(ready("q"), 4);
	arguments_fini();
	router_end();
}

static void in_a_batch(void)
{
	struct message *messages[40];

	begin();
	CU_ASSERT_EQUAL(queue_bind("q", "header", "q"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "header", "r"), 0);
	for (size_t i = 0; i < 40; i++)
		messages[i] = make_message_with_headers(
			"header", "k", ARGUMENTS_STRING("to", i % 20 < 15 ? "q" : "r"));
	CU_ASSERT_EQUAL(publish_messages(messages, 40), 0);
	CU_ASSERT_EQUAL(n_asked, 2);
	CU_ASSERT_EQUAL(ready("q"), 30);
	CU_ASSERT_EQUAL(ready("r"), 10);
	/* The same names and another header, right behind the other. */
	messages[0] = make_message_with_headers("header", "k", ARGUMENTS_STRING("to", "q"));
	messages[1] = make_message_with_headers("header", "k", ARGUMENTS_STRING("to", "r"));
	messages[2] = make_message_with_headers("header", "k", ARGUMENTS_STRING("to", "none"));
	messages[3] = make_message("header", "k"); /* no headers: all */
	CU_ASSERT_EQUAL(publish_messages(messages, 4), 1);
	CU_ASSERT_EQUAL(ready("q"), 32);
	CU_ASSERT_EQUAL(ready("r"), 12);
	arguments_fini();
	router_end();
}

/* Nor are they repeated within a batch. What was remembered before still is. */
static void what_varies_is_not_remembered(void)
{
	struct message *messages[8];

	begin();
	CU_ASSERT_EQUAL(queue_bind("q", "header", "q"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "header", "r"), 0);
	CU_ASSERT_TRUE(publish_header("header", "q"));
	varies = true;
	for (size_t i = 0; i < 8; i++)
		messages[i] = make_message_with_headers("header", "k",
							ARGUMENTS_STRING("to", i < 4 ? "q" : "r"));
	CU_ASSERT_EQUAL(publish_messages(messages, 8), 0);
	CU_ASSERT_EQUAL(n_asked, 1 + 4);
	varies = false;
	CU_ASSERT_TRUE(publish_header("header", "r"));
	CU_ASSERT_TRUE(publish_header("header", "r"));
	CU_ASSERT_EQUAL(n_asked, 1 + 4 + 1);
	CU_ASSERT_EQUAL(ready("q"), 5);
	CU_ASSERT_EQUAL(ready("r"), 6);
	arguments_fini();
	router_end();
}

static void by_user_and_exchange(void)
{
	begin();
	CU_ASSERT_EQUAL(exchange_declare("f", "fanout", 0), 0);
	CU_ASSERT_EQUAL(exchange_bind("user", "f", ""), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "user", "k"), 0);
	for (unsigned i = 0; i < 3; i++) {
		published_by = SLICE_EMPTY;
		CU_ASSERT_TRUE(publish("user", "k"));
		published_by = slice_cstr("alice");
		CU_ASSERT_TRUE(publish("user", "k"));
		CU_ASSERT_TRUE(publish("f", "k"));
	}
	CU_ASSERT_EQUAL(n_asked, 3);
	CU_ASSERT_EQUAL(ready("q"), 9);
	router_end();
}

static void by_nothing_at_all(void)
{
	begin();
	CU_ASSERT_EQUAL(queue_bind("q", "nothing", "k"), 0);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_TRUE(publish("nothing", "k"));
	CU_ASSERT_EQUAL(n_asked, 1);
	router_end();
}

static void each_extra_key_is_a_question(void)
{
	const struct slice extra[] = {SLICE_LITERAL("b"), SLICE_LITERAL("none")};

	begin();
	CU_ASSERT_EQUAL(queue_bind("q", "key", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "key", "b"), 0);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_TRUE(publish_keys("key", "a", 0, extra, 2));
	CU_ASSERT_EQUAL(n_asked, 3);
	CU_ASSERT_TRUE(publish("key", "b"));
	CU_ASSERT_EQUAL(n_asked, 3);
	CU_ASSERT_EQUAL(ready("q"), 3);
	CU_ASSERT_EQUAL(ready("r"), 4);
	router_end();
}

static void nothing_found_leads_to_the_alternate(void)
{
	begin();
	CU_ASSERT_EQUAL(exchange_declare("f", "fanout", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "f", ""), 0);
	CU_ASSERT_EQUAL(
		exchange_declare_with("e", "key", 0, ARGUMENTS_STRING("alternate-exchange", "f")),
		0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_TRUE(publish("e", "k"));
		CU_ASSERT_TRUE(publish("e", "else"));
	}
	CU_ASSERT_EQUAL(n_asked, 2);
	CU_ASSERT_EQUAL(ready("q"), 3);
	CU_ASSERT_EQUAL(ready("r"), 3);
	arguments_fini();
	router_end();
}

/* ---- Asked again ---- */

static void after_bind_and_unbind(void)
{
	begin();
	CU_ASSERT_FALSE(publish_message(make_message("key", "k")));
	CU_ASSERT_EQUAL(queue_bind("q", "key", "k"), 0);
	CU_ASSERT_TRUE(publish("key", "k"));
	CU_ASSERT_EQUAL(queue_bind("r", "key", "k"), 0);
	CU_ASSERT_TRUE(publish("key", "k"));
	CU_ASSERT_EQUAL(queue_unbind("q", "key", "k"), 0);
	CU_ASSERT_TRUE(publish("key", "k"));
	CU_ASSERT_EQUAL(n_asked, 4);
	/* The last binding goes with its queue. */
	CU_ASSERT_EQUAL(queue_delete("r", false, false), 0);
	CU_ASSERT_FALSE(publish_message(make_message("key", "k")));
	CU_ASSERT_EQUAL(n_asked, 5);
	CU_ASSERT_EQUAL(ready("q"), 2);
	/* Another exchange's bindings are no matter. */
	CU_ASSERT_EQUAL(queue_bind("q", "header", "k"), 0);
	CU_ASSERT_FALSE(publish_message(make_message("key", "k")));
	CU_ASSERT_EQUAL(n_asked, 5);
	router_end();
}

static void of_another_exchange_with_that_name(void)
{
	begin();
	CU_ASSERT_EQUAL(exchange_declare("e", "key", 0), 0);
	for (unsigned i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL(queue_bind(i % 2 == 0 ? "q" : "r", "e", "k"), 0);
		CU_ASSERT_TRUE(publish("e", "k"));
		CU_ASSERT_TRUE(publish("e", "k"));
		CU_ASSERT_EQUAL(n_asked, i + 1);
		CU_ASSERT_EQUAL(exchange_delete("e", false), 0);
		CU_ASSERT_EQUAL(exchange_declare("e", "key", 0), 0);
	}
	CU_ASSERT_EQUAL(ready("q"), 20);
	CU_ASSERT_EQUAL(ready("r"), 20);
	router_end();
}

static void when_its_time_is_over(void)
{
	uint64_t begin_ms, limit_ms;

	begin();
	CU_ASSERT_EQUAL(queue_bind("q", "short", "k"), 0);
	begin_ms = (clock_monotonic_us() / 1000);
	limit_ms = begin_ms + 60000;
	CU_ASSERT_TRUE(publish("short", "k"));
	while (n_asked < 3 && (clock_monotonic_us() / 1000) < limit_ms) {
		turn();
		CU_ASSERT_TRUE(publish("short", "k"));
	}
	CU_ASSERT_EQUAL(n_asked, 3);
	CU_ASSERT_TRUE((clock_monotonic_us() / 1000) - begin_ms >=
		       39); /* the loop's clock is of its turn */
	router_end();
}

static void gives_all(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	const struct fake_exchange *exchange = state;
	struct list *pos;

	(void)message;
	n_asked++;
	list_for_each(pos, &exchange->bound)
		sink->emit(sink, &container_of(pos, struct fake_bound, link)->binding, 1);
}

/* Another version of the type `key`, which gives all. */
static void begin_next(unsigned percent)
{
	static struct shunt_exchange_type next =
		ANSWERING_TYPE("key", gives_all, .depends = by_key);

	begin();
	reset_upgrade();
	CU_ASSERT_EQUAL(queue_bind("q", "key", "k"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "key", "else"), 0);
	CU_ASSERT_TRUE(publish("key", "k"));
	CU_ASSERT_TRUE(publish("key", "k"));
	CU_ASSERT_EQUAL(n_asked, 1);
	begin_upgrade(&next, "key", percent);
	turn();
	CU_ASSERT_EQUAL(n_ready, 1);
}

static void of_another_version(void)
{
	begin_next(0);
	CU_ASSERT_TRUE(publish("key", "k"));
	CU_ASSERT_EQUAL(n_asked, 1);
	upgrade_swap(upgrade);
	turn();
	ASSERT_SWAPPED();
	CU_ASSERT_TRUE(publish("key", "k"));
	CU_ASSERT_TRUE(publish("key", "k"));
	CU_ASSERT_EQUAL(n_asked, 2);
	CU_ASSERT_EQUAL(ready("q"), 5);
	CU_ASSERT_EQUAL(ready("r"), 2);
	router_end();
}

/* Of those that it compares, what both versions say is asked for, whatever is remembered. */
static void in_a_trial(void)
{
	struct trial_report report;

	begin_next(50);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_TRUE(publish("key", "k"));
	CU_ASSERT_EQUAL(n_asked, 1 + 2 * 5);
	trial_report(broker->topology, upgrade_trial(upgrade), &report);
	CU_ASSERT_EQUAL(report.n_compared, 5);
	CU_ASSERT_EQUAL(report.n_different, 5);
	CU_ASSERT_EQUAL(ready("q"), 12);
	CU_ASSERT_EQUAL(ready("r"), 0);
	upgrade_drop(upgrade);
	turn();
	free_when_unused(new_type);
	CU_ASSERT_TRUE(publish("key", "k"));
	CU_ASSERT_EQUAL(n_asked, 11);
	router_end();
}

/* ---- Bounds ---- */

static unsigned publish_many(const char *exchange, size_t id_size, unsigned n)
{
	struct amqp_properties properties = {.flags = AMQP_PROPERTY_MESSAGE_ID};
	unsigned before = n_asked;
	char id[256];

	memset(id, 'i', sizeof(id));
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(id, sizeof(id), "%0*u", (int)id_size, i);
		properties.message_id = slice_cstr(id);
		CU_ASSERT_TRUE(publish_message(make_message_with(exchange, "k", &properties)));
	}
	return n_asked - before;
}

static void not_too_many(void)
{
	begin();
	CU_ASSERT_EQUAL(queue_bind("q", "id", "k"), 0);
	CU_ASSERT_EQUAL(publish_many("id", 8, 4 * ROUTER_ANSWERS_MAX), 4 * ROUTER_ANSWERS_MAX);
	CU_ASSERT_TRUE(publish_many("id", 8, 4 * ROUTER_ANSWERS_MAX) >= 3 * ROUTER_ANSWERS_MAX);
	CU_ASSERT_TRUE(publish_many("id", 8, ROUTER_ANSWERS_MAX / 8) > 0);
	/* Five of them in one set are rare. */
	CU_ASSERT_TRUE(publish_many("id", 8, ROUTER_ANSWERS_MAX / 8) < ROUTER_ANSWERS_MAX / 64);
	router_end();
}

/* With 64 bindings an answer has 512 bytes and more. */
static void not_too_large(void)
{
	const unsigned n = ROUTER_ANSWERS_MAX;
	char name[8];

	begin();
	for (unsigned i = 0; i < ROUTER_ANSWER_BINDINGS; i++) {
		(void)snprintf(name, sizeof(name), "q%u", i);
		CU_ASSERT_EQUAL(queue_declare(name, 0), 0);
		CU_ASSERT_EQUAL(queue_bind(name, "id", "k"), 0);
	}
	CU_ASSERT_EQUAL(publish_many("id", 200, 100), 100);
	CU_ASSERT_TRUE(publish_many("id", 200, 100) < 10);
	CU_ASSERT_TRUE(publish_many("id", 200, n) >= n - 100);
	/* Twice as many are in order, so of the first ones none is left. */
	CU_ASSERT_EQUAL(publish_many("id", 200, 100), 100);
	router_end();
}

static void not_with_too_many_bindings(void)
{
	char name[8];

	begin();
	for (unsigned i = 0; i <= ROUTER_ANSWER_BINDINGS; i++) {
		(void)snprintf(name, sizeof(name), "q%u", i);
		CU_ASSERT_EQUAL(queue_declare(name, 0), 0);
		CU_ASSERT_EQUAL(queue_bind(name, "key", "k"), 0);
		CU_ASSERT_TRUE(publish("key", "k"));
		CU_ASSERT_TRUE(publish("key", "k"));
	}
	CU_ASSERT_EQUAL(n_asked, ROUTER_ANSWER_BINDINGS + 2); /* twice the last time */
	CU_ASSERT_EQUAL(ready("q0"), 2 * (ROUTER_ANSWER_BINDINGS + 1));
	CU_ASSERT_EQUAL(ready(name), 2);
	router_end();
}

static void not_of_too_long_fields(void)
{
	static char text[ROUTER_ANSWER_FIELDS + 1];

	begin();
	CU_ASSERT_EQUAL(queue_bind("q", "header", "q"), 0);
	memset(text, 'x', sizeof(text) - 1);
	CU_ASSERT_FALSE(publish_header("header", text));
	CU_ASSERT_FALSE(publish_header("header", text));
	CU_ASSERT_EQUAL(n_asked, 2);
	text[ROUTER_ANSWER_FIELDS - 100] = '\0';
	CU_ASSERT_FALSE(publish_header("header", text));
	CU_ASSERT_FALSE(publish_header("header", text));
	CU_ASSERT_EQUAL(n_asked, 3);
	arguments_fini();
	router_end();
}

/* ---- Who asks by himself ---- */

static void explaining_asks(void)
{
	const struct explained_publish asked_for = {.vhost = vhost,
						    .message = make_message("key", "k")};
	struct explained_publish publish_of = asked_for;
	struct explanation e;

	begin();
	publish_of.vhost = vhost;
	CU_ASSERT_EQUAL(queue_bind("q", "key", "k"), 0);
	CU_ASSERT_TRUE(publish("key", "k"));
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL_FATAL(explain(broker, &publish_of, &e), 0);
		CU_ASSERT_EQUAL(e.n_queues, 1);
		explanation_fini(&e);
	}
	CU_ASSERT_EQUAL(n_asked, 3);
	message_unref(publish_of.message);
	router_end();
}

/* Without memory for the answer it is asked again. */
static void without_memory(void)
{
	begin();
	CU_ASSERT_EQUAL(queue_bind("q", "key", "k"), 0);
	CU_ASSERT_TRUE(publish("", "q"));  /* so that the router has its room */
	for (unsigned i = 0; i < 2; i++) { /* the table, then an answer */
		struct message *message = make_message("key", "k");

		mem_fault_after(1);
		CU_ASSERT_TRUE(publish_message(message));
		CU_ASSERT_EQUAL(mem_calls_to_fault, -1);
		CU_ASSERT_EQUAL(n_asked, i + 1);
	}
	CU_ASSERT_TRUE(publish("key", "k"));
	CU_ASSERT_TRUE(publish("key", "k"));
	CU_ASSERT_EQUAL(n_asked, 3);
	CU_ASSERT_EQUAL(ready("q"), 5);
	router_end();
}

/* Nor is it repeated for the next messages of the batch. */
static void what_varies_without_memory(void)
{
	struct message *messages[4];

	begin();
	CU_ASSERT_EQUAL(queue_bind("q", "key", "k"), 0);
	CU_ASSERT_TRUE(publish("", "q")); /* so that the router has its room */
	varies = true;
	for (size_t i = 0; i < 4; i++)
		messages[i] = make_message("key", "k");
	mem_fault_after(1);
	CU_ASSERT_EQUAL(publish_messages(messages, 4), 0);
	CU_ASSERT_EQUAL(mem_calls_to_fault, -1);
	CU_ASSERT_EQUAL(n_asked, 4);
	CU_ASSERT_EQUAL(ready("q"), 5);
	router_end();
}

UNIT_MAIN("router_answers", UNIT_TEST(equal_fields_are_asked_once),
	  UNIT_TEST(what_is_not_declared_makes_no_difference), UNIT_TEST(in_a_batch),
	  UNIT_TEST(by_user_and_exchange), UNIT_TEST(what_varies_is_not_remembered),
	  UNIT_TEST(by_nothing_at_all), UNIT_TEST(each_extra_key_is_a_question),
	  UNIT_TEST(nothing_found_leads_to_the_alternate), UNIT_TEST(after_bind_and_unbind),
	  UNIT_TEST(of_another_exchange_with_that_name), UNIT_TEST(of_another_version),
	  UNIT_TEST(in_a_trial), UNIT_TEST(when_its_time_is_over), UNIT_TEST(not_too_many),
	  UNIT_TEST(not_too_large), UNIT_TEST(not_with_too_many_bindings),
	  UNIT_TEST(not_of_too_long_fields), UNIT_TEST(explaining_asks), UNIT_TEST(without_memory),
	  UNIT_TEST(what_varies_without_memory))
