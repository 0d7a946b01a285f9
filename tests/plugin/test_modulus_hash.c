/* SPDX-License-Identifier: MIT */
#include "exchange_case.h"

#include "../unit/unit.h"

#include <string.h>

#define QUEUES 300

static char queues[QUEUES][8];

static void name_queues(void)
{
	for (unsigned i = 0; i < QUEUES; i++)
		(void)snprintf(queues[i], sizeof(queues[i]), "q%u", i);
}

static struct shunt_bytes text_bytes(const char *text)
{
	return (struct shunt_bytes){(const uint8_t *)text, strlen(text)};
}

static void make_binding(uint64_t *random, struct case_binding *binding)
{
	static const char *const keys[] = {"", "a", "b"};

	binding->binding.destination = text_bytes(queues[case_random(random) % QUEUES]);
	binding->binding.destination_is_exchange = case_random(random) % 4 == 0;
	if (case_random(random) % 4 == 0)
		fake_table_put(&binding->arguments, "n", 'I', (int64_t)(case_random(random) % 3));
	case_set_key(binding, keys[case_random(random) % 3]);
}

static void set_number(struct case_message *message, uint64_t number)
{
	char key[32];

	(void)snprintf(key, sizeof(key), "key %llu", (unsigned long long)number);
	case_message_set_key(message, key);
}

static void make_message(uint64_t *random, struct case_message *message)
{
	set_number(message, case_random(random) % 1000);
}

static int compare_bytes(struct shunt_bytes a, struct shunt_bytes b)
{
	int order =
		memcmp(a.size ? a.data : (const uint8_t *)"", b.size ? b.data : (const uint8_t *)"",
		       a.size < b.size ? a.size : b.size);

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static bool is_before(const struct shunt_binding *a, const struct shunt_binding *b)
{
	int order = compare_bytes(a->destination, b->destination);

	if (order == 0)
		order = a->destination_is_exchange - b->destination_is_exchange;
	if (order == 0)
		order = compare_bytes(a->routing_key, b->routing_key);
	if (order == 0)
		order = compare_bytes(a->arguments, b->arguments);
	return order ? order < 0 : a->id < b->id;
}

/* Exactly as many are before it as the remainder says. */
static bool accepts(const struct exchange_case *c, const struct case_message *message, size_t count)
{
	struct shunt_bytes key = message->fake.message.routing_key;
	size_t bound = 0, before = 0;

	for (size_t i = 0; i < c->count; i++) {
		if (!c->bindings[i].bound)
			continue;
		bound++;
		before += count > 0 && is_before(&c->bindings[i].binding, c->answer[0]);
	}
	if (bound == 0)
		return count == 0;
	return count == 1 && ((const struct case_binding *)c->answer[0])->bound &&
	       before == c->host.host.stable_hash(&c->host.host, key.data, key.size, 0) % bound;
}

static const struct case_model model = {make_binding, make_message, NULL, accepts};

static void bind_queue(struct exchange_case *c, size_t index, const char *queue)
{
	c->bindings[index].binding.destination = text_bytes(queue);
	case_set_key(&c->bindings[index], "");
	CU_ASSERT_EQUAL_FATAL(case_bind(c, index), 0);
}

static const char *queue_of(struct exchange_case *c, const char *key)
{
	struct case_message message = {0};

	case_message_set_key(&message, key);
	CU_ASSERT_EQUAL_FATAL(case_route(c, &message), 1);
	return (const char *)c->answer[0]->destination.data;
}

/* Pinned: a change of these sends the messages of users elsewhere. */
static void routes_as_ever(void)
{
	struct exchange_case c;

	case_open(&c, &model, 3);
	bind_queue(&c, 0, "b");
	bind_queue(&c, 1, "c");
	bind_queue(&c, 2, "a");
	CU_ASSERT_STRING_EQUAL(queue_of(&c, ""), "b");
	CU_ASSERT_STRING_EQUAL(queue_of(&c, "k1"), "b");
	CU_ASSERT_STRING_EQUAL(queue_of(&c, "k2"), "b");
	CU_ASSERT_STRING_EQUAL(queue_of(&c, "order.4711"), "a");
	case_close(&c);
}

static void routes_evenly(void)
{
	struct case_message message = {0};
	struct exchange_case c;
	size_t got[10] = {0};

	case_open(&c, &model, 10);
	for (size_t i = 0; i < 10; i++)
		bind_queue(&c, i, queues[i]);
	for (size_t i = 0; i < 1000000; i++) {
		set_number(&message, i);
		CU_ASSERT_EQUAL_FATAL(case_route(&c, &message), 1);
		got[(const struct case_binding *)c.answer[0] - c.bindings]++;
	}
	for (size_t i = 0; i < 10; i++)
		CU_ASSERT(got[i] > 98500 && got[i] < 101500);
	case_close(&c);
}

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

static void destroy_frees_what_is_bound(void)
{
	struct exchange_case c;
	uint64_t random = 4;

	case_open(&c, &model, 5000);
	for (size_t i = 0; i < 5000; i++) {
		make_binding(&random, &c.bindings[i]);
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	}
	case_close(&c);
}

static void routes_on_several_loops_at_once(void)
{
	struct exchange_case c;

	case_open(&c, &model, 100);
	case_run_threads(&c, 3, 2000);
	case_close(&c);
}

int main(void)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(routes_as_ever),
		UNIT_TEST(routes_evenly),
		UNIT_TEST(agrees_with_the_model),
		UNIT_TEST(survives_failing_allocations),
		UNIT_TEST(destroy_frees_what_is_bound),
		UNIT_TEST(routes_on_several_loops_at_once),
	};

	name_queues();
	return unit_run("exchange-modulus-hash", tests, sizeof(tests) / sizeof(*tests));
}
