/* SPDX-License-Identifier: MIT */
/* What plugins publish, on two loops that are turned by hand. */
#include "../conn/conversation.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"
#include "broker/queue/queue.h"
#include "plugin/plugin.h"
#include "plugin/publisher.h"

#define QUEUE SLICE_LITERAL("q") /* on loop 0 */
#define FAR   SLICE_LITERAL("far") /* on loop 1 */

enum { OUTCOMES_MAX = 300 };

static struct client a, b;
static struct publisher *publisher;
static struct plugin plugin;
static struct {
	enum shunt_outcome outcome;
	uintptr_t number;
	unsigned loop;
} ended[OUTCOMES_MAX];
static unsigned n_ended;
static unsigned n_again; /* so often done() publishes once more */

static void start(void)
{
	const struct draft_limits limits = {.body_max = 1000, .properties_max = 500};

	n_ended = 0;
	n_again = 0;
	world_create();
	publisher = publisher_create(broker, &limits);
	memset(&plugin, 0, sizeof(plugin));
	plugin_life_init(&plugin);
	client_connect(&a, 0);
	client_connect(&b, 1);
	begin(&a);
	begin(&b);
	PUT(&a, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = QUEUE);
	PUT(&b, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = FAR, .exclusive = true);
	settle(&a, &b);
}

static void stop(void)
{
	client_end(&a);
	client_end(&b);
	settle(&a, &b);
	publisher_end(publisher);
	conn_service_destroy(service);
	access_destroy(door);
	broker_destroy(broker);
	store_destroy(store);
	publisher_destroy(publisher);
	loop_pool_destroy();
	CU_ASSERT_EQUAL(atomic_load(&plugin.holds), 1);
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_MESSAGE), 0);
}

/* ---- The plugin ---- */

struct wish {
	struct slice exchange, key;
	unsigned count;
	bool wants_to_know;
};

static struct shunt_draft *draft_to(struct slice exchange, struct slice key)
{
	const struct publisher_names names = {.vhost = SLICE_LITERAL("/"), .exchange = exchange, .routing_key = key};

	return publisher_draft(publisher, &names, SLICE_LITERAL("body"));
}

static void done(void *context, enum shunt_outcome outcome)
{
	CU_ASSERT_FATAL(n_ended < OUTCOMES_MAX);
	ended[n_ended].number = (uintptr_t)context;
	ended[n_ended].loop = loop_index(loop_self());
	ended[n_ended++].outcome = outcome;
	if (n_again != 0) {
		n_again--;
		publisher_publish_take(publisher, &plugin, draft_to(SLICE_EMPTY, QUEUE), done, context);
	}
}

static void publish_here(void *arg)
{
	const struct wish *wish = arg;

	for (unsigned i = 0; i < wish->count; i++)
		publisher_publish_take(publisher, &plugin, draft_to(wish->exchange, wish->key),
				       wish->wants_to_know ? done : NULL, (void *)(uintptr_t)i);
}

static void publish_on(unsigned loop, struct slice exchange, struct slice key, unsigned count)
{
	struct wish wish = {exchange, key, count, true};

	loop_pool_visit(loop, publish_here, &wish);
}

static void check_ended(unsigned count, enum shunt_outcome outcome)
{
	CU_ASSERT_EQUAL(n_ended, count);
	for (unsigned i = 0; i < n_ended; i++) {
		CU_ASSERT_EQUAL(ended[i].outcome, outcome);
		CU_ASSERT_EQUAL(ended[i].number, i);
	}
	CU_ASSERT_EQUAL(atomic_load(&plugin.holds), 1);
	n_ended = 0;
}

static uint64_t counted;

static void count_queue(void *unused, struct queue *queue)
{
	struct queue_stats stats;

	(void)unused;
	queue_stats(queue, &stats);
	counted += stats.ready;
}

static void count_here(void *unused)
{
	queue_for_each(broker, count_queue, unused);
}

static uint64_t messages(void)
{
	counted = 0;
	for (unsigned i = 0; i < LOOPS; i++)
		loop_pool_visit(i, count_here, NULL);
	return counted;
}

/* ---- Tests ---- */

/* Published in stop(), or in a start() that has failed: the messages go out, and nobody is told. */
static void nothing_is_called_of_what_has_stopped(void)
{
	start();
	publish_on(0, SLICE_EMPTY, QUEUE, 3);
	publish_on(0, SLICE_EMPTY, FAR, 3);
	plugin.phase = PLUGIN_STOPPED;
	settle(&a, &b);
	check_ended(0, SHUNT_ROUTED);
	CU_ASSERT_EQUAL(messages(), 6);
	publish_on(0, SLICE_EMPTY, QUEUE, 3);
	stop();
	check_ended(0, SHUNT_REFUSED);
}

