/* SPDX-License-Identifier: MIT */
/* Messages that an exchange type sends to a new binding's destination: kernel/broker/change/bound.c. */
#include "../unit.h"
#include "arguments_fixture.h"
#include "history_fixture.h"
#include "base/account.h"
#include "base/clock.h"

/* A queue, on this loop, of which the exchange does not know yet, and three messages that it does.
 */
static void three(unsigned n_loops, unsigned loop, unsigned flags)
{
	history_begin(n_loops);
	history_declare_on("e", loop, flags);
	CU_ASSERT_EQUAL_FATAL(queue_declare("q", flags), 0);
	for (char key[] = "a"; key[0] <= 'c'; key[0]++)
		CU_ASSERT_TRUE(publish("e", key));
}

static void assert_three(const char *queue)
{
	CU_ASSERT_EQUAL(ready(queue), 3);
	ASSERT_NEXT(queue, "a");
	ASSERT_NEXT(queue, "b");
	ASSERT_NEXT(queue, "c");
}

static void new_binding_gets_all(void)
{
	three(1, 0, 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);
	assert_three("q");
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0); /* is there already */
	CU_ASSERT_EQUAL(ready("q"), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "l"), 0);
	assert_three("q");
	CU_ASSERT_EQUAL(queue_unbind("q", "e", "k"), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);
	assert_three("q");
	CU_ASSERT_EQUAL(n_bound_calls, 3);
	router_end();
}

static void refused_binding_gets_nothing(void)
{
	three(1, 0, 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "bad"), 406);
	fake_bind_fails = true;
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 506);
	fake_bind_fails = false;
	CU_ASSERT_EQUAL(n_bound_calls, 0);
	CU_ASSERT_EQUAL(ready("q"), 0);
	router_end();
}

/* All three are on their way to the exchange's loop when the binding follows them. */
static void binding_does_not_overtake(void)
{
	three(2, 1, 0);
	CU_ASSERT_EQUAL(n_observed, 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);
	assert_three("q");
	router_end();
}

static struct ask there;

static void submit_there(void *arg)
{
	(void)arg;
	declare_submit(&there.request);
}

static uint64_t ready_there;

static void count_there(void *arg)
{
	struct queue_stats stats;

	(void)arg;
	queue_stats(slots_get(there.request.queue), &stats);
	ready_there = stats.ready;
}

/* From one loop, by the exchange's, to the queue's; what is asked afterwards sees them. */
static void queue_on_a_third_loop(void)
{
	history_begin(3);
	history_declare_on("e", 1, 0);
	queue_ask(&there, "q", 0, SLICE_EMPTY);
	loop_pool_visit(2, submit_there, NULL);
	CU_ASSERT_EQUAL_FATAL(ask_wait(&there), 0);
	CU_ASSERT_EQUAL_FATAL(there.request.queue.loop, 2);
	for (char key[] = "a"; key[0] <= 'c'; key[0]++)
		CU_ASSERT_TRUE(publish("e", key));
	bind_ask(&asked, DECLARE_BIND, "q", "e", "k", false);
	declare_submit(&asked.request);
	for (int i = 0; i < 100 && !asked.is_done; i++) {
		for (unsigned loop = 3; loop-- > 0 && !asked.is_done;)
			loop_pool_visit(loop, turn_one, NULL);
	}
	CU_ASSERT_TRUE_FATAL(asked.is_done);
	CU_ASSERT_EQUAL(asked.request.error.code, 0);
	loop_pool_visit(2, count_there, NULL);
	CU_ASSERT_EQUAL(ready_there, 3);
	assert_three("q");
	router_end();
}

/* ---- Durable ---- */

static void durable_binding_waits_for_the_store(void)
{
	three(1, 0, DURABLE);
	store_holds = true;
	bind_ask(&there, DECLARE_BIND, "q", "e", "k", false);
	declare_submit(&there.request);
	turn();
	CU_ASSERT_FALSE(there.is_done);
	CU_ASSERT_EQUAL(n_bound_calls, 0);
	CU_ASSERT_EQUAL(ready("q"), 0);
	store_release();
	CU_ASSERT_EQUAL(ask_wait(&there), 0);
	CU_ASSERT_EQUAL(n_bound_calls, 1);
	assert_three("q");
	router_end();
}

static void durable_binding_on_another_loop(void)
{
	three(2, 1, DURABLE);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);
	CU_ASSERT_EQUAL(n_bound_calls, 1);
	assert_three("q");
	router_end();
}

