/* SPDX-License-Identifier: MIT */

/*
 * What route(), bind() and unbind() cost: bench_routes PLUGIN.so CASE [BINDINGS [MESSAGES]]. Not a
 * test. Every message is routed once in a pass over all of them, and their keys are random over the
 * whole set of bindings, so that with many bindings most of what is looked up is not in the cache.
 *
 * direct    each binding has a key of its own: one match
 * fanout    all match
 * topic     three words of 100, 100 and as many as it takes; one binding of ten has a `*` for one
 *           of them, and a word for another that only such bindings have: one match
 * sparse    three words of 1000 each, drawn at random, one of ten has a `*`: 1.1 matches at a
 *           million
 * crowded   as topic, but the words beside the `*` are everybody's: 11 matches at a million
 * headers   two headers of the message in the bindings' arguments, half of them x-match: any
 * x-...     each binding has a queue of its own, each message a key of its own
 */

#include "fake_host.h"
#include "fake_table.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#define PASSES 5

#define KEY_SIZE 64

struct bench {
	const char *type;
	struct fake_host host;
	void *state;
	size_t count;
	size_t message_count;
	struct shunt_binding *bindings;
	void **cookies;
	uint8_t (*keys)[KEY_SIZE];
	uint8_t (*queues)[32];
	uint8_t (*message_keys)[KEY_SIZE];  /* a cache line each: nothing else is to come and go */
	struct fake_table *message_headers; /* NULL where there are none */
	const struct shunt_binding **answer;
	uint32_t *took; /* the time of each bind or unbind of one run */
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

/* ---- Bindings and messages ---- */

static bool is(const struct bench *b, const char *type)
{
	return strcmp(b->type, type) == 0;
}

static bool has_words(const struct bench *b)
{
	return is(b, "topic") || is(b, "sparse") || is(b, "crowded");
}

static uint32_t mix(uint32_t x)
{
	x = (x ^ x >> 16) * 0x7feb352du;
	x = (x ^ x >> 15) * 0x846ca68bu;
	return x ^ x >> 16;
}

/* The words of a binding; the one at ret_star (3: none) is a `*` in the binding. */
static void words_of(const struct bench *b, uint32_t i, char words[3][16], unsigned *ret_star)
{
	static const char *const names[] = {"region", "kind", "id"};
	unsigned star = mix(i) % 10 == 0 ? mix(i ^ 0x55555555u) % 3 : 3;
	uint32_t parts[3] = {i % 100, i / 100 % 100, i / 10000};

	if (is(b, "sparse"))
		for (unsigned k = 0; k < 3; k++)
			parts[k] = mix(3 * i + k) % 1000;
	for (unsigned k = 0; k < 3; k++)
		(void)snprintf(words[k], 16, "%s%u", names[k], parts[k]);
	if (star < 3 && is(b, "topic"))
		(void)snprintf(words[(star + 1) % 3], 16, "own%u",
			       parts[star] * 100 + parts[(star + 1) % 3]);
	*ret_star = star;
}

static void make_binding(struct bench *b, size_t i)
{
	struct fake_table arguments = {0};
	char words[3][16];
	char *key = (char *)b->keys[i];
	unsigned star;

	if (has_words(b)) {
		words_of(b, (uint32_t)i, words, &star);
		if (star < 3)
			(void)strcpy(words[star], "*");
		(void)snprintf(key, KEY_SIZE, "%s.%s.%s", words[0], words[1], words[2]);
	} else if (is(b, "x-consistent-hash")) {
		(void)strcpy(key, "1");
	} else {
		(void)snprintf(key, KEY_SIZE, "some.routing.key.%zu", i);
	}
	(void)snprintf((char *)b->queues[i], sizeof(b->queues[i]), "queue.%zu", i);
	if (is(b, "headers")) {
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
	char words[3][16];
	char *key = (char *)b->message_keys[i];
	unsigned star;

	if (has_words(b)) {
		words_of(b, (uint32_t)which, words, &star);
		(void)snprintf(key, KEY_SIZE, "%s.%s.%s", words[0], words[1], words[2]);
	} else {
		(void)snprintf(key, KEY_SIZE, "some.routing.key.%zu",
			       b->type[0] == 'x' ? i : which);
	}
	if (is(b, "headers")) {
		(void)snprintf(words[0], 16, "region%zu", which % 50);
		fake_table_put_text(&b->message_headers[i], "content-class", "invoice");
		fake_table_put_text(&b->message_headers[i], "region", words[0]);
		fake_table_put(&b->message_headers[i], "customer", 'l', (int64_t)which);
	}
}

/* ---- bind and unbind ---- */

static long resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long total, resident;

	if (!file || fscanf(file, "%ld %ld", &total, &resident) != 2)
		abort();
	(void)fclose(file);
	return resident * sysconf(_SC_PAGESIZE);
}

static int compare_times(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report_calls(struct bench *b, const char *call)
{
	double sum = 0;

	for (size_t i = 0; i < b->count; i++)
		sum += b->took[i];
	qsort(b->took, b->count, sizeof(*b->took), compare_times);
	(void)printf("%s: %.0f ns on average, p99.99 %.1f us, longest %.1f us\n", call,
		     sum / (double)b->count, b->took[(b->count - 1) * 9999 / 10000] / 1000.0,
		     b->took[b->count - 1] / 1000.0);
}

/* What two looks at the clock take. */
static uint64_t clock_cost(void)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t start = now_ns();
		uint64_t took = now_ns() - start;

		best = took < best ? took : best;
	}
	return best;
}

