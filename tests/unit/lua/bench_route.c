/* SPDX-License-Identifier: MIT */

/*
 * What route() of a script costs, in CPU time: bench_route [BINDINGS [MESSAGES]]. Not a test. Each
 * case is an exchange type of some lines; one binding of each key, one match a message. To be held
 * against `bench_routes modules/exchange-direct.so direct` (tests/plugin).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fake_host.h"
#include "fake_services.h"
#include "fake_table.h"
#include "script.h"

#define PASSES 7

struct bench_case {
	const char *name, *source;
};

#define TYPE(route, more) "exchange.register{ name = 'x', route = " route more " }"

static const struct bench_case cases[] = {
	{"nothing", TYPE("function() end", "")},
	{"key, five lines", TYPE("function(message, bindings, emit)\n"
				 "  local key = message.routing_key\n"
				 "  if key then\n"
				 "    emit(bindings:match(key))\n"
				 "  end\n"
				 "end",
				 "")},
	{"header, five lines", TYPE("function(message, bindings, emit)\n"
				    "  local country = message.headers.country\n"
				    "  if country then\n"
				    "    emit(bindings:match(country))\n"
				    "  end\n"
				    "end",
				    "")},
	{"key, returned", TYPE("function(m, b) return b:match(m.routing_key) end", "")},
	{"own table by bind()", TYPE("function(m, b, e, x) return x.state[m.routing_key] end",
				     ", bind = function(x, b) x.state[b.routing_key] = b end")},
	{"body, json", TYPE("function(m, b) return b:match(m:json('to.country')) end", "")},
};

struct bench {
	struct fake_host fake;
	struct language language;
	struct script *script;
	void *state;
	size_t count, n_messages;
	struct shunt_binding *bindings;
	char (*keys)[32];
};

static uint64_t now_ns(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static struct shunt_bytes bytes_of(const char *text)
{
	return (struct shunt_bytes){(const uint8_t *)text, strlen(text)};
}

static uint64_t stable_hash(const struct shunt_host *host, const void *data, size_t size,
			    uint64_t seed)
{
	return host->hash(host, data, size) ^ seed;
}

static void fail(const char *text)
{
	(void)fprintf(stderr, "%s\n", text);
	exit(EXIT_FAILURE);
}

static void open_case(struct bench *b, const char *source)
{
	static const char *const settings[] = {"memory", "1000000000", NULL};
	struct shunt_script text = {.size = sizeof(text),
				    .name = "bench",
				    .path = "bench.lua",
				    .source = bytes_of(source)};
	struct shunt_exchange exchange = {.size = sizeof(exchange), .type = bytes_of("x")};
	struct shunt_error error;

	fake_host_init(&b->fake, 1);
	b->fake.host.stable_hash = stable_hash;
	b->fake.as_is = true;
	b->fake.options = script_options;
	b->fake.settings = settings;
	b->language.host = &b->fake.host;
	b->script = script_open(&b->language, &b->fake.host, &text, SHUNT_SCRIPT_RUN, NULL, &error);
	if (!b->script || script_start(b->script, &error) != 0 ||
	    b->fake.type->create(b->script, &exchange, &b->state, &error) != 0)
		fail(error.text);
}

static uint64_t bind_all(struct bench *b)
{
	uint64_t start = now_ns();
	struct shunt_error error;
	void *cookie;

	for (size_t i = 0; i < b->count; i++)
		if (b->fake.type->bind(b->state, &b->bindings[i], &cookie, &error) != 0)
			fail(error.text);
	return (now_ns() - start) / b->count;
}

/* Returns the time of a message. */
static double route_all(const struct bench *b, struct fake_message *messages)
{
	uint64_t start = now_ns();
	size_t count = 0;

	for (size_t i = 0; i < b->n_messages; i++) {
		const struct shunt_binding *answer[4];
		struct fake_sink sink;

		fake_sink_init(&sink, answer, 4);
		b->fake.type->route(b->state, &messages[i % b->count].message, &sink.sink);
		count += sink.count;
	}
	if (count != 0 && count != b->n_messages)
		fail("not one match a message");
	return (double)(now_ns() - start) / (double)b->n_messages;
}

static struct fake_message *make_messages(const struct bench *b)
{
	struct fake_message *messages = must(calloc(b->count, sizeof(*messages)));

	for (size_t i = 0; i < b->count; i++) {
		const char *key = b->keys[i * 7919 % b->count];
		struct fake_table headers = {0};
		char *body = must(malloc(128));

		fake_table_put_text(&headers, "content-class", "invoice");
		fake_table_put_text(&headers, "country", key);
		(void)snprintf(body, 128,
			       "{\"id\": 1, \"to\": {\"name\": \"x\", \"country\": \"%s\"}}", key);
		messages[i].message.size = sizeof(messages[i].message);
		messages[i].message.routing_key = bytes_of(key);
		messages[i].message.body = bytes_of(body);
		messages[i].headers = fake_table_bytes(&headers);
	}
	return messages;
}

static void make_bindings(struct bench *b)
{
	b->bindings = must(calloc(b->count, sizeof(*b->bindings)));
	b->keys = must(calloc(b->count, sizeof(*b->keys)));
	for (size_t i = 0; i < b->count; i++) {
		(void)snprintf(b->keys[i], sizeof(b->keys[i]), "country.%zu", i);
		b->bindings[i] = (struct shunt_binding){.size = sizeof(b->bindings[i]),
							.id = i + 1,
							.routing_key = bytes_of(b->keys[i]),
							.destination = bytes_of("queue")};
	}
}

static void run_case(struct bench *b, const struct bench_case *bench_case,
		     struct fake_message *messages)
{
	uint64_t bind_ns;
	double best = 0;

	open_case(b, bench_case->source);
	bind_ns = bind_all(b);
	for (unsigned i = 0; i < PASSES; i++) {
		double took = route_all(b, messages);

		best = i == 0 || took < best ? took : best;
	}
	(void)printf("%-24s %7.1f ns a message, %5llu ns a bind\n", bench_case->name, best,
		     (unsigned long long)bind_ns);
	b->fake.type->destroy(b->state);
	script_close(b->script);
	fake_services_fini(&b->fake);
}

int main(int argc, char **argv)
{
	struct bench b = {0};
	struct fake_message *messages;

	b.count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
	b.n_messages = argc > 2 ? strtoul(argv[2], NULL, 10) : 200000;
	if (b.count == 0 || b.n_messages == 0)
		return 64;
	make_bindings(&b);
	messages = make_messages(&b);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		run_case(&b, &cases[i], messages);
	return 0;
}
