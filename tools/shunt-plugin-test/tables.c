/* SPDX-License-Identifier: MIT */
#include "tables.h"

#include <math.h>
#include <string.h>

#include "amqp/argument_schema.h"
#include "amqp/table.h"
#include "amqp/table_writer.h"
#include "trace.h"

#define ENTRIES_MAX   5
#define DEPTH_MAX     5
#define DEPTH_DEEP    50
#define HUGE_STRING   70000
#define NAMELESS_HEAD 6 /* bytes of an entry without a name, before its contents */

static const char *const words[] = {"a",       "b",	     "c",	   "all",
				    "any",     "all-with-x", "any-with-x", "region",
				    "x-match", "customer",   "eu.west",	   ""};
#define N_WORDS (sizeof(words) / sizeof(words[0]))

/* ---- Values ---- */

static void huge_bytes(struct rng *rng, struct buffer *out)
{
	size_t size = rng_one_in(rng, 40) ? HUGE_STRING : rng_below(rng, 300);

	for (size_t i = 0; i < size; i++)
		buffer_append_byte(out, (uint8_t)rng_next(rng));
}

static void some_bytes(struct rng *rng, struct buffer *out)
{
	if (rng_one_in(rng, 8))
		huge_bytes(rng, out);
	else
		buffer_append_cstr(out, words[rng_below(rng, N_WORDS)]);
}

static int64_t some_integer(struct rng *rng)
{
	static const int64_t edges[] = {0, 1, -1, 2, 10, 255, 256, INT32_MAX, INT64_MAX, INT64_MIN};

	return rng_one_in(rng, 2) ? edges[rng_below(rng, 10)] : (int64_t)rng_below(rng, 20);
}

static double some_real(struct rng *rng)
{
	static const double edges[] = {0, -0.0, 1.5, 1e300, -1e-300, 3};

	if (rng_one_in(rng, 8))
		return rng_one_in(rng, 2) ? (double)NAN : (double)INFINITY;
	return edges[rng_below(rng, 6)];
}

static void make_nested(struct rng *rng, char type, unsigned depth, struct buffer *out);

static void make_value(struct rng *rng, char type, unsigned depth, struct buffer *memory,
		       struct amqp_value *ret)
{
	*ret = (struct amqp_value){.type = type};
	switch (type) {
	case 't':
		ret->boolean = rng_one_in(rng, 2);
		break;
	case 'f':
	case 'd':
		ret->real = some_real(rng);
		break;
	case 'D':
		ret->decimal.scale = (uint8_t)rng_below(rng, 256);
		ret->decimal.value = (uint32_t)some_integer(rng);
		break;
	case 'T':
		ret->timestamp = (uint64_t)some_integer(rng);
		break;
	case 'S':
	case 'x':
		some_bytes(rng, memory);
		break;
	case 'F':
	case 'A':
		make_nested(rng, type, depth, memory);
		break;
	case 'V':
		break;
	default:
		ret->integer = some_integer(rng);
		break;
	}
	if (strchr("SxFA", type) != NULL)
		ret->bytes = buffer_slice(memory);
}

static char some_type(struct rng *rng, unsigned depth)
{
	static const char types[] = "SSSSIlltbsuLBifdDTxVFA";

	return types[rng_below(rng, sizeof(types) - (depth > 0 ? 1 : 3))];
}

static void put_nested(struct rng *rng, struct amqp_table_writer *writer, char type, unsigned depth)
{
	size_t n = depth > DEPTH_MAX ? 1 : rng_below(rng, 3);

	for (size_t i = 0; i < n; i++) {
		struct amqp_value value;
		struct buffer memory;

		buffer_init(&memory);
		make_value(rng, depth > DEPTH_MAX ? type : some_type(rng, depth), depth - 1,
			   &memory, &value);
		if (type == 'F')
			amqp_table_put_value(writer, slice_cstr(words[rng_below(rng, N_WORDS)]),
					     &value);
		else
			amqp_array_put_value(writer, &value);
		buffer_fini(&memory);
	}
}

