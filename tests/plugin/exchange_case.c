/* SPDX-License-Identifier: MIT */
#include "exchange_case.h"

#include "fake_services.h"

#include <CUnit/CUnit.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LOOPS	 4
#define MESSAGES 64

extern const struct shunt_plugin shunt_plugin;

uint64_t case_random(uint64_t *random)
{
	uint64_t x = *random += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static struct shunt_bytes text_bytes(const char *text)
{
	return (struct shunt_bytes){(const uint8_t *)text, strlen(text)};
}

void case_open(struct exchange_case *c, const struct case_model *model, size_t count)
{
	case_open_declared(c, model, count, NULL);
}

void case_open_declared(struct exchange_case *c, const struct case_model *model, size_t count,
			const struct fake_table *arguments)
{
	struct shunt_error error = {0};

	memset(c, 0, sizeof(*c));
	c->exchange = (struct shunt_exchange){
		.size = sizeof(c->exchange),
		.vhost = text_bytes("/"),
		.name = text_bytes("e"),
		.arguments =
			arguments ? fake_table_bytes(arguments) : (struct shunt_bytes){NULL, 0},
	};
	fake_host_init(&c->host, LOOPS);
	c->host.options = shunt_plugin.options;
	c->model = model;
	c->count = count;
	c->bindings = calloc(count + 1, sizeof(*c->bindings));
	c->answer = calloc(count + 1, sizeof(struct shunt_binding *));
	if (!c->bindings || !c->answer)
		abort();
	CU_ASSERT_EQUAL_FATAL(shunt_plugin.magic, SHUNT_PLUGIN_MAGIC);
	CU_ASSERT_EQUAL_FATAL(shunt_plugin.struct_size, sizeof(struct shunt_plugin));
	CU_ASSERT_EQUAL_FATAL(shunt_plugin.start(&c->host.host, &c->host.plugin, &error), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c->host.type);
	CU_ASSERT_EQUAL_FATAL(c->host.type->create(c->host.plugin, &c->exchange, &c->state, &error),
			      0);
	c->live_empty = c->host.live;
}

void case_close(struct exchange_case *c)
{
	if (c->state)
		c->host.type->destroy(c->state);
	if (shunt_plugin.stop)
		shunt_plugin.stop(c->host.plugin);
	fake_services_fini(&c->host);
	CU_ASSERT_EQUAL(c->host.held, 0);
	CU_ASSERT_EQUAL(c->host.live, 0);
	for (size_t i = 0; i < c->count; i++)
		fake_table_fini(&c->bindings[i].arguments);
	free(c->bindings);
	free(c->answer);
}

static struct shunt_bytes copy_key(uint8_t *memory, const char *key)
{
	struct shunt_bytes bytes = {.data = memory, .size = strlen(key)};

	if (bytes.size > 255)
		abort();
	memcpy(memory, key, bytes.size);
	return bytes;
}

void case_set_key(struct case_binding *binding, const char *key)
{
	binding->binding.routing_key = copy_key(binding->key, key);
}

void case_message_set_key(struct case_message *message, const char *key)
{
	message->fake.message.size = sizeof(message->fake.message);
	message->fake.message.routing_key = copy_key(message->key, key);
}

void case_message_fini(struct case_message *message)
{
	fake_table_fini(&message->headers);
	memset(message, 0, sizeof(*message));
}

int case_bind(struct exchange_case *c, size_t index)
{
	struct case_binding *binding = &c->bindings[index];
	struct shunt_error error = {0};

	binding->binding.size = sizeof(binding->binding);
	binding->binding.id = ++c->next_id;
	binding->binding.arguments = fake_table_bytes(&binding->arguments);
	binding->cookie = NULL;
	if (c->host.type->bind(c->state, &binding->binding, &binding->cookie, &error) < 0) {
		CU_ASSERT_EQUAL(error.code, SHUNT_RESOURCE_ERROR);
		CU_ASSERT_PTR_NULL(binding->cookie);
		return -1;
	}
	binding->bound = true;
	return 0;
}

void case_unbind(struct exchange_case *c, size_t index)
{
	struct case_binding *binding = &c->bindings[index];

	c->host.type->unbind(c->state, &binding->binding, binding->cookie);
	binding->bound = false;
}

static size_t route(struct exchange_case *c, const struct case_message *message,
		    const struct shunt_binding **answer)
{
	struct fake_message fake = message->fake;
	struct fake_sink sink;

	fake.message.size = sizeof(fake.message);
	fake.headers = fake_table_bytes(&message->headers);
	fake_sink_init(&sink, answer, c->count);
	c->host.type->route(c->state, &fake.message, &sink.sink);
	return sink.count;
}

size_t case_route(struct exchange_case *c, const struct case_message *message)
{
	return route(c, message, c->answer);
}

bool case_answered(const struct exchange_case *c, size_t count, size_t index)
{
	for (size_t i = 0; i < count; i++)
		if (c->answer[i] == &c->bindings[index].binding)
			return true;
	return false;
}

/* Whether the message goes exactly where the model says, to each place once. */
static bool check(struct exchange_case *c, const struct case_message *message)
{
	size_t count = case_route(c, message);
	size_t expected = 0;

	c->checks++;
	if (c->model->accepts)
		return c->model->accepts(c, message, count);
	for (size_t i = 0; i < count; i++) {
		struct case_binding *binding = (struct case_binding *)(uintptr_t)c->answer[i];

		if (binding->seen == c->checks || !binding->bound ||
		    !c->model->matches(&binding->binding, message))
			return false;
		binding->seen = c->checks;
	}
	for (size_t i = 0; i < c->count; i++)
		expected +=
			c->bindings[i].bound && c->model->matches(&c->bindings[i].binding, message);
	return count == expected;
}

static bool check_random(struct exchange_case *c, uint64_t *random)
{
	struct case_message message = {0};
	bool good;

	case_message_set_key(&message, "");
	c->model->make_message(random, &message);
	good = check(c, &message);
	case_message_fini(&message);
	return good;
}

static void make_binding(struct exchange_case *c, uint64_t *random, size_t index)
{
	fake_table_fini(&c->bindings[index].arguments);
	case_set_key(&c->bindings[index], "");
	c->model->make_binding(random, &c->bindings[index]);
}

static void unbind_all(struct exchange_case *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->bindings[i].bound)
			case_unbind(c, i);
	CU_ASSERT_EQUAL(c->host.live, c->live_empty);
}