/* Plugins that have something of their own on each loop count on that. */
static void told_on_the_loop_that_published(void)
{
	start();
	for (unsigned loop = 0; loop < LOOPS; loop++) {
		publish_on(loop, SLICE_EMPTY, QUEUE, 2);
		publish_on(loop, SLICE_EMPTY, FAR, 2);
		publish_on(loop, SLICE_EMPTY, SLICE_LITERAL("nowhere"), 2);
		publish_on(loop, SLICE_LITERAL("no such exchange"), QUEUE, 2);
		settle(&a, &b);
		CU_ASSERT_EQUAL(n_ended, 8);
		for (unsigned i = 0; i < n_ended; i++)
			CU_ASSERT_EQUAL(ended[i].loop, loop);
		n_ended = 0;
	}
	stop();
}

static void after_the_call_and_in_order(void)
{
	start();
	for (unsigned loop = 0; loop < LOOPS; loop++) {
		publish_on(loop, SLICE_EMPTY, QUEUE, 200);
		CU_ASSERT_EQUAL(messages(), loop * 400);
		CU_ASSERT_EQUAL(atomic_load(&plugin.holds), 201);
		CU_ASSERT(account_kind_total(ACCOUNT_MESSAGE) > 200 * sizeof(struct draft));
		settle(&a, &b);
		check_ended(200, SHUNT_ROUTED);
		publish_on(loop, SLICE_EMPTY, FAR, 200);
		settle(&a, &b);
		check_ended(200, SHUNT_ROUTED);
		CU_ASSERT_EQUAL(messages(), (loop + 1) * 400);
	}
	stop();
}

static void nobody_wants_to_know(void)
{
	struct wish wish = {SLICE_EMPTY, FAR, 10, false};

	start();
	loop_pool_visit(0, publish_here, &wish);
	wish.key = SLICE_LITERAL("nowhere");
	loop_pool_visit(0, publish_here, &wish);
	wish.exchange = SLICE_LITERAL("no such exchange");
	loop_pool_visit(0, publish_here, &wish);
	settle(&a, &b);
	CU_ASSERT_EQUAL(messages(), 10);
	check_ended(0, SHUNT_ROUTED);
	stop();
}

static void other_outcomes(void)
{
	start();
	publish_on(0, SLICE_EMPTY, SLICE_LITERAL("nowhere"), 100);
	settle(&a, &b);
	check_ended(100, SHUNT_UNROUTABLE);
	publish_on(1, SLICE_LITERAL("no such exchange"), QUEUE, 100);
	settle(&a, &b);
	check_ended(100, SHUNT_REFUSED);
	stop();
}

static void names_that_cannot_be(void)
{
	char longest[256];
	struct publisher_names names = {.vhost = SLICE_LITERAL("no such vhost"), .routing_key = QUEUE};
	struct shunt_draft *draft;

	start();
	memset(longest, 'x', sizeof(longest));
	CU_ASSERT_PTR_NULL(draft_to(slice_make(longest, 256), QUEUE));
	CU_ASSERT_PTR_NULL(draft_to(SLICE_EMPTY, slice_make(longest, 256)));
	draft = draft_to(slice_make(longest, 255), slice_make(longest, 255));
	CU_ASSERT_PTR_NOT_NULL(draft);
	publisher_draft_free(draft);
	publisher_draft_free(NULL);
	draft = publisher_draft(publisher, &names, SLICE_EMPTY);
	CU_ASSERT_PTR_NOT_NULL_FATAL(draft);
	publisher_publish_take(publisher, &plugin, draft, done, NULL);
	settle(&a, &b);
	check_ended(1, SHUNT_REFUSED);
	stop();
}

/* Larger than a message may be: told by the outcome. */
static void body_that_cannot_be(void)
{
	static const uint8_t bytes[1001];
	const struct publisher_names names = {.vhost = SLICE_LITERAL("/"), .routing_key = QUEUE};
	struct shunt_draft *draft;

	start();
	draft = publisher_draft(publisher, &names, slice_make(bytes, sizeof(bytes)));
	CU_ASSERT_PTR_NOT_NULL_FATAL(draft);
	publisher_publish_take(publisher, &plugin, draft, done, NULL);
	settle(&a, &b);
	check_ended(1, SHUNT_REFUSED);
	CU_ASSERT_EQUAL(messages(), 0);
	stop();
}

static void keys_of_cc(void)
{
	static const uint8_t far[] = "S\0\0\0\3far";
	const struct shunt_value keys = {.type = 'A', .bytes = {far, sizeof(far) - 1}};

	start();
	for (uintptr_t i = 0; i < 3; i++) {
		struct shunt_draft *draft = draft_to(SLICE_EMPTY, QUEUE);

		if (i == 1)
			CU_ASSERT_EQUAL(draft->set_header(draft, (struct shunt_bytes){(const uint8_t *)"CC", 2}, &keys), 0);
		publisher_publish_take(publisher, &plugin, draft, done, (void *)i);
	}
	settle(&a, &b);
	CU_ASSERT_EQUAL(messages(), 4);
	/* The second waits for the other loop, and the third for nothing. */
	CU_ASSERT_EQUAL(n_ended, 3);
	for (unsigned i = 0; i < n_ended; i++)
		CU_ASSERT_EQUAL(ended[i].outcome, SHUNT_ROUTED);
	stop();
}

