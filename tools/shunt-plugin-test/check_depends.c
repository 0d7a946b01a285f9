/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <string.h>

#include "amqp/depends.h"
#include "amqp/properties.h"
#include "amqp/table.h"
#include "base/mem.h"
#include "instance.h"
#include "trace.h"

/*
 * `depends` is true: two messages that are equal in what it names, and in nothing else but by
 * chance, get the same answer.
 */

#define FIELDS_MAX (1024u * 1024)
#define TRIES	   8

/* A message, and others that are made from it. */
struct pair {
	struct depends depends;
	struct letter letters[2];
	uint8_t *answers[2];
	uint8_t *fields[2];
	size_t n;
};

static void pair_init(struct pair *pair, const struct shunt_exchange_type *type, size_t n)
{
	char fault[DEPENDS_FAULT_SIZE];

	*pair = (struct pair){.n = n};
	if (depends_read(type->depends, &pair->depends, fault, sizeof(fault)) != 0)
		trace_fail("it depends on %s", fault);
	for (unsigned k = 0; k < 2; k++) {
		letter_init(&pair->letters[k]);
		pair->answers[k] = mem_zalloc(n + 1);
		pair->fields[k] = mem_alloc(FIELDS_MAX);
	}
}

static void pair_fini(struct pair *pair)
{
	for (unsigned k = 0; k < 2; k++) {
		letter_fini(&pair->letters[k]);
		mem_free(pair->answers[k]);
		mem_free(pair->fields[k]);
	}
}

/* ---- Another message, with these fields of the first ---- */

static void take(struct buffer *to, const struct buffer *from)
{
	buffer_clear(to);
	buffer_append_slice(to, buffer_slice(from));
}

static bool is_named(const struct depends *depends, struct slice header)
{
	for (size_t i = 0; i < depends->n_fields; i++)
		if (depends->fields[i].kind == DEPENDS_HEADER &&
		    slice_equal(depends->fields[i].header, header))
			return true;
	return false;
}

/* The entries that are named, or that are not, as they lie there. */
static void add_headers(const struct depends *depends, struct slice headers, bool named,
			struct buffer *out)
{
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;

	amqp_table_iter_init(&iter, headers);
	for (;;) {
		const uint8_t *entry = iter.reader.p;

		if (amqp_table_iter_next(&iter, &key, &value) != 1)
			return;
		if (is_named(depends, key) == named)
			buffer_append(out, entry, (size_t)(iter.reader.p - entry));
	}
}

/* In the order of the wire, by which struct depends_field counts. */
static const struct {
	uint16_t flag;
	size_t offset, size;
} members[] = {
#define MEMBER(type, name, NAME, bit)                                                              \
	{1u << (bit), offsetof(struct amqp_properties, name),                                      \
	 sizeof(((struct amqp_properties *)0)->name)},
	AMQP_PROPERTIES(MEMBER)
#undef MEMBER
};

static void take_property(struct amqp_properties *to, const struct amqp_properties *from,
			  unsigned index)
{
	size_t offset = members[index].offset;

	to->flags = (uint16_t)((to->flags & ~members[index].flag) |
			       (from->flags & members[index].flag));
	memcpy((uint8_t *)to + offset, (const uint8_t *)from + offset, members[index].size);
}

static void decode(const struct letter *letter, struct amqp_properties *ret)
{
	if (amqp_properties_decode(ret, buffer_slice(&letter->properties)) != 0)
		trace_fail("the tester itself: properties cannot be read");
}

static void take_properties(const struct pair *pair, struct rng *rng, const struct letter *from,
			    struct letter *to)
{
	struct amqp_properties p, first;
	struct buffer headers, encoded;
	bool named_first = rng_one_in(rng, 2);

	buffer_init(&headers);
	buffer_init(&encoded);
	decode(from, &first);
	decode(to, &p);
	add_headers(&pair->depends, named_first ? first.headers : p.headers, named_first, &headers);
	add_headers(&pair->depends, named_first ? p.headers : first.headers, !named_first,
		    &headers);
	for (size_t i = 0; i < pair->depends.n_fields; i++)
		if (pair->depends.fields[i].kind == DEPENDS_PROPERTY)
			take_property(&p, &first, pair->depends.fields[i].property);
	p.headers = buffer_slice(&headers);
	if (headers.size > 0)
		p.flags |= AMQP_PROPERTY_HEADERS;
	if (amqp_properties_append(&p, &encoded) != 0)
		trace_fail("the tester itself: properties cannot be written");
	take(&to->properties, &encoded);
	buffer_fini(&headers);
	buffer_fini(&encoded);
}

