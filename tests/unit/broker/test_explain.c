/* SPDX-License-Identifier: MIT */
#include "broker/router/explain.h"

#include "../unit.h"
#include "arguments_fixture.h"
#include "history_fixture.h"

static struct explanation e;

static int explain_keys(const char *exchange, const char *key, const struct slice *extra, size_t n)
{
	const struct explained_publish asked_for = {
		.vhost = vhost,
		.message = make_message(exchange, key),
		.extra_keys = extra,
		.n_extra_keys = n,
	};
	int r = explain(broker, &asked_for, &e);

	message_unref(asked_for.message);
	return r;
}

static int explain_one(const char *exchange, const char *key)
{
	return explain_keys(exchange, key, NULL, 0);
}

#define ASSERT_TEXT(slice, text) CU_ASSERT_TRUE(slice_equal((slice), slice_cstr(text)))

static void no_exchange(void)
{
	router_begin(1);
	CU_ASSERT_EQUAL(explain_one("nope", "k"), -ENOENT);
	router_end();
}

static void default_exchange(void)
{
	const struct slice extra[] = {SLICE_LITERAL("r"), SLICE_LITERAL("q")};
	char name[256];

	router_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("r", 0), 0);
	CU_ASSERT_EQUAL_FATAL(explain_keys("", "q", extra, 2), 0);
	CU_ASSERT_EQUAL(e.n_exchanges, 1);
	CU_ASSERT_EQUAL(e.exchanges[0].way, EXPLAINED_PUBLISHED);
	CU_ASSERT_TRUE(e.exchanges[0].is_loaded);
	CU_ASSERT_EQUAL(e.exchanges[0].n_matched, 3);
	CU_ASSERT_EQUAL(e.n_queues, 2);
	ASSERT_TEXT(e.queues[0], "q");
	ASSERT_TEXT(e.queues[1], "r");
	explanation_fini(&e);

	CU_ASSERT_EQUAL_FATAL(explain_one("", "none"), 0);
	CU_ASSERT_EQUAL(e.n_queues, 0);
	CU_ASSERT_FALSE(e.exchanges[0].matches_reply_name);
	explanation_fini(&e);

	publisher.reply_key = 1;
	(void)router_reply_name(&publisher, name, sizeof(name));
	CU_ASSERT_EQUAL_FATAL(explain_one("", name), 0);
	CU_ASSERT_TRUE(e.exchanges[0].matches_reply_name);
	explanation_fini(&e);
	router_end();
}

/* e -> f -> q and e again; g is what e falls back to. */
static void bindings_between_exchanges(void)
{
	history_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("g", "history", INTERNAL), 0);
	CU_ASSERT_EQUAL(exchange_declare_with("e", "direct", 0,
					      ARGUMENTS_STRING("alternate-exchange", "g")),
			0);
	arguments_fini();
	CU_ASSERT_EQUAL(exchange_declare("f", "fanout", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(exchange_bind("f", "e", "k"), 0);
	CU_ASSERT_EQUAL(exchange_bind("e", "f", ""), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "f", "x"), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);

	CU_ASSERT_EQUAL_FATAL(explain_one("e", "k"), 0);
	CU_ASSERT_EQUAL_FATAL(e.n_exchanges, 2);
	ASSERT_TEXT(e.exchanges[0].alternate, "g");
	CU_ASSERT_FALSE(e.exchanges[0].alternate_is_used);
	ASSERT_TEXT(e.exchanges[1].name, "f");
	CU_ASSERT_STRING_EQUAL(e.exchanges[1].type, "fanout");
	CU_ASSERT_EQUAL(e.exchanges[1].way, EXPLAINED_BOUND);
	CU_ASSERT_EQUAL(e.exchanges[1].from, 0);
	CU_ASSERT_EQUAL_FATAL(e.n_bindings, 4);
	ASSERT_TEXT(e.bindings[0].destination, "f");
	CU_ASSERT_TRUE(e.bindings[0].destination_is_exchange);
	ASSERT_TEXT(e.bindings[0].routing_key, "k");
	CU_ASSERT_EQUAL(e.n_queues, 1); /* two bindings, one queue */
	CU_ASSERT_EQUAL(e.n_all_queues, 1);
	explanation_fini(&e);

	CU_ASSERT_EQUAL_FATAL(explain_one("e", "other"), 0);
	CU_ASSERT_EQUAL_FATAL(e.n_exchanges, 2);
	CU_ASSERT_TRUE(e.exchanges[0].alternate_is_used);
	CU_ASSERT_EQUAL(e.exchanges[0].n_matched, 0);
	CU_ASSERT_EQUAL(e.exchanges[1].way, EXPLAINED_ALTERNATE);
	CU_ASSERT_TRUE(e.exchanges[1].is_observed);
	CU_ASSERT_TRUE(e.exchanges[1].is_internal);
	CU_ASSERT_EQUAL(e.n_queues, 0);
	explanation_fini(&e);
	CU_ASSERT_EQUAL(n_observed, 0); /* nothing was published */
	router_end();
}

