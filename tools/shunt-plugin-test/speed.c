/* SPDX-License-Identifier: MIT */
#include "speed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "amqp/cursor.h"
#include "amqp/properties.h"
#include "base/mem.h"
#include "trace.h"

#define MESSAGES_MIN  4096u
#define MESSAGES_MAX  (1u << 18)
#define MEASURE_NS    100000000u /* of CPU time, per pass over the messages and altogether */
#define PASSES	      10
#define BIND_LIMIT_NS 3000000000u
#define LOOK_EVERY    64 /* calls, at the clock */
#define AHEAD	      8

/* One binding and one message, with their bytes. */
struct plain_binding {
	struct shunt_binding view;
	struct buffer bytes;
	void *cookie;
};

struct plain_message {
	struct test_message message;
	struct buffer key, properties;
};

struct speed {
	struct subject *s;
	const struct shape *shape;
	struct shunt_exchange exchange;
	void *state;
	struct plain_binding *bindings;
	struct plain_message *messages;
	size_t n; /* bindings that are bound */
	size_t n_messages;
};

struct counting_sink {
	struct shunt_sink sink; /* first */
	uint64_t count;
	volatile uintptr_t sum;
};

/* CPU time: what else runs on the machine is not counted, what it does to the caches is. */
static uint64_t now_ns(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* What two looks at the clock take. */
static double looks_ns(void)
{
	uint64_t start, took, best = UINT64_MAX;

	for (unsigned k = 0; k < 10; k++) {
		start = now_ns();
		for (unsigned i = 0; i < 100; i++)
			(void)now_ns();
		took = now_ns() - start;
		best = took < best ? took : best;
	}
	return (double)best / 50;
}

/* Of n calls that took so long together, with two looks at the clock each. */
static double average_ns(uint64_t ns, size_t n)
{
	double average = (double)ns / (double)n - looks_ns();

	return average > 0 ? average : 0;
}

/* Tells the watching process, which waits for calls one by one, that it goes on. */
static void go_on(const char *call, size_t i)
{
	if (i % LOOK_EVERY != 0)
		return;
	trace_end();
	trace_begin(call);
}

static double resident_bytes(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_maxrss * 1024;
}

static void figure(const struct speed *speed, const char *what, double value)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s: %s", speed->shape->name, what);
	trace_figure(name, value);
}

/* ---- Making ---- */

static void make_binding(struct speed *speed, size_t i)
{
	struct plain_binding *binding = &speed->bindings[i];
	struct buffer arguments;
	size_t key_size;

	buffer_init(&arguments);
	buffer_init(&binding->bytes);
	speed->shape->binding(&speed->s->rng, i, &binding->bytes, &arguments);
	key_size = binding->bytes.size;
	buffer_append_slice(&binding->bytes, buffer_slice(&arguments));
	buffer_printf(&binding->bytes, "queue%zu", i);
	binding->view = (struct shunt_binding){
		.size = sizeof(binding->view),
		.id = i + 1,
		.routing_key = {binding->bytes.data, key_size},
		.arguments = {binding->bytes.data + key_size, arguments.size},
		.destination = {binding->bytes.data + key_size + arguments.size,
				binding->bytes.size - key_size - arguments.size},
	};
	buffer_fini(&arguments);
}

static void make_message(struct speed *speed, struct plain_message *message)
{
	struct amqp_properties p = {.flags = AMQP_PROPERTY_HEADERS | AMQP_PROPERTY_DELIVERY_MODE,
				    .delivery_mode = 1};
	struct amqp_writer writer;
	struct buffer headers;

	buffer_init(&headers);
	buffer_init(&message->key);
	buffer_init(&message->properties);
	speed->shape->message(&speed->s->rng, rng_below(&speed->s->rng, speed->n), &message->key,
			      &headers);
	p.headers = buffer_slice(&headers);
	message->properties.size = amqp_properties_size(&p);
	message->properties.data = mem_realloc(message->properties.data, message->properties.size);
	message->properties.capacity = message->properties.size;
	amqp_writer_init(&writer, message->properties.data, message->properties.size);
	amqp_properties_encode(&writer, &p);
	buffer_fini(&headers);
	message->message = (struct test_message){
		.view = {.size = sizeof(message->message.view),
			 .exchange = {(const uint8_t *)"tested", 6},
			 .routing_key = {message->key.data, message->key.size},
			 .vhost = {(const uint8_t *)"/", 1}},
		.properties = buffer_slice(&message->properties),
	};
}

/* ---- Binding and unbinding ---- */

static bool is_accepted(const struct speed *speed, const struct plain_binding *binding)
{
	struct shunt_error error;

	return speed->s->type->validate_binding == NULL ||
	       speed->s->type->validate_binding(speed->state, &binding->view, &error) == 0;
}

static int bind_one(const struct speed *speed, struct plain_binding *binding)
{
	struct shunt_error error;

	if (speed->s->type->bind == NULL)
		return 0;
	return speed->s->type->bind(speed->state, &binding->view, &binding->cookie, &error);
}

/* How many could be bound in the time that there is. */
static void bind_all(struct speed *speed)
{
	uint64_t start, one, longest = 0;
	double before = resident_bytes();

	trace_begin("bind()");
	for (start = now_ns(); speed->n < speed->shape->count; speed->n++) {
		one = now_ns();
		if (one - start > BIND_LIMIT_NS || bind_one(speed, &speed->bindings[speed->n]) != 0)
			break;
		one = now_ns() - one;
		longest = one > longest ? one : longest;
		go_on("bind()", speed->n);
	}
	trace_end();
	if (speed->n < speed->shape->count)
		trace_note("only %zu bindings in the time that there is", speed->n);
	if (speed->n < 1000)
		return;
	figure(speed, "bind, ns", average_ns(now_ns() - start, speed->n));
	figure(speed, "bind, longest, us", (double)longest / 1000);
	figure(speed, "bytes a binding", (resident_bytes() - before) / (double)speed->n);
}