static void make_other(struct pair *pair, struct scene *scene)
{
	const struct letter *from = &pair->letters[0];
	struct letter *to = &pair->letters[1];

	letter_make(to, scene);
	for (size_t i = 0; i < pair->depends.n_fields; i++) {
		if (pair->depends.fields[i].kind == DEPENDS_ROUTING_KEY)
			take(&to->key, &from->key);
		else if (pair->depends.fields[i].kind == DEPENDS_EXCHANGE)
			take(&to->exchange, &from->exchange);
		else if (pair->depends.fields[i].kind == DEPENDS_USER)
			take(&to->user, &from->user);
	}
	take_properties(pair, &scene->s->rng, from, to);
}

/* ---- Asking ---- */

/* False: the type says that this answer must not be remembered. */
static bool ask(struct pair *pair, const struct instance *i, unsigned which, uint8_t *answer,
		size_t *ret_size)
{
	const struct test_message *message = letter_post(&pair->letters[which]);

	*ret_size = depends_write(&pair->depends, &message->view, message->properties,
				  pair->fields[which], FIELDS_MAX);
	instance_route(i, message, answer);
	letter_revoke(message);
	return !trace_frame.answer_varies;
}

/* A type whose answers last for some time may have others at another time. */
static bool is_steady(struct pair *pair, const struct instance *i)
{
	uint8_t *again = mem_zalloc(pair->n + 1);
	bool same = true, counts = true;
	size_t size;

	for (unsigned t = 0; t < TRIES && same && counts; t++) {
		counts = ask(pair, i, 0, again, &size);
		same = memcmp(again, pair->answers[0], pair->n) == 0;
	}
	mem_free(again);
	if (!same && counts && i->s->type->depends_ms == 0)
		trace_fail("depends is not true: the same message, with the key %s, gets different "
			   "answers",
			   letter_quote(&pair->letters[0]));
	return same && counts;
}

static void compare(struct pair *pair, const struct instance *i)
{
	size_t sizes[2];
	const char *first;

	if (!ask(pair, i, 0, pair->answers[0], &sizes[0]) || !is_steady(pair, i))
		return;
	for (unsigned t = 0; t < TRIES; t++) {
		make_other(pair, i->scene);
		if (!ask(pair, i, 1, pair->answers[1], &sizes[1]))
			continue;
		if (sizes[0] != sizes[1] || memcmp(pair->fields[0], pair->fields[1], sizes[0]) != 0)
			trace_fail("the tester itself: fields were not kept");
		if (memcmp(pair->answers[0], pair->answers[1], pair->n) == 0 || !is_steady(pair, i))
			continue;
		first = letter_quote(&pair->letters[0]);
		trace_fail(
			"depends is not true: two messages that are equal in what it names, with "
			"the keys %s and %s, get different answers",
			first, letter_quote(&pair->letters[1]));
	}
}

static void depends_round(struct subject *s, unsigned round)
{
	size_t n = 1 + rng_below(&s->rng, 30);
	struct instance i;
	struct scene scene;
	struct pair pair;

	scene_init(&scene, s, n);
	pair_init(&pair, s->type, n);
	if (instance_create(&i, &scene, round + 1) == INSTANCE_DONE) {
		instance_stir(&i, n * 2);
		for (unsigned k = 0; k < 20; k++) {
			letter_make(&pair.letters[0], &scene);
			compare(&pair, &i);
		}
		instance_destroy(&i);
	}
	pair_fini(&pair);
	scene_fini(&scene);
}

void check_depends(struct subject *s)
{
	if (s->type->depends == NULL)
		trace_skip("the type does not set depends");
	for (unsigned round = 0; round < s->rounds; round++) {
		subject_round(s, round);
		depends_round(s, round);
	}
}