static void binding_that_was_not_stored_gets_nothing(void)
{
	three(1, 0, DURABLE);
	store_fails = true;
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 541);
	store_fails = false;
	CU_ASSERT_EQUAL(n_bound_calls, 0);
	CU_ASSERT_EQUAL(ready("q"), 0);
	router_end();
}

static void persistent_is_stored(void)
{
	history_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "history", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	publication = (struct publication){.message = make_message("e", "a")};
	publication.message->persistent = true;
	struct publish_batch batch = {.vhost = vhost,
				      .publisher = publisher.ref,
				      .publications = &publication,
				      .count = 1};
	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), 1);
	message_unref(publication.message);
	turn();
	CU_ASSERT_EQUAL(n_appends, 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);
	turn();
	CU_ASSERT_EQUAL(n_appends, 1);
	CU_ASSERT_EQUAL(ready("q"), 1);
	router_end();
}

/* ---- To an exchange ---- */

static void sent_through_an_exchange(void)
{
	three(2, 1, 0);
	CU_ASSERT_EQUAL(exchange_declare("f", "fanout", INTERNAL), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "f", ""), 0);
	CU_ASSERT_EQUAL(exchange_bind("f", "e", "k"), 0);
	assert_three("q");
	/* Where one remembers, too, it is shown them. */
	history_declare_on("g", 0, 0);
	n_observed = 0;
	CU_ASSERT_EQUAL(exchange_bind("g", "e", "k"), 0);
	CU_ASSERT_EQUAL(n_observed, 3);
	CU_ASSERT_EQUAL(queue_bind("q", "g", "k"), 0);
	assert_three("q");
	router_end();
}

/* ---- Many ---- */

enum { MANY = 99999 };

static void many_go_in_steps(void)
{
	unsigned turns = 0;

	three(2, 1, 0);
	turn();
	history_repeats = MANY / 3;
	bind_ask(&asked, DECLARE_BIND, "q", "e", "k", false);
	declare_submit(&asked.request);
	for (; !asked.is_done && turns < 100000; turns++) {
		loop_pool_visit(1, turn_one, NULL);
		loop_pool_visit(0, turn_one, NULL);
	}
	CU_ASSERT_TRUE_FATAL(asked.is_done);
	CU_ASSERT_TRUE(turns > 5);
	CU_ASSERT_EQUAL(ready("q"), MANY);
	for (int i = 0; i < 100; i++) {
		ASSERT_NEXT("q", "a");
		ASSERT_NEXT("q", "b");
		ASSERT_NEXT("q", "c");
	}
	router_end();
}

static unsigned n_slow_routes;

static void slow_route(const void *state, const struct shunt_message *message,
		       struct shunt_sink *sink)
{
	uint64_t end_us = clock_monotonic_us() + 200;

	n_slow_routes++;
	while (clock_monotonic_us() < end_us)
		;
	fake_route(state, message, sink);
}

static const struct shunt_exchange_type slow_fanout = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "slow",
	.create = fake_create_fanout,
	.destroy = fake_destroy,
	.bind = fake_bind,
	.unbind = fake_unbind,
	.route = slow_route,
};

/* Where an exchange that takes long is the destination: no read side is longer than a message of
 * it, so nobody who wants to write waits for all of them. */
static void slow_destination_takes_steps(void)
{
	three(1, 0, 0);
	register_type(&slow_fanout);
	history_repeats = 10;
	n_slow_routes = 0;
	CU_ASSERT_EQUAL(exchange_declare("f", "slow", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "f", ""), 0);
	bind_ask(&asked, DECLARE_BIND, "f", "e", "k", true);
	declare_submit(&asked.request);
	CU_ASSERT_FALSE(asked.is_done);
	CU_ASSERT_EQUAL(n_slow_routes, 1);
	for (unsigned turns = 0; !asked.is_done && turns < 1000; turns++)
		turn();
	CU_ASSERT_TRUE(asked.is_done);
	CU_ASSERT_EQUAL(n_slow_routes, 30);
	CU_ASSERT_EQUAL(ready("q"), 30);
	for (int i = 0; i < 10; i++) {
		ASSERT_NEXT("q", "a");
		ASSERT_NEXT("q", "b");
		ASSERT_NEXT("q", "c");
	}
	router_end();
}