static void alternate_that_is_not_there(void)
{
	router_begin(1);
	CU_ASSERT_EQUAL(exchange_declare_with("e", "direct", 0,
					      ARGUMENTS_STRING("alternate-exchange", "g")),
			0);
	arguments_fini();
	CU_ASSERT_EQUAL_FATAL(explain_one("e", "k"), 0);
	CU_ASSERT_EQUAL(e.n_exchanges, 1);
	CU_ASSERT_FALSE(e.exchanges[0].alternate_is_used);
	explanation_fini(&e);
	CU_ASSERT_EQUAL_FATAL(explain_one("amq.topic", "k"), 0); /* its type is not loaded */
	CU_ASSERT_FALSE(e.exchanges[0].is_loaded);
	explanation_fini(&e);
	router_end();
}

static void pending_is_skipped(void)
{
	struct ask pending;

	router_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "fanout", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	store_holds = true;
	bind_ask(&pending, DECLARE_BIND, "q", "e", "k", false);
	declare_submit(&pending.request);
	turn();
	CU_ASSERT_EQUAL_FATAL(explain_one("e", "k"), 0);
	CU_ASSERT_EQUAL(e.n_all_bindings, 0);
	CU_ASSERT_EQUAL(e.n_all_queues, 0);
	explanation_fini(&e);
	store_release();
	CU_ASSERT_EQUAL(ask_wait(&pending), 0);
	CU_ASSERT_EQUAL_FATAL(explain_one("e", "k"), 0);
	CU_ASSERT_EQUAL(e.n_all_queues, 1);
	explanation_fini(&e);
	router_end();
}

/* A type that is asked by the first key alone, and one that is asked by each. */
static void extra_keys(void)
{
	static const struct shunt_exchange_type by_first =
		FAKE_TYPE("by-first", fake_create_direct, .routes_by_first_key = true);
	const struct slice extra = SLICE_LITERAL("r");

	router_begin(1);
	register_type(&by_first);
	CU_ASSERT_EQUAL(exchange_declare("e", "by-first", 0), 0);
	for (const char *name = "qr"; *name != '\0'; name++) {
		const char queue[] = {*name, '\0'};

		CU_ASSERT_EQUAL(queue_declare(queue, 0), 0);
		CU_ASSERT_EQUAL(queue_bind(queue, "e", queue), 0);
		CU_ASSERT_EQUAL(queue_bind(queue, "amq.direct", queue), 0);
	}
	CU_ASSERT_EQUAL_FATAL(explain_keys("e", "q", &extra, 1), 0);
	CU_ASSERT_EQUAL(e.n_queues, 1);
	explanation_fini(&e);
	CU_ASSERT_EQUAL_FATAL(explain_keys("amq.direct", "q", &extra, 1), 0);
	CU_ASSERT_EQUAL(e.n_queues, 2);
	explanation_fini(&e);
	router_end();
}

/* ---- Very many ---- */

static void many_are_counted(void)
{
	enum { COUNT = EXPLAIN_QUEUES_MAX + 500 };
	char name[32];

	router_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "fanout", 0), 0);
	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(name, sizeof(name), "q%d", i);
		CU_ASSERT_EQUAL_FATAL(queue_declare(name, 0), 0);
		CU_ASSERT_EQUAL_FATAL(queue_bind(name, "e", ""), 0);
		if (i % 2 == 0)
			CU_ASSERT_EQUAL_FATAL(queue_bind(name, "e", "again"), 0);
	}
	CU_ASSERT_EQUAL_FATAL(explain_one("e", ""), 0);
	CU_ASSERT_EQUAL(e.n_bindings, EXPLAIN_BINDINGS_MAX);
	CU_ASSERT_EQUAL(e.n_all_bindings, COUNT * 3 / 2);
	CU_ASSERT_EQUAL(e.exchanges[0].n_matched, COUNT * 3 / 2);
	CU_ASSERT_EQUAL(e.n_queues, EXPLAIN_QUEUES_MAX);
	CU_ASSERT_EQUAL(e.n_all_queues, COUNT);
	explanation_fini(&e);
	router_end();
}

static void many_exchanges_are_cut(void)
{
	enum { COUNT = EXPLAIN_EXCHANGES_MAX + 10 };
	char name[32], next[32];

	router_begin(1);
	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(name, sizeof(name), "e%d", i);
		CU_ASSERT_EQUAL_FATAL(exchange_declare(name, "fanout", 0), 0);
	}
	for (int i = 0; i + 1 < COUNT; i++) {
		(void)snprintf(name, sizeof(name), "e%d", i);
		(void)snprintf(next, sizeof(next), "e%d", i + 1);
		CU_ASSERT_EQUAL_FATAL(exchange_bind(next, name, ""), 0);
	}
	CU_ASSERT_EQUAL_FATAL(explain_one("e0", ""), 0);
	CU_ASSERT_EQUAL(e.n_exchanges, EXPLAIN_EXCHANGES_MAX);
	CU_ASSERT_TRUE(e.is_cut);
	explanation_fini(&e);
	CU_ASSERT_EQUAL_FATAL(explain_one("e20", ""), 0);
	CU_ASSERT_FALSE(e.is_cut);
	explanation_fini(&e);
	router_end();
}