static void note(struct bench *b, size_t i, uint64_t took, uint64_t cost)
{
	b->took[i] = took > cost ? (uint32_t)(took - cost) : 0;
}

static void bind_all(struct bench *b)
{
	uint64_t cost = clock_cost();
	long before = resident_bytes();
	struct shunt_error error;

	for (size_t i = 0; i < b->count; i++) {
		uint64_t start = now_ns();

		if (b->host.type->bind(b->state, &b->bindings[i], &b->cookies[i], &error) < 0)
			abort();
		note(b, i, now_ns() - start, cost);
	}
	(void)printf("memory: %.1f bytes a binding\n",
		     (double)(resident_bytes() - before) / (double)b->count);
	report_calls(b, "bind");
}

/* In random order, the worst for what has been allocated in order. */
static void unbind_all(struct bench *b, bool shuffled)
{
	uint32_t *order = must(calloc(b->count, sizeof(*order)));
	uint64_t cost = clock_cost();

	for (size_t i = 0; i < b->count; i++) {
		size_t other = shuffled ? next_random(b) % (i + 1) : i;

		order[i] = order[other];
		order[other] = (uint32_t)i;
	}
	for (size_t i = 0; i < b->count; i++) {
		uint64_t start = now_ns();

		b->host.type->unbind(b->state, &b->bindings[order[i]], b->cookies[order[i]]);
		note(b, i, now_ns() - start, cost);
	}
	free(order);
	report_calls(b, shuffled ? "unbind, shuffled" : "unbind, in order");
}

/* ---- route ---- */

/* What has just been read of a message is in the cache. */
static void prefetch_message(const struct bench *b, size_t i)
{
	__builtin_prefetch(b->message_keys[i]);
	if (b->message_headers)
		__builtin_prefetch(b->message_headers[i].data);
}

static uint64_t route_all(struct bench *b)
{
	struct fake_message message = {.message.size = sizeof(message.message)};
	uint64_t matched = 0;

	for (size_t i = 0; i < b->message_count; i++) {
		struct fake_sink sink;

		prefetch_message(b, i + 8 < b->message_count ? i + 8 : 0);
		message.message.routing_key = key_of(b->message_keys[i]);
		if (b->message_headers)
			message.headers = fake_table_bytes(&b->message_headers[i]);
		fake_sink_init(&sink, b->answer, b->count);
		b->host.type->route(b->state, &message.message, &sink.sink);
		matched += sink.count;
	}
	return matched;
}

static void run(struct bench *b)
{
	uint32_t took[PASSES];
	uint64_t matched = 0;
	double median;

	for (unsigned pass = 0; pass < PASSES; pass++) {
		uint64_t start = now_ns();

		matched = route_all(b);
		took[pass] = (uint32_t)((now_ns() - start) / 1000);
	}
	qsort(took, PASSES, sizeof(took[0]), compare_times);
	median = took[PASSES / 2] * 1000.0;
	(void)printf("%s, %zu bindings: %.1f ns a message (%.1f the best of %d passes), %.3f ns a "
		     "match (%.2f matches a message)\n",
		     b->type, b->count, median / (double)b->message_count,
		     took[0] * 1000.0 / (double)b->message_count, PASSES, median / (double)matched,
		     (double)matched / (double)b->message_count);
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

static void prepare(struct bench *b)
{
	b->bindings = must(calloc(b->count, sizeof(*b->bindings)));
	b->cookies = must(calloc(b->count, sizeof(*b->cookies)));
	b->keys = must(calloc(b->count, sizeof(*b->keys)));
	b->queues = must(calloc(b->count, sizeof(*b->queues)));
	b->took = must(calloc(b->count, sizeof(*b->took)));
	b->answer = must(calloc(b->count, sizeof(*b->answer)));
	b->message_keys = must(aligned_alloc(KEY_SIZE, b->message_count * KEY_SIZE));
	if (is(b, "headers"))
		b->message_headers = must(calloc(b->message_count, sizeof(*b->message_headers)));
	for (size_t i = 0; i < b->count; i++)
		make_binding(b, i);
	for (size_t i = 0; i < b->message_count; i++)
		make_message(b, i);
	memset(b->cookies, 1, b->count * sizeof(*b->cookies));
	memset(b->took, 1, b->count * sizeof(*b->took));
}

int main(int argc, char **argv)
{
	struct bench b = {.random = 1};

#ifdef __GLIBC__
	/* as the broker has it */
	mallopt(M_TRIM_THRESHOLD, 16 << 20);
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_MXFAST, 0);
#endif
	if (argc < 3) {
		(void)fprintf(stderr, "usage: bench_routes PLUGIN.so CASE [BINDINGS [MESSAGES]]\n");
		return 64;
	}
	b.type = argv[2];
	b.count = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
	b.message_count = argc > 4 ? strtoul(argv[4], NULL, 10) : 1u << 19;
	if (b.count == 0 || b.message_count == 0 || open_plugin(&b, argv[1]) < 0)
		return 64;
	b.host.as_is = true;
	prepare(&b);
	bind_all(&b);
	run(&b);
	unbind_all(&b, true);
	bind_all(&b);
	unbind_all(&b, false);
	return 0;
}