/* The raw table or array: what an entry without a name has after name, type and length. */
static void make_nested(struct rng *rng, char type, unsigned depth, struct buffer *out)
{
	struct amqp_table_writer writer;
	struct buffer entry;

	buffer_init(&entry);
	amqp_table_writer_init(&writer, &entry);
	if (type == 'F')
		amqp_table_begin_table(&writer, "");
	else
		amqp_table_begin_array(&writer, "");
	if (depth > 0)
		put_nested(rng, &writer, type, depth);
	amqp_table_end(&writer);
	if (amqp_table_writer_finish(&writer) != 0)
		trace_fail("the tester itself: a table cannot be written");
	buffer_append(out, entry.data + NAMELESS_HEAD, entry.size - NAMELESS_HEAD);
	buffer_fini(&entry);
}

/* ---- Entries ---- */

static void put_random(struct rng *rng, struct amqp_table_writer *writer, struct slice name,
		       char type)
{
	struct amqp_value value;
	struct buffer memory;

	buffer_init(&memory);
	make_value(rng, type, rng_one_in(rng, 100) ? DEPTH_DEEP : 3, &memory, &value);
	amqp_table_put_value(writer, name, &value);
	buffer_fini(&memory);
}

static int64_t between(struct rng *rng, int64_t minimum, int64_t maximum)
{
	uint64_t range = (uint64_t)maximum - (uint64_t)minimum;

	if (rng_one_in(rng, 4))
		return rng_one_in(rng, 2) ? minimum : maximum;
	/* small numbers are what is meant most often */
	if (range > 100 && rng_one_in(rng, 2))
		range = 100;
	return (int64_t)((uint64_t)minimum +
			 (range == UINT64_MAX ? rng_next(rng) : rng_next(rng) % (range + 1)));
}

static void put_fitting_string(struct rng *rng, struct amqp_table_writer *writer,
			       const struct shunt_argument *argument)
{
	bool is_bounded = argument->minimum != 0 || argument->maximum != 0;
	struct buffer text;
	size_t n = 0;

	buffer_init(&text);
	while (argument->choices != NULL && argument->choices[n] != NULL)
		n++;
	if (n > 0)
		buffer_append_cstr(&text, argument->choices[rng_below(rng, n)]);
	else if (is_bounded)
		for (n = (size_t)between(rng, argument->minimum,
					 argument->maximum > 1000 ? 1000 : argument->maximum);
		     n > 0; n--)
			buffer_append_byte(&text, (uint8_t)('a' + rng_below(rng, 26)));
	else
		some_bytes(rng, &text);
	amqp_table_put_string(writer, argument->name, buffer_slice(&text));
	buffer_fini(&text);
}

static void put_fitting(struct rng *rng, struct amqp_table_writer *writer,
			const struct shunt_argument *argument)
{
	bool is_bounded = argument->minimum != 0 || argument->maximum != 0;
	int64_t number =
		is_bounded ? between(rng, argument->minimum, argument->maximum) : some_integer(rng);

	switch (argument->type) {
	case SHUNT_ARGUMENT_BOOLEAN:
		amqp_table_put_bool(writer, argument->name, rng_one_in(rng, 2));
		break;
	case SHUNT_ARGUMENT_INTEGER:
	case SHUNT_ARGUMENT_NUMBER:
		if (number >= INT32_MIN && number <= INT32_MAX && rng_one_in(rng, 2))
			amqp_table_put_int32(writer, argument->name, (int32_t)number);
		else
			amqp_table_put_int64(writer, argument->name, number);
		break;
	case SHUNT_ARGUMENT_STRING:
		put_fitting_string(rng, writer, argument);
		break;
	case SHUNT_ARGUMENT_TABLE:
		put_random(rng, writer, slice_cstr(argument->name), 'F');
		break;
	case SHUNT_ARGUMENT_ARRAY:
		put_random(rng, writer, slice_cstr(argument->name), 'A');
		break;
	case SHUNT_ARGUMENT_ANY:
		put_random(rng, writer, slice_cstr(argument->name), some_type(rng, 1));
		break;
	}
}