static void long_arguments_are_left_out(void)
{
	static char value[EXPLAIN_ARGUMENTS_MAX];

	memset(value, 'v', sizeof(value) - 1);
	router_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	bind_ask(&asked, DECLARE_BIND, "q", "amq.fanout", "", false);
	asked.request.arguments = ARGUMENTS_STRING("a", value);
	CU_ASSERT_EQUAL(ask_now(&asked), 0);
	CU_ASSERT_EQUAL_FATAL(explain_one("amq.fanout", ""), 0);
	CU_ASSERT_TRUE(e.bindings[0].lacks_arguments);
	CU_ASSERT_EQUAL(e.bindings[0].arguments.size, 0);
	explanation_fini(&e);
	arguments_fini();
	router_end();
}

static void without_memory(void)
{
	int fault = 0, r = -ENOMEM;

	router_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.fanout", "k"), 0);
	while (r == -ENOMEM) {
		struct explained_publish publish_ = {.vhost = vhost,
						     .message = make_message("amq.fanout", "k")};

		mem_fault_after(fault++);
		r = explain(broker, &publish_, &e);
		mem_fault_after(-1);
		message_unref(publish_.message);
		CU_ASSERT_FATAL(fault < 50);
	}
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT_TRUE(fault > 10);
	explanation_fini(&e);
	router_end();
}

/* ---- The same as the router ---- */

static unsigned seed;

static unsigned draw(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return seed / 65536u % n;
}

static const char *letter(char first, unsigned i)
{
	static char names[4][2];
	static unsigned at;
	char *name = names[at++ % 4];

	name[0] = (char)(first + (int)i);
	name[1] = '\0';
	return name;
}

/* Exchanges A to F of all types, queues a to h, bindings and alternates at random. */
static void draw_topology(void)
{
	static const char *const types[] = {"direct", "fanout"};

	for (unsigned i = 0; i < 6; i++) {
		struct slice arguments = SLICE_EMPTY;

		if (draw(2) == 0)
			arguments = ARGUMENTS_STRING("alternate-exchange", letter('A', draw(7)));
		CU_ASSERT_EQUAL_FATAL(
			exchange_declare_with(letter('A', i), types[draw(2)], 0, arguments), 0);
	}
	arguments_fini();
	for (unsigned i = 0; i < 8; i++)
		CU_ASSERT_EQUAL_FATAL(queue_declare(letter('a', i), 0), 0);
	for (unsigned i = 0; i < 15; i++) {
		const char *source = letter('A', draw(6)), *key = letter('k', draw(3));

		if (draw(2) == 0)
			CU_ASSERT_EQUAL(queue_bind(letter('a', draw(8)), source, key), 0)
		else
			CU_ASSERT_EQUAL(exchange_bind(letter('A', draw(6)), source, key), 0)
	}
}

static bool is_explained(const char *queue)
{
	for (size_t i = 0; i < e.n_queues; i++) {
		if (slice_equal(e.queues[i], slice_cstr(queue)))
			return true;
	}
	return false;
}

static void what_the_router_does(void)
{
	for (seed = 1; seed < 200; seed++) {
		unsigned before = seed;

		router_begin(1);
		draw_topology();
		for (unsigned i = 0; i < 6; i++) {
			const char *exchange = letter('A', i), *key = letter('k', draw(4));

			CU_ASSERT_EQUAL_FATAL(explain_one(exchange, key), 0);
			CU_ASSERT_TRUE(publish(exchange, key));
			CU_ASSERT_EQUAL(publication.unroutable, e.n_queues == 0);
			for (unsigned q = 0; q < 8; q++) {
				struct message *message = get(letter('a', q));

				CU_ASSERT_EQUAL(message != NULL, is_explained(letter('a', q)));
				message_unref(message);
			}
			explanation_fini(&e);
		}
		router_end();
		seed = before;
	}
}

UNIT_MAIN("explain", UNIT_TEST(no_exchange), UNIT_TEST(default_exchange),
	  UNIT_TEST(bindings_between_exchanges), UNIT_TEST(alternate_that_is_not_there),
	  UNIT_TEST(pending_is_skipped), UNIT_TEST(extra_keys), UNIT_TEST(many_are_counted),
	  UNIT_TEST(many_exchanges_are_cut), UNIT_TEST(long_arguments_are_left_out),
	  UNIT_TEST(without_memory), UNIT_TEST(what_the_router_does))