static void queue_goes_meanwhile(void)
{
	uint64_t before;

	three(2, 1, 0);
	turn();
	before = account_kind_total(ACCOUNT_OTHER);
	history_repeats = MANY / 3;
	bind_ask(&asked, DECLARE_BIND, "q", "e", "k", false);
	declare_submit(&asked.request);
	loop_pool_visit(0, turn_one, NULL);
	loop_pool_visit(1, turn_one, NULL);
	CU_ASSERT_FALSE(asked.is_done);
	CU_ASSERT_TRUE(account_kind_total(ACCOUNT_OTHER) >= before + MANY * sizeof(void *));

	struct ask deletion;

	ask_begin(&deletion, DECLARE_QUEUE_DELETE, "q");
	declare_submit(&deletion.request);
	CU_ASSERT_EQUAL(ask_wait(&deletion), 0);
	for (unsigned turns = 0; !asked.is_done && turns < 1000; turns++)
		turn();
	CU_ASSERT_TRUE(asked.is_done);
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_OTHER), before);
	router_end();
}

/* A type is told that there is no memory, and nothing is lost but that one message. */
static void without_memory(void)
{
	three(1, 0, 0);
	for (int fault = 0; fault < 4; fault++) {
		char key[] = {'k', (char)('0' + fault), '\0'};

		mem_fault_after(fault);
		(void)queue_bind("q", "e", key);
		mem_fault_after(-1);
	}
	CU_ASSERT_TRUE(n_send_failures > 0);
	turn();
	CU_ASSERT_EQUAL(ready("q"), 3 * n_bound_calls - n_send_failures);
	router_end();
}

/* ---- Held messages ---- */

static void held_outlives_the_call(void)
{
	struct message *message = make_message("e", "key");
	char other[] = "another", place[] = "place";
	struct routed_message shown = {
		.view = {.size = sizeof(struct shunt_message),
			 .routing_key = {message_routing_key(message).data, 3},
			 .vhost = {(const uint8_t *)place, 5}},
		.message = message,
	};
	uint64_t before = account_kind_total(ACCOUNT_MESSAGE);
	const struct routed_message *own = held_message_create(&shown), *copy;

	CU_ASSERT_PTR_NOT_NULL_FATAL(own);
	shown.view.routing_key = (struct shunt_bytes){(const uint8_t *)other, sizeof(other) - 1};
	copy = held_message_create(&shown);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memset(other, 'x', sizeof(other));
	memset(place, 'x', sizeof(place)); /* a plugin's stop() comes after the end of all vhosts */
	message_unref(message);
	CU_ASSERT_TRUE(account_kind_total(ACCOUNT_MESSAGE) > before);
	CU_ASSERT_EQUAL(own->view.routing_key.size, 3);
	CU_ASSERT_EQUAL(memcmp(own->view.routing_key.data, "key", 3), 0);
	CU_ASSERT_EQUAL(memcmp(copy->view.routing_key.data, "another", 7), 0);
	CU_ASSERT_EQUAL(memcmp(own->view.vhost.data, "place", 5), 0);
	CU_ASSERT_EQUAL(memcmp(copy->view.vhost.data, "place", 5), 0);
	CU_ASSERT_TRUE(slice_equal(message_body(copy->message), SLICE_LITERAL("body")));
	mem_fault_after(0);
	CU_ASSERT_PTR_NULL(held_message_create(&shown));
	mem_fault_after(-1);
	held_message_destroy(own);
	held_message_destroy(copy);
	CU_ASSERT_TRUE(account_kind_total(ACCOUNT_MESSAGE) < before);
}

UNIT_MAIN("bound", UNIT_TEST(new_binding_gets_all), UNIT_TEST(refused_binding_gets_nothing),
	  UNIT_TEST(binding_does_not_overtake), UNIT_TEST(queue_on_a_third_loop),
	  UNIT_TEST(durable_binding_waits_for_the_store),
	  UNIT_TEST(durable_binding_on_another_loop),
	  UNIT_TEST(binding_that_was_not_stored_gets_nothing), UNIT_TEST(persistent_is_stored),
	  UNIT_TEST(sent_through_an_exchange), UNIT_TEST(many_go_in_steps),
	  UNIT_TEST(slow_destination_takes_steps), UNIT_TEST(queue_goes_meanwhile),
	  UNIT_TEST(without_memory), UNIT_TEST(held_outlives_the_call))