/* The share of bindings that are bound swings between few and nearly all. */
void case_run_random(struct exchange_case *c, uint64_t seed, unsigned rounds)
{
	unsigned bad = 0;
	size_t bound = 0;
	bool filling = true;

	for (unsigned i = 0; i < rounds; i++) {
		size_t index = case_random(&seed) % c->count;

		if (bound * 10 > c->count * 9 || bound == 0)
			filling = bound == 0;
		if (case_random(&seed) % 8 != 0 && c->bindings[index].bound == filling)
			continue;
		if (c->bindings[index].bound) {
			case_unbind(c, index);
			bound--;
		} else {
			make_binding(c, &seed, index);
			CU_ASSERT_EQUAL_FATAL(case_bind(c, index), 0);
			bound++;
		}
		bad += !check_random(c, &seed);
	}
	CU_ASSERT_EQUAL(bad, 0);
	unbind_all(c);
	CU_ASSERT(check_random(c, &seed));
}

/* Binds while the n-th allocation fails. True if there were fewer, so that none did. A binding that
 * failed, or made do without the memory, is gone afterwards. */
static bool bind_failing(struct exchange_case *c, uint64_t *random, size_t index, long n)
{
	int result;

	fake_host_fail(&c->host, n, case_random(random) % 2 == 0);
	result = case_bind(c, index);
	fake_host_fail_off(&c->host);
	CU_ASSERT(check_random(c, random));
	if (result == 0 && c->host.failed)
		case_unbind(c, index);
	return result == 0 && !c->host.failed;
}

/*
 * What is allocated first depends on what failed attempts have left behind: so each allocation in
 * turn, and some at random; and often the binding is given up, to see that it has left nothing.
 */
