/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "amqp/table_writer.h"
#include "speed.h"
#include "trace.h"

/* ---- Shapes ---- */

/*
 * Three words of 100, 100 and as many as it takes. One binding of ten has a `*` for one of them,
 * and then a word of its own beside it: a message matches one binding. Returns which is the `*`; 3:
 * none.
 */
static unsigned words_of(size_t i, char words[3][32])
{
	static const char *const names[] = {"region", "kind", "id"};
	struct rng rng = rng_fork(i, 0);
	unsigned star = rng_one_in(&rng, 10) ? (unsigned)rng_below(&rng, 3) : 3;
	const size_t parts[3] = {i % 100, i / 100 % 100, i / 10000};

	for (unsigned k = 0; k < 3; k++)
		(void)snprintf(words[k], 32, "%s%zu", names[k], parts[k]);
	if (star < 3)
		(void)snprintf(words[(star + 1) % 3], 32, "own%zu",
			       parts[star] * 100 + parts[(star + 1) % 3]);
	return star;
}

static void words_binding(struct rng *rng, size_t i, struct buffer *key, struct buffer *arguments)
{
	char words[3][32];
	unsigned star = words_of(i, words);

	(void)rng;
	(void)arguments;
	if (star < 3)
		(void)snprintf(words[star], 32, "*");
	buffer_printf(key, "%s.%s.%s", words[0], words[1], words[2]);
}

static void words_message(struct rng *rng, size_t i, struct buffer *key, struct buffer *headers)
{
	char words[3][32];

	(void)rng;
	(void)headers;
	(void)words_of(i, words);
	buffer_printf(key, "%s.%s.%s", words[0], words[1], words[2]);
}

static void key_binding(struct rng *rng, size_t i, struct buffer *key, struct buffer *arguments)
{
	(void)rng;
	(void)arguments;
	buffer_printf(key, "some.routing.key.%zu", i);
}

static void weight_binding(struct rng *rng, size_t i, struct buffer *key, struct buffer *arguments)
{
	(void)i;
	(void)arguments;
	buffer_printf(key, "%zu", 1 + rng_below(rng, 3));
}

static void empty_binding(struct rng *rng, size_t i, struct buffer *key, struct buffer *arguments)
{
	(void)rng;
	(void)i;
	(void)key;
	(void)arguments;
}

static void put_headers(size_t i, const char *first, const char *first_value, bool is_wide,
			struct buffer *out)
{
	struct amqp_table_writer writer;
	char region[24];

	(void)snprintf(region, sizeof(region), "region%zu", i % 50);
	amqp_table_writer_init(&writer, out);
	amqp_table_put_string(&writer, first, slice_cstr(first_value));
	amqp_table_put_string(&writer, "region", slice_cstr(region));
	if (is_wide)
		amqp_table_put_int64(&writer, "customer", (int64_t)i);
	else
		amqp_table_put_int32(&writer, "customer", (int32_t)i);
	if (amqp_table_writer_finish(&writer) != 0)
		trace_fail("the tester itself: a table cannot be written");
}

static void headers_binding(struct rng *rng, size_t i, struct buffer *key, struct buffer *arguments)
{
	key_binding(rng, i, key, arguments);
	put_headers(i, "x-match", i % 2 ? "all" : "any", false, arguments);
}

static void key_message(struct rng *rng, size_t i, struct buffer *key, struct buffer *headers)
{
	key_binding(rng, i, key, headers);
	put_headers(i, "content-class", "invoice", true, headers);
}

/* ---- Any type ---- */

/* The first kind of bindings that the type does not refuse. */
void check_speed(struct subject *s)
{
	static const struct shape kinds[] = {
		{NULL, NULL, 0, false, headers_binding, key_message},
		{NULL, NULL, 0, false, words_binding, key_message},
		{NULL, NULL, 0, false, weight_binding, key_message},
		{NULL, NULL, 0, false, empty_binding, key_message},
	};
	static const size_t counts[] = {1, 1000, 100000};
	char name[32];

	s->is_plain = true;
	subject_start(s);
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		bool is_done = false;

		(void)snprintf(name, sizeof(name), "%zu bindings", counts[c]);
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]) && !is_done; k++) {
			struct shape shape = kinds[k];

			shape.name = name;
			shape.count = counts[c];
			is_done = speed_measure(s, &shape);
		}
		if (!is_done)
			trace_skip("it refuses all kinds of bindings that could be measured");
	}
	subject_stop(s);
}

/* ---- Known types ---- */

void check_bench(struct subject *s)
{
	static const struct shape shapes[] = {
		{"direct, random keys, 100000 bindings", "direct", 100000, false, key_binding,
		 key_message},
		{"fanout, 100000 bindings", "fanout", 100000, true, key_binding, key_message},
		{"topic, one match, 1000000 bindings", "topic", 1000000, false, words_binding,
		 words_message},
		{"headers, 1000 bindings", "headers", 1000, false, headers_binding, key_message},
	};
	bool is_known = false;

	s->is_plain = true;
	subject_start(s);
	for (size_t k = 0; k < sizeof(shapes) / sizeof(shapes[0]); k++)
		if (strcmp(shapes[k].type, s->type_name) == 0) {
			is_known = true;
			(void)speed_measure(s, &shapes[k]);
		}
	if (!is_known)
		trace_skip("there is no known shape for the type");
	subject_stop(s);
}
