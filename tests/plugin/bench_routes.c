/* SPDX-License-Identifier: MIT */

/*
 * How long route() takes: bench_routes PLUGIN.so direct|fanout|topic|headers|x-... [BINDINGS]. Not
 * a test; prints nanoseconds a message, with keys that are not in the cache when there are many
 * bindings.
 */

#include "fake_host.h"
#include "fake_table.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MESSAGES (1u << 16)
#define ROUNDS	 20

struct bench {
	const char *type;
	struct fake_host host;
	void *state;
	size_t count;
	struct shunt_binding *bindings;
	void **cookies;
	uint8_t (*keys)[48];
	uint8_t (*queues)[32];
	uint8_t (*message_keys)[48];
	struct fake_message *messages;
	uint64_t random;
};

static uint64_t next_random(struct bench *b)
{
	uint64_t x = b->random += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* CPU time: what else runs on the machine is not counted, what it does to the caches is. */
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

static struct shunt_bytes key_of(uint8_t *text)
{
	return (struct shunt_bytes){text, strlen((const char *)text)};
}

/* Three words of 100, 100 and as many as it takes. */
static void words_of(uint32_t i, char words[3][16])
{
	(void)snprintf(words[0], 16, "region%u", i % 100);
	(void)snprintf(words[1], 16, "kind%u", i / 100 % 100);
	(void)snprintf(words[2], 16, "id%u", i / 10000);
}

static void make_binding(struct bench *b, size_t i)
{
	struct fake_table arguments = {0};
	char words[3][16];
	char *key = (char *)b->keys[i];

	if (strcmp(b->type, "topic") == 0) {
		words_of((uint32_t)i, words);
		if (next_random(b) % 10 == 0)
			(void)strcpy(words[next_random(b) % 3], "*");
		(void)snprintf(key, 48, "%s.%s.%s", words[0], words[1], words[2]);
	} else if (strcmp(b->type, "x-consistent-hash") == 0) {
		(void)strcpy(key, "1");
	} else {
		(void)snprintf(key, 48, "some.routing.key.%zu", i);
	}
	(void)snprintf((char *)b->queues[i], sizeof(b->queues[i]), "queue.%zu", i);
	if (strcmp(b->type, "headers") == 0) {
		fake_table_put_text(&arguments, "x-match", i % 2 ? "all" : "any");
		(void)snprintf(words[0], 16, "region%zu", i % 50);
		fake_table_put_text(&arguments, "region", words[0]);
		fake_table_put(&arguments, "customer", 'I', (int64_t)i);
	}
	b->bindings[i].size = sizeof(b->bindings[i]);
	b->bindings[i].id = i + 1;
	b->bindings[i].routing_key = key_of(b->keys[i]);
	b->bindings[i].destination = key_of(b->queues[i]);
	b->bindings[i].arguments = fake_table_bytes(&arguments);
}

static void make_message(struct bench *b, size_t i)
{
	size_t which = next_random(b) % b->count;
	struct fake_table headers = {0};
	char words[3][16];
	char *key = (char *)b->message_keys[i];

	words_of((uint32_t)which, words);
	if (strcmp(b->type, "topic") == 0)
		(void)snprintf(key, 48, "%s.%s.%s", words[0], words[1], words[2]);
	else
		(void)snprintf(key, 48, "some.routing.key.%zu", b->type[0] == 'x' ? i : which);
	if (strcmp(b->type, "headers") == 0) {
		(void)snprintf(words[0], 16, "region%zu", which % 50);
		fake_table_put_text(&headers, "content-class", "invoice");
		fake_table_put_text(&headers, "region", words[0]);
		fake_table_put(&headers, "customer", 'l', (int64_t)which);
	}
	b->messages[i].message.size = sizeof(b->messages[i].message);
	b->messages[i].message.routing_key = key_of(b->message_keys[i]);
	b->messages[i].headers = fake_table_bytes(&headers);
}

static long resident_kib(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static void fill(struct bench *b)
{
	struct shunt_error error;
	uint64_t start, one, longest = 0;
	long before;

	for (size_t i = 0; i < b->count; i++)
		make_binding(b, i);
	before = resident_kib();
	start = now_ns();
	for (size_t i = 0; i < b->count; i++) {
		one = now_ns();
		if (b->host.type->bind(b->state, &b->bindings[i], &b->cookies[i], &error) < 0)
			abort();
		one = now_ns() - one;
		longest = one > longest ? one : longest;
	}
	(void)printf("bind: %.0f ns on average with two looks at the clock, %.1f us the longest; "
		     "%.1f bytes a binding\n",
		     (double)(now_ns() - start) / (double)b->count, (double)longest / 1000,
		     (double)(resident_kib() - before) * 1024 / (double)b->count);
	for (size_t i = 0; i < MESSAGES; i++)
		make_message(b, i);
}

static void empty(struct bench *b)
{
	uint64_t start = now_ns(), one, longest = 0;

	for (size_t i = 0; i < b->count; i++) {
		one = now_ns();
		b->host.type->unbind(b->state, &b->bindings[i], b->cookies[i]);
		one = now_ns() - one;
		longest = one > longest ? one : longest;
	}
	(void)printf(
		"unbind: %.0f ns on average with two looks at the clock, %.1f us the longest\n",
		(double)(now_ns() - start) / (double)b->count, (double)longest / 1000);
}

static void run(struct bench *b)
{
	const struct shunt_binding **answer = must(calloc(b->count, sizeof(*answer)));
	unsigned rounds = strcmp(b->type, "fanout") == 0 ? 1 : ROUNDS;
	double best = 1e18;
	uint64_t matched = 0;

	for (unsigned round = 0; round < rounds; round++) {
		uint64_t start = now_ns(), took;

		matched = 0;
		for (size_t i = 0; i < MESSAGES; i++) {
			size_t soon = (i + 8) % MESSAGES;
			struct fake_sink sink;

			/* a message that has just been read is in the cache */
			__builtin_prefetch(&b->messages[soon]);
			__builtin_prefetch((const char *)&b->messages[soon] + 64);
			__builtin_prefetch(b->message_keys[soon]);
			__builtin_prefetch(b->messages[soon].headers.data);
			fake_sink_init(&sink, answer, b->count);
			b->host.type->route(b->state, &b->messages[i].message, &sink.sink);
			matched += sink.count;
		}
		took = now_ns() - start;
		best = (double)took < best ? (double)took : best;
	}
	(void)printf(
		"%s, %zu bindings: %.1f ns a message, %.3f ns a match (%.2f matches a message)\n",
		b->type, b->count, best / MESSAGES, best / (double)matched,
		(double)matched / MESSAGES);
	free(answer);
}

static int open_plugin(struct bench *b, const char *path)
{
	struct shunt_exchange exchange = {.size = sizeof(exchange)};
	struct shunt_error error;
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct shunt_plugin *plugin = library ? dlsym(library, "shunt_plugin") : NULL;

	if (!plugin) {
		(void)fprintf(stderr, "%s\n", dlerror());
		return -1;
	}
	fake_host_init(&b->host, 2);
	if (plugin->start(&b->host.host, &b->host.plugin, &error) < 0)
		return -1;
	return b->host.type->create(b->host.plugin, &exchange, &b->state, &error);
}

int main(int argc, char **argv)
{
	struct bench b = {.random = 1};

	if (argc < 3) {
		(void)fprintf(stderr, "usage: bench_routes PLUGIN.so TYPE [BINDINGS]\n");
		return 64;
	}
	b.type = argv[2];
	b.count = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
	if (b.count == 0 || open_plugin(&b, argv[1]) < 0)
		return 1;
	b.bindings = must(calloc(b.count, sizeof(*b.bindings)));
	b.cookies = must(calloc(b.count, sizeof(*b.cookies)));
	b.keys = must(calloc(b.count, sizeof(*b.keys)));
	b.queues = must(calloc(b.count, sizeof(*b.queues)));
	b.message_keys = must(calloc(MESSAGES, sizeof(*b.message_keys)));
	b.messages = must(calloc(MESSAGES, sizeof(*b.messages)));
	fill(&b);
	run(&b);
	empty(&b);
	return 0;
}