static void bind_with_failures(struct exchange_case *c, uint64_t *random, size_t index)
{
	for (unsigned i = 0; i < 4; i++)
		if (bind_failing(c, random, index, 1 + (long)(case_random(random) % 8)))
			case_unbind(c, index);
	if (case_random(random) % 2 == 0)
		return;
	for (long n = 1; !bind_failing(c, random, index, n); n++)
		continue;
}

static void create_failing(struct exchange_case *c)
{
	struct shunt_error error = {0};
	void *state = NULL;
	long live = c->host.live;

	for (long n = 1;; n++) {
		fake_host_fail(&c->host, n, false);
		if (c->host.type->create(c->host.plugin, &c->exchange, &state, &error) == 0)
			break;
		CU_ASSERT_EQUAL(error.code, SHUNT_RESOURCE_ERROR);
		CU_ASSERT_EQUAL(c->host.live, live);
	}
	fake_host_fail_off(&c->host);
	c->host.type->destroy(state);
	CU_ASSERT_EQUAL(c->host.live, live);
}

void case_run_memory(struct exchange_case *c, uint64_t seed, unsigned rounds)
{
	create_failing(c);
	for (unsigned i = 0; i < rounds; i++) {
		size_t index = case_random(&seed) % c->count;

		if (!c->bindings[index].bound) {
			make_binding(c, &seed, index);
			bind_with_failures(c, &seed, index);
		} else if (case_random(&seed) % 3 == 0) {
			/* unbinding must not need memory */
			fake_host_fail(&c->host, 1, true);
			case_unbind(c, index);
			fake_host_fail_off(&c->host);
			CU_ASSERT(check_random(c, &seed));
		}
	}
	unbind_all(c);
}

/* ---- Threads ---- */

struct router {
	struct exchange_case *c;
	const struct case_message *messages;
	const size_t *expected;
	unsigned index;
	unsigned rounds;
	unsigned bad;
};

static void *router_run(void *argument)
{
	struct router *router = argument;
	const struct shunt_binding **answer =
		calloc(router->c->count + 1, sizeof(struct shunt_binding *));

	if (!answer)
		abort();
	fake_loop_index = router->index;
	for (unsigned i = 0; i < router->rounds; i++) {
		size_t which = (i * 7 + router->index) % MESSAGES;

		router->bad += route(router->c, &router->messages[which], answer) !=
			       router->expected[which];
	}
	free(answer);
	return NULL;
}

static void route_together(struct exchange_case *c, const struct case_message *messages,
			   unsigned rounds)
{
	struct router routers[LOOPS];
	pthread_t threads[LOOPS];
	size_t expected[MESSAGES];

	for (size_t i = 0; i < MESSAGES; i++) {
		CU_ASSERT(check(c, &messages[i]));
		expected[i] = case_route(c, &messages[i]);
	}
	for (unsigned i = 0; i < LOOPS; i++) {
		routers[i] = (struct router){.c = c,
					     .messages = messages,
					     .expected = expected,
					     .index = i,
					     .rounds = rounds};
		if (pthread_create(&threads[i], NULL, router_run, &routers[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < LOOPS; i++) {
		(void)pthread_join(threads[i], NULL);
		CU_ASSERT_EQUAL(routers[i].bad, 0);
	}
}

void case_run_threads(struct exchange_case *c, uint64_t seed, unsigned rounds)
{
	struct case_message messages[MESSAGES] = {0};

	for (size_t i = 0; i < MESSAGES; i++) {
		case_message_set_key(&messages[i], "");
		c->model->make_message(&seed, &messages[i]);
	}
	for (size_t i = 0; i < c->count; i++) {
		make_binding(c, &seed, i);
		CU_ASSERT_EQUAL_FATAL(case_bind(c, i), 0);
	}
	route_together(c, messages, rounds);
	for (size_t i = 0; i < c->count; i += 2)
		case_unbind(c, i);
	route_together(c, messages, rounds);
	unbind_all(c);
	for (size_t i = 0; i < MESSAGES; i++)
		case_message_fini(&messages[i]);
}