static void unbind_all(struct speed *speed)
{
	uint64_t start = now_ns(), one, longest = 0;
	size_t i = 0;

	if (speed->s->type->unbind == NULL)
		return;
	trace_begin("unbind()");
	for (; i < speed->n; i++) {
		one = now_ns();
		if (one - start > BIND_LIMIT_NS)
			break;
		speed->s->type->unbind(speed->state, &speed->bindings[i].view,
				       speed->bindings[i].cookie);
		one = now_ns() - one;
		longest = one > longest ? one : longest;
		go_on("unbind()", i);
	}
	trace_end();
	if (i < 1000)
		return;
	figure(speed, "unbind, ns", average_ns(now_ns() - start, i));
	figure(speed, "unbind, longest, us", (double)longest / 1000);
}

/* ---- Routing ---- */

static void count(struct shunt_sink *sink, const struct shunt_binding *const *bindings, size_t n)
{
	struct counting_sink *counting = (struct counting_sink *)sink;
	uintptr_t sum = 0;

	/* all that is emitted is looked at, as a broker does */
	for (size_t i = 0; i < n; i++)
		sum ^= (uintptr_t)bindings[i];
	counting->sum = sum;
	counting->count += n;
}

/* One pass: how many messages it got through, and what it took. */
static size_t pass(const struct speed *speed, uint64_t *ret_ns, uint64_t *ret_matches)
{
	struct counting_sink sink = {.sink = {.emit = count}};
	uint64_t start = now_ns();
	size_t i = 0;

	for (; i < speed->n_messages && (i % LOOK_EVERY != 0 || now_ns() - start < MEASURE_NS);
	     i++) {
		const struct plain_message *soon =
			&speed->messages[(i + AHEAD) % speed->n_messages];

		/* a message that has just been read is in the cache */
		__builtin_prefetch(&soon->message);
		__builtin_prefetch((const char *)&soon->message + 64);
		__builtin_prefetch(soon->message.view.routing_key.data);
		__builtin_prefetch(soon->message.properties.data);
		speed->s->type->route(speed->state, &speed->messages[i].message.view, &sink.sink);
		go_on("route()", i);
	}
	*ret_ns = now_ns() - start;
	*ret_matches = sink.count;
	return i;
}

static void route_all(const struct speed *speed)
{
	unsigned long before = trace_frame.mallocs;
	uint64_t ns, matches, spent = 0, routed = 0;
	double best = 1e18, best_match = 1e18;

	trace_begin("route()");
	trace_frame.in_route = true;
	for (unsigned k = 0; k < PASSES && spent < MEASURE_NS * 2; k++) {
		size_t n = pass(speed, &ns, &matches);

		spent += ns;
		routed += n;
		best = (double)ns / (double)n < best ? (double)ns / (double)n : best;
		if (matches > 0 && (double)ns / (double)matches < best_match)
			best_match = (double)ns / (double)matches;
	}
	trace_frame.in_route = false;
	trace_end();
	figure(speed, "ns a route", best);
	if (speed->shape->per_match)
		figure(speed, "ns a binding emitted", best_match);
	figure(speed, "bindings emitted", matches > 0 ? best / best_match : 0);
	figure(speed, "allocations a route",
	       (double)(trace_frame.mallocs - before) / (double)routed);
}

static void forget(struct speed *speed)
{
	speed->s->type->destroy(speed->state);
	for (size_t i = 0; i < speed->shape->count; i++)
		buffer_fini(&speed->bindings[i].bytes);
	for (size_t i = 0; i < speed->n_messages; i++) {
		buffer_fini(&speed->messages[i].key);
		buffer_fini(&speed->messages[i].properties);
	}
	mem_free(speed->bindings);
	mem_free(speed->messages);
}

/* So many that with many bindings their keys are not in the cache. */
static size_t message_count(size_t bindings)
{
	size_t n = bindings * 16;

	if (n < MESSAGES_MIN)
		return MESSAGES_MIN;
	return n < MESSAGES_MAX ? n : MESSAGES_MAX;
}

bool speed_measure(struct subject *s, const struct shape *shape)
{
	struct speed speed = {.s = s, .shape = shape, .exchange = {.size = sizeof(speed.exchange)}};
	struct shunt_error error;
	bool good;

	if (s->type->create(s->world->state, &speed.exchange, &speed.state, &error) != 0)
		return false;
	speed.bindings = mem_zalloc(shape->count * sizeof(*speed.bindings));
	for (size_t i = 0; i < shape->count; i++)
		make_binding(&speed, i);
	good = is_accepted(&speed, &speed.bindings[0]);
	if (good) {
		bind_all(&speed);
		speed.n_messages = message_count(speed.n);
		speed.messages = mem_zalloc(speed.n_messages * sizeof(*speed.messages));
		for (size_t i = 0; speed.n > 0 && i < speed.n_messages; i++)
			make_message(&speed, &speed.messages[i]);
		if (speed.n > 0)
			route_all(&speed);
		unbind_all(&speed);
	}
	forget(&speed);
	return good;
}