static void done_may_publish(void)
{
	start();
	n_again = 100;
	publish_on(0, SLICE_EMPTY, QUEUE, 1);
	for (int i = 0; i < 10; i++)
		settle(&a, &b);
	CU_ASSERT_EQUAL(n_ended, 101);
	CU_ASSERT_EQUAL(messages(), 101);
	stop();
}

/* ---- To who only looks ---- */

static unsigned n_observed;

static int watch_create(void *unused, const struct shunt_exchange *exchange, void **ret_state,
			struct shunt_error *error)
{
	(void)unused, (void)exchange, (void)error;
	*ret_state = NULL;
	return 0;
}

static void watch_destroy(void *state)
{
	(void)state;
}

static void watch_route(const void *state, const struct shunt_message *message, struct shunt_sink *sink)
{
	(void)state, (void)message, (void)sink;
}

static void watch_observe(void *state, const struct shunt_message *message)
{
	(void)state, (void)message;
	n_observed++;
}

static const struct shunt_exchange_type watching = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "watching",
	.create = watch_create,
	.destroy = watch_destroy,
	.route = watch_route,
	.observe = watch_observe,
};

/* No queue gets it, but an exchange observes it, on its own loop: told of when that is done. */
static void observed_and_unroutable(void)
{
	struct vhost *vhost;
	unsigned there;

	start();
	n_observed = 0;
	vhost = topology_vhost(broker->topology, SLICE_LITERAL("/"));
	CU_ASSERT_EQUAL_FATAL(exchange_type_register(broker->topology, &watching, NULL, "test"), 0);
	PUT(&a, 1, AMQP_EXCHANGE_DECLARE, exchange_declare, .exchange = SLICE_LITERAL("w"),
	    .type = SLICE_LITERAL("watching"));
	settle(&a, &b);
	topology_read_begin(broker->topology);
	there = exchange_own_loop(topology_exchange(vhost, SLICE_LITERAL("w")), LOOPS);
	topology_read_end(broker->topology);

	publish_on(there, SLICE_LITERAL("w"), QUEUE, 50);
	loop_pool_visit(there, turn_here, NULL);
	check_ended(50, SHUNT_UNROUTABLE);
	publish_on(1 - there, SLICE_LITERAL("w"), QUEUE, 50);
	loop_pool_visit(1 - there, turn_here, NULL);
	CU_ASSERT_EQUAL(n_ended, 0);
	settle(&a, &b);
	CU_ASSERT_EQUAL(n_observed, 100);
	check_ended(50, SHUNT_UNROUTABLE);
	stop();
}

/* What is on its way, or has not begun, is refused; what done() publishes then is dropped. */
static void the_end(void)
{
	start();
	publish_on(0, SLICE_EMPTY, FAR, 5);
	loop_pool_visit(0, turn_here, NULL); /* a letter is under way */
	CU_ASSERT_EQUAL(n_ended, 0);
	publish_on(0, SLICE_EMPTY, QUEUE, 5);
	publish_on(1, SLICE_EMPTY, QUEUE, 5);
	n_again = 3;
	client_end(&a);
	client_end(&b);
	publisher_end(publisher);
	CU_ASSERT_EQUAL(n_ended, 15);
	for (unsigned i = 0; i < n_ended; i++)
		CU_ASSERT_EQUAL(ended[i].outcome, SHUNT_REFUSED);
	CU_ASSERT_EQUAL(atomic_load(&plugin.holds), 1);
	publish_on(0, SLICE_EMPTY, QUEUE, 5);
	settle(&a, &b);
	CU_ASSERT_EQUAL(n_ended, 15);
	stop();
}

static void memory_runs_out(void)
{
	unsigned n_failed = 0;

	start();
	for (int n = 1;; n++) {
		struct shunt_draft *draft;
		unsigned before = n_ended;

		mem_fault_after(n);
		draft = draft_to(SLICE_EMPTY, QUEUE);
		if (draft != NULL) {
			publisher_publish_take(publisher, &plugin, draft, done, NULL);
			loop_run_once(false);
			CU_ASSERT_EQUAL(n_ended, before + 1);
		}
		if (draft != NULL && ended[before].outcome == SHUNT_ROUTED)
			break;
		n_failed++;
	}
	mem_fault_after(-1);
	CU_ASSERT(n_failed > 2);
	CU_ASSERT_EQUAL(messages(), 1);
	stop();
}

UNIT_MAIN("publisher", UNIT_TEST(after_the_call_and_in_order),
	  UNIT_TEST(nothing_is_called_of_what_has_stopped), UNIT_TEST(nobody_wants_to_know),
	  UNIT_TEST(other_outcomes), UNIT_TEST(names_that_cannot_be),
	  UNIT_TEST(told_on_the_loop_that_published), UNIT_TEST(body_that_cannot_be), UNIT_TEST(keys_of_cc), UNIT_TEST(done_may_publish),
	  UNIT_TEST(observed_and_unroutable),
	  UNIT_TEST(the_end), UNIT_TEST(memory_runs_out))