/* Of those that the plugin has looked for, or any. */
static void put_unknown(struct subject *s, struct amqp_table_writer *writer)
{
	size_t known = atomic_load(&s->world->n_names);
	uint8_t odd[255];
	struct slice name = slice_cstr(words[rng_below(&s->rng, N_WORDS)]);

	if (known > 0 && rng_one_in(&s->rng, 2))
		name = slice_cstr(s->world->names[rng_below(&s->rng, known)]);
	else if (rng_one_in(&s->rng, 6)) {
		name = slice_make(odd, rng_below(&s->rng, sizeof(odd) + 1));
		for (size_t i = 0; i < name.size; i++)
			odd[i] = (uint8_t)rng_next(&s->rng);
	}
	put_random(&s->rng, writer, name, some_type(&s->rng, 1));
}

void table_make(struct subject *s, const struct shunt_argument *description, enum table_mood mood,
		struct buffer *out)
{
	struct amqp_table_writer writer;
	struct rng *rng = &s->rng;
	size_t others = mood == TABLE_WILD ? rng_below(rng, ENTRIES_MAX) : 0;

	amqp_table_writer_init(&writer, out);
	for (; description != NULL && description->name != NULL; description++) {
		bool is_wild = mood == TABLE_WILD && rng_one_in(rng, 3);

		if (is_wild && rng_one_in(rng, 2))
			put_random(rng, &writer, slice_cstr(description->name), some_type(rng, 1));
		else if (!is_wild && (description->required || rng_one_in(rng, 2)))
			put_fitting(rng, &writer, description);
	}
	while (others-- > 0)
		put_unknown(s, &writer);
	if (amqp_table_writer_finish(&writer) != 0)
		trace_fail("the tester itself: a table cannot be written");
}

void table_make_headers(struct subject *s, struct slice arguments, struct buffer *out)
{
	struct amqp_table_writer writer;
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;

	amqp_table_writer_init(&writer, out);
	amqp_table_iter_init(&iter, arguments);
	while (amqp_table_iter_next(&iter, &key, &value) == 1)
		if (!rng_one_in(&s->rng, 5))
			amqp_table_put_value(&writer, key, &value);
	while (rng_one_in(&s->rng, 2))
		put_unknown(s, &writer);
	if (amqp_table_writer_finish(&writer) != 0)
		trace_fail("the tester itself: a table cannot be written");
}

/* ---- Descriptions ---- */

bool table_is_accepted(const struct shunt_argument *description, struct slice table)
{
	const struct argument_place place = {"exchange", SLICE_LITERAL("tested"),
					     SLICE_LITERAL("/")};
	struct amqp_error error;

	return amqp_table_validate(table, AMQP_TABLE_DEPTH_MAX) == 0 &&
	       argument_schema_check(description, table, &place, &error) == 0;
}

void table_check_description(const struct shunt_argument *description, const char *which)
{
	const char *fault;

	for (const struct shunt_argument *argument = description;
	     argument != NULL && argument->name != NULL; argument++) {
		const struct shunt_argument alone[] = {*argument, {.name = NULL}};

		fault = argument_schema_fault(alone);
		if (fault != NULL)
			trace_fail("the %s argument '%s': %s", which, argument->name, fault);
		if (argument->help == NULL || strchr(argument->help, '\n') != NULL)
			trace_fail("the %s argument '%s' has no help of one line", which,
				   argument->name);
	}
	fault = argument_schema_fault(description);
	if (fault != NULL)
		trace_fail("the %s arguments: %s", which, fault);
}
