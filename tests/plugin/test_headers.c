/* SPDX-License-Identifier: MIT */
#include "exchange_case.h"

#include "../unit/unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- A model ---- */

static bool is_number(char type)
{
	return strchr("bBsuIilLTfd", type) != NULL;
}

static double number_of(const struct shunt_value *value)
{
	return value->type == 'f' || value->type == 'd' ? value->real : (double)value->integer;
}

/* For the simple values that the model makes. */
static bool simple_equal(const struct shunt_value *a, const struct shunt_value *b)
{
	if (is_number(a->type) && is_number(b->type))
		return number_of(a) == number_of(b);
	if (a->type == 't' && b->type == 't')
		return a->boolean == b->boolean;
	if (strchr("Sx", a->type) && strchr("Sx", b->type))
		return a->bytes.size == b->bytes.size &&
		       memcmp(a->bytes.data, b->bytes.data, a->bytes.size) == 0;
	return a->type == b->type;
}

static bool name_is(struct shunt_bytes name, const char *text)
{
	return name.size == strlen(text) && memcmp(name.data, text, name.size) == 0;
}

static bool find(struct shunt_bytes table, struct shunt_bytes name, struct shunt_value *ret_value)
{
	struct shunt_bytes text;
	struct shunt_value value;
	size_t position = 0;

	while (fake_table_next(table, &position, &text, &value)) {
		if (text.size == name.size && memcmp(text.data, name.data, name.size) == 0) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static bool matches(const struct shunt_binding *binding, const struct case_message *message)
{
	struct shunt_bytes headers = fake_table_bytes(&message->headers);
	struct shunt_bytes name, mode = {(const uint8_t *)"all", 3};
	struct shunt_value value, header;
	size_t position = 0;
	bool all = true, any = false, with_x;

	if (find(binding->arguments, (struct shunt_bytes){(const uint8_t *)"x-match", 7}, &value))
		mode = value.bytes;
	with_x = mode.size > 3;
	while (fake_table_next(binding->arguments, &position, &name, &value)) {
		bool holds;

		if (name_is(name, "x-match") ||
		    (!with_x && name.size >= 2 && memcmp(name.data, "x-", 2) == 0))
			continue;
		holds = find(headers, name, &header) &&
			(value.type == 'V' || simple_equal(&value, &header));
		all &= holds;
		any |= holds;
	}
	return mode.data[1] == 'l' ? all : any;
}

static void put_random(uint64_t *random, struct fake_table *table, const char *name)
{
	static const char integers[] = "bBsuIilLT";
	uint64_t r = case_random(random);
	int64_t small = (int64_t)(r / 1024 % 3);

	switch (r % 6) {
	case 0:
	case 1:
		fake_table_put(table, name, integers[r / 8 % 9], small);
		break;
	case 2:
		fake_table_put_real(table, name, r & 64 ? 'd' : 'f', (double)small / 2);
		break;
	case 3:
		fake_table_put_bytes(table, name, r & 64 ? 'S' : 'x', "text", (size_t)small);
		break;
	case 4:
		fake_table_put(table, name, 't', small % 2);
		break;
	default:
		fake_table_put(table, name, 'V', 0);
		break;
	}
}

static void put_random_table(uint64_t *random, struct fake_table *table)
{
	static const char *const names[] = {"a", "b", "c", "x-a", "x-b", "x", "a-longer-name"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (case_random(random) % 3 == 0)
			put_random(random, table, names[i]);
}

static void make_binding(uint64_t *random, struct case_binding *binding)
{
	static const char *const modes[] = {"all", "any", "all-with-x", "any-with-x"};
	uint64_t r = case_random(random);

	if (r % 8 < 4)
		fake_table_put_text(&binding->arguments, "x-match", modes[r % 4]);
	put_random_table(random, &binding->arguments);
	if (r % 8 == 4)
		fake_table_put_text(&binding->arguments, "x-match", modes[r / 8 % 4]);
}

static void make_message(uint64_t *random, struct case_message *message)
{
	put_random_table(random, &message->headers);
}

static const struct case_model model = {make_binding, make_message, matches, NULL};

/* ---- Meaning ---- */

/* A value as on the wire. */
struct raw {
	unsigned class;
	const char *data;
	size_t size;
};

#define RAW(text) text, sizeof(text) - 1

/*
 * Values of one class are equal, others are not, but for the void in a binding, which equals
 * everything: found by trying each pair with RabbitMQ 3.10.8.
 */
/* clang-format off */
static const struct raw values[] = {
	{1, RAW("b\x01")}, /* b1 */
	{1, RAW("B\x01")}, /* B1 */
	{1, RAW("s\x00\x01")}, /* s1 */
	{1, RAW("u\x00\x01")}, /* u1 */
	{1, RAW("I\x00\x00\x00\x01")}, /* I1 */
	{1, RAW("i\x00\x00\x00\x01")}, /* i1 */
	{1, RAW("l\x00\x00\x00\x00\x00\x00\x00\x01")}, /* l1 */
	{1, RAW("L\x00\x00\x00\x00\x00\x00\x00\x01")}, /* L1 */
	{1, RAW("f\x3f\x80\x00\x00")}, /* f1 */
	{1, RAW("d\x3f\xf0\x00\x00\x00\x00\x00\x00")}, /* d1 */
	{1, RAW("T\x00\x00\x00\x00\x00\x00\x00\x01")}, /* T1 */
	{2, RAW("t\x01")}, /* t1 */
	{2, RAW("t\x02")}, /* t2 */
	{3, RAW("t\x00")}, /* t0 */
	{4, RAW("D\x00\x00\x00\x00\x01")}, /* D1 */
	{5, RAW("D\x01\x00\x00\x00\x0a")}, /* D10 */
	{6, RAW("S\x00\x00\x00\x01" "1")}, /* S1 */
	{6, RAW("x\x00\x00\x00\x01" "1")}, /* x1 */
	{7, RAW("S\x00\x00\x00\x00")}, /* S */
	{7, RAW("x\x00\x00\x00\x00")}, /* x */
	{8, RAW("b\xff")}, /* b-1 */
	{8, RAW("I\xff\xff\xff\xff")}, /* I-1 */
	{8, RAW("l\xff\xff\xff\xff\xff\xff\xff\xff")}, /* l-1 */
	{8, RAW("d\xbf\xf0\x00\x00\x00\x00\x00\x00")}, /* d-1 */
	{9, RAW("B\xff")}, /* B255 */
	{10, RAW("i\xff\xff\xff\xff")}, /* i4294967295 */
	{11, RAW("T\xff\xff\xff\xff\xff\xff\xff\xff")}, /* T-1 */
	{12, RAW("l\x00\x20\x00\x00\x00\x00\x00\x01")}, /* l2^53+1 */
	{13, RAW("dC@\x00\x00\x00\x00\x00\x00")}, /* d2^53 */
	{13, RAW("l\x00\x20\x00\x00\x00\x00\x00\x00")}, /* l2^53 */
	{14, RAW("dC\xf0\x00\x00\x00\x00\x00\x00")}, /* d2^64 */
	{15, RAW("dC\xef\xff\xff\xff\xff\xff\xff")}, /* dT */
	{15, RAW("T\xff\xff\xff\xff\xff\xff\xf8\x00")}, /* T64 */
	{16, RAW("d\x00\x00\x00\x00\x00\x00\x00\x00")}, /* d0 */
	{16, RAW("d\x80\x00\x00\x00\x00\x00\x00\x00")}, /* d-0 */
	{16, RAW("I\x00\x00\x00\x00")}, /* I0 */
	{17, RAW("f=\xcc\xcc\xcd")}, /* f.1 */
	{17, RAW("d\x3f\xb9\x99\x99\xa0\x00\x00\x00")}, /* d.1f */
	{18, RAW("d\x3f\xb9\x99\x99\x99\x99\x99\x9a")}, /* d.1 */
	{19, RAW("A\x00\x00\x00\x00")}, /* A[] */
	{19, RAW("F\x00\x00\x00\x00")}, /* F{} */
	{20, RAW("A\x00\x00\x00\x05I\x00\x00\x00\x01")}, /* A[I1] */
	{21, RAW("A\x00\x00\x00\x09l\x00\x00\x00\x00\x00\x00\x00\x01")}, /* A[l1] */
	{21, RAW("A\x00\x00\x00\x09L\x00\x00\x00\x00\x00\x00\x00\x01")}, /* A[L1] */
	{22, RAW("A\x00\x00\x00\x09" "d\x3f\xf0\x00\x00\x00\x00\x00\x00")}, /* A[d1] */
	{23, RAW("A\x00\x00\x00\x09" "d\x00\x00\x00\x00\x00\x00\x00\x00")}, /* A[d0] */
	{23, RAW("A\x00\x00\x00\x09" "d\x80\x00\x00\x00\x00\x00\x00\x00")}, /* A[d-0] */
	{24, RAW("A\x00\x00\x00\x06S\x00\x00\x00\x01" "1")}, /* A[S1] */
	{25, RAW("A\x00\x00\x00\x06x\x00\x00\x00\x01" "1")}, /* A[x1] */
	{26, RAW("A\x00\x00\x00\x0aI\x00\x00\x00\x01I\x00\x00\x00\x02")}, /* A[I1,I2] */
	{27, RAW("A\x00\x00\x00\x0aI\x00\x00\x00\x02I\x00\x00\x00\x01")}, /* A[I2,I1] */
	{28, RAW("F\x00\x00\x00\x07\x01" "aI\x00\x00\x00\x01")}, /* F{a:I1} */
	{29, RAW("F\x00\x00\x00\x0b\x01" "al\x00\x00\x00\x00\x00\x00\x00\x01")}, /* F{a:l1} */
	{30, RAW("F\x00\x00\x00\x0e\x01" "aI\x00\x00\x00\x01\x01" "bI\x00\x00\x00\x01")}, /* F{a1b1} */
	{31, RAW("F\x00\x00\x00\x0e\x01" "bI\x00\x00\x00\x01\x01" "aI\x00\x00\x00\x01")}, /* F{b1a1} */
	{32, RAW("A\x00\x00\x00\x01V")}, /* A[V] */
	{33, RAW("A\x00\x00\x00\x02t\x01")}, /* A[t1] */
	{33, RAW("A\x00\x00\x00\x02t\x02")}, /* A[t2] */
	{34, RAW("A\x00\x00\x00\x05" "f=\xcc\xcc\xcd")}, /* A[f.1] */
	{35, RAW("A\x00\x00\x00\x09" "d\x3f\xb9\x99\x99\xa0\x00\x00\x00")}, /* A[d.1f] */
	{36, RAW("A\x00\x00\x00\x0a" "A\x00\x00\x00\x05I\x00\x00\x00\x01")}, /* A[A[I1]] */
	{37, RAW("A\x00\x00\x00\x0c" "F\x00\x00\x00\x07\x01" "aI\x00\x00\x00\x01")}, /* A[F{a:I1}] */
	{38, RAW("S\x00\x00\x00\x04true")}, /* Strue */
	{39, RAW("S\x00\x00\x00\x09undefined")}, /* Sundef */
	{40, RAW("V")}, /* V */
};
/* clang-format on */

#define VALUES (sizeof(values) / sizeof(values[0]))

static void put_raw(struct fake_table *table, const char *name, const struct raw *raw)
{
	fake_table_put_raw(table, name, raw->data, raw->size);
}

static void values_compare_as_in_rabbitmq(void)
{
	struct exchange_case c;

	case_open(&c, NULL, VALUES);
	for (size_t i = 0; i < VALUES; i++) {
		put_raw(&c.bindings[i].arguments, "k", &values[i]);
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	}
	for (size_t m = 0; m < VALUES; m++) {
		struct case_message message = {0};
		size_t count;

		fake_table_put_text(&message.headers, "other", "header");
		put_raw(&message.headers, "k", &values[m]);
		count = case_route(&c, &message);
		for (size_t i = 0; i < VALUES; i++) {
			bool equal = values[i].class == values[m].class || values[i].data[0] == 'V';

			if (case_answered(&c, count, i) != equal)
				(void)fprintf(stderr, "binding %zu, message %zu\n", i, m);
			CU_ASSERT_EQUAL(case_answered(&c, count, i), equal);
		}
		case_message_fini(&message);
	}
	case_close(&c);
}

/* Not-a-number equals nothing, itself included (RabbitMQ cannot read it at all). */
static void not_a_number_matches_nothing(void)
{
	struct case_message message = {0};
	struct exchange_case c;

	case_open(&c, NULL, 1);
	fake_table_put_real(&c.bindings[0].arguments, "k", 'd', (double)NAN);
	CU_ASSERT_EQUAL_FATAL(case_bind(&c, 0), 0);
	fake_table_put_real(&message.headers, "k", 'd', (double)NAN);
	CU_ASSERT_EQUAL(case_route(&c, &message), 0);
	case_message_fini(&message);
	case_close(&c);
}

/* "name=number name name=number": integers, void where there is no number. */
static void put_list(struct fake_table *table, const char *list)
{
	char text[100], *rest, *word;

	(void)snprintf(text, sizeof(text), "%s", list);
	for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *equals = strchr(word, '=');

		if (equals)
			*equals = '\0';
		fake_table_put(table, word, equals ? 'I' : 'V', equals ? equals[1] - '0' : 0);
	}
}

static bool routes(const char *mode, const char *arguments, const char *headers)
{
	struct case_message message = {0};
	struct exchange_case c;
	size_t count;

	case_open(&c, NULL, 1);
	put_list(&c.bindings[0].arguments, arguments);
	if (mode)
		fake_table_put_text(&c.bindings[0].arguments, "x-match", mode);
	CU_ASSERT_EQUAL_FATAL(case_bind(&c, 0), 0);
	put_list(&message.headers, headers);
	count = case_route(&c, &message);
	case_message_fini(&message);
	case_close(&c);
	return count == 1;
}

static void all_wants_every_argument(void)
{
	CU_ASSERT(routes(NULL, "a=1 b=2", "b=2 c=3 a=1"));
	CU_ASSERT(routes("all", "a=1 b=2", "b=2 a=1"));
	CU_ASSERT(!routes("all", "a=1 b=2", "a=1"));
	CU_ASSERT(!routes("all", "a=1 b=2", "a=1 b=3"));
	CU_ASSERT(!routes("all", "a=1", ""));
}

static void any_wants_one_argument(void)
{
	CU_ASSERT(routes("any", "a=1 b=2", "b=2"));
	CU_ASSERT(routes("any", "a=1 b=2", "a=2 b=2"));
	CU_ASSERT(!routes("any", "a=1 b=2", "a=2 b=1"));
	CU_ASSERT(!routes("any", "a=1 b=2", ""));
}

static void no_arguments_match_all_or_nothing(void)
{
	CU_ASSERT(routes(NULL, "", ""));
	CU_ASSERT(routes("all", "", "a=1"));
	CU_ASSERT(routes("all-with-x", "", "a=1"));
	CU_ASSERT(!routes("any", "", "a=1"));
	CU_ASSERT(!routes("any-with-x", "", ""));
}

static void void_wants_the_name_only(void)
{
	CU_ASSERT(routes("all", "a", "a=1"));
	CU_ASSERT(routes("all", "a", "a"));
	CU_ASSERT(!routes("all", "a", "b=1"));
	CU_ASSERT(routes("all", "a b=1", "a=5 b=1"));
	CU_ASSERT(!routes("all", "a b=1", "a=5 b=2"));
	CU_ASSERT(!routes("all", "a b=1", "b=1"));
	CU_ASSERT(routes("any", "a b", "b=1"));
	CU_ASSERT(!routes("all", "a=1", "a"));
}

static void names_with_x_count_with_x_only(void)
{
	CU_ASSERT(routes("all", "x-a=1 k=1", "k=1"));
	CU_ASSERT(routes("all", "x-a=1", ""));
	CU_ASSERT(routes("all", "x-=1", ""));
	CU_ASSERT(!routes("any", "x-a=1", "x-a=1"));
	CU_ASSERT(!routes("all", "X-a=1", ""));
	CU_ASSERT(!routes("all", "x=1", ""));
	CU_ASSERT(!routes("all-with-x", "x-a=1 k=1", "k=1"));
	CU_ASSERT(routes("all-with-x", "x-a=1 k=1", "k=1 x-a=1"));
	CU_ASSERT(routes("any-with-x", "x-a=1 k=1", "x-a=1"));
	CU_ASSERT(!routes("any-with-x", "", "x-match=1"));
}

/* RabbitMQ 3.10: the first of several headers of one name. */
static void of_equal_names_the_first_counts(void)
{
	CU_ASSERT(routes("all", "a=1", "a=1 a=2"));
	CU_ASSERT(!routes("all", "a=2", "a=1 a=2"));
	CU_ASSERT(routes("any", "a=1 a=2", "a=1"));
	CU_ASSERT(!routes("all", "a=1 a=2", "a=1"));
}

/* A binding that was not validated, because it is replayed. */
static void unknown_modes_are_all(void)
{
	CU_ASSERT(routes("some", "a=1", "a=1"));
	CU_ASSERT(!routes("some", "a=1 b=1", "a=1"));
}

/* ---- Validation ---- */

static void refuses(struct fake_table *arguments, const char *text)
{
	struct shunt_binding binding = {.size = sizeof(binding),
					.arguments = fake_table_bytes(arguments)};
	struct shunt_error error = {0};
	struct exchange_case c;
	int result;

	case_open(&c, NULL, 1);
	result = c.host.type->validate_binding(c.state, &binding, &error);
	if (text) {
		CU_ASSERT_EQUAL(result, -1);
		CU_ASSERT_EQUAL(error.code, SHUNT_PRECONDITION_FAILED);
		CU_ASSERT_STRING_EQUAL(error.text, text);
	} else {
		CU_ASSERT_EQUAL(result, 0);
	}
	case_close(&c);
	fake_table_fini(arguments);
}

static void accepts_the_four_modes(void)
{
	static const char *const modes[] = {"all", "any", "all-with-x", "any-with-x"};
	struct fake_table arguments = {0};

	refuses(&arguments, NULL);
	for (size_t i = 0; i < 4; i++) {
		fake_table_put_text(&arguments, "x-match", modes[i]);
		refuses(&arguments, NULL);
	}
}

static void refuses_other_modes_in_rabbitmqs_words(void)
{
	static const struct {
		const char *mode, *shown;
	} rows[] = {
		{"foo", "<<\"foo\">>"},
		{"ALL", "<<\"ALL\">>"},
		{"", "<<>>"},
		{"\x01\x02", "<<1,2>>"},
		{"a\"b\\\n", "<<\"a\\\"b\\\\\\n\">>"},
		{"fo\"o\n\x07", "<<102,111,34,111,10,7>>"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_table arguments = {0};
		char text[254];

		(void)snprintf(text, sizeof(text),
			       "Invalid x-match field value %s; "
			       "expected all, any, all-with-x, or any-with-x",
			       rows[i].shown);
		fake_table_put_text(&arguments, "x-match", rows[i].mode);
		refuses(&arguments, text);
	}
}

static void refuses_other_types_in_rabbitmqs_words(void)
{
	static const struct {
		struct raw value;
		const char *shown;
	} rows[] = {
		{{0, RAW("I\0\0\0\x01")}, "signedint (value 1)"},
		{{0, RAW("l\0\0\0\0\0\0\0\x01")}, "long (value 1)"},
		{{0, RAW("b\xff")}, "byte (value -1)"},
		{{0, RAW("B\xff")}, "unsignedbyte (value 255)"},
		{{0, RAW("s\0\x01")}, "short (value 1)"},
		{{0, RAW("u\0\x01")}, "unsignedshort (value 1)"},
		{{0, RAW("i\xff\xff\xff\xff")}, "unsignedint (value 4294967295)"},
		{{0, RAW("T\xff\xff\xff\xff\xff\xff\xff\xff")},
		 "timestamp (value 18446744073709551615)"},
		{{0, RAW("f\x3d\xcc\xcc\xcd")}, "float (value 0.10000000149011612)"},
		{{0, RAW("d\x3f\xf0\0\0\0\0\0\0")}, "double (value 1.0)"},
		{{0, RAW("d\x43\xf0\0\0\0\0\0\0")}, "double (value 1.8446744073709552e19)"},
		{{0, RAW("t\x01")}, "bool (value true)"},
		{{0, RAW("t\0")}, "bool (value false)"},
		{{0, RAW("D\0\0\0\0\x01")}, "decimal (value {0,1})"},
		{{0, RAW("x\0\0\0\x03"
			 "all")},
		 "binary (value <<\"all\">>)"},
		{{0, RAW("V")}, "void (value undefined)"},
		{{0, RAW("A\0\0\0\0")}, "array (value [])"},
		{{0, RAW("F\0\0\0\0")}, "table (value [])"},
		{{0, RAW("A\0\0\0\x0f"
			 "A\0\0\0\x05I\0\0\0\x01I\0\0\0\x02")},
		 "array (value [{array,[{signedint,1}]},{signedint,2}])"},
		{{0, RAW("F\0\0\0\x07\x01"
			 "aI\0\0\0\x01")},
		 "table (value [{<<\"a\">>,signedint,1}])"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_table arguments = {0};
		char text[254];

		(void)snprintf(text, sizeof(text),
			       "Invalid x-match field type %s; expected longstr", rows[i].shown);
		put_raw(&arguments, "x-match", &rows[i].value);
		refuses(&arguments, text);
	}
}

static void long_values_are_cut(void)
{
	struct fake_table arguments = {0};
	char mode[301], text[254];

	memset(mode, 'a', 300);
	mode[300] = '\0';
	(void)snprintf(text, sizeof(text), "Invalid x-match field value <<\"%.220s", mode);
	CU_ASSERT_EQUAL(strlen(text), 251);
	(void)snprintf(text + 251, sizeof(text) - 251, "aa");
	fake_table_put_text(&arguments, "x-match", mode);
	refuses(&arguments, text);
}

/* ---- Changes ---- */

static void agrees_with_the_model(void)
{
	struct exchange_case c;

	case_open(&c, &model, 200);
	case_run_random(&c, 1, 6000);
	case_close(&c);
}

static void agrees_when_all_hashes_collide(void)
{
	struct exchange_case c;

	case_open(&c, &model, 100);
	c.host.hash_mask = 0;
	case_run_random(&c, 2, 3000);
	case_close(&c);
}

static void survives_failing_allocations(void)
{
	struct exchange_case c;

	case_open(&c, &model, 60);
	case_run_memory(&c, 3, 600);
	case_close(&c);
}

static void destroy_frees_what_is_bound(void)
{
	struct exchange_case c;
	uint64_t random = 4;

	case_open(&c, &model, 500);
	for (size_t i = 0; i < 500; i++) {
		make_binding(&random, &c.bindings[i]);
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	}
	case_close(&c);
}

static void routes_on_several_loops_at_once(void)
{
	struct exchange_case c;

	case_open(&c, &model, 200);
	case_run_threads(&c, 5, 2000);
	case_close(&c);
}

/* Or a message costs as much for each key of its CC and BCC headers, of which a frame holds 20 000. */
static void is_asked_once_for_all_keys(void)
{
	struct exchange_case c;

	case_open(&c, NULL, 1);
	CU_ASSERT(c.host.type->routes_by_first_key);
	case_close(&c);
}

UNIT_MAIN("exchange-headers", UNIT_TEST(is_asked_once_for_all_keys), UNIT_TEST(values_compare_as_in_rabbitmq),
	  UNIT_TEST(not_a_number_matches_nothing), UNIT_TEST(all_wants_every_argument),
	  UNIT_TEST(any_wants_one_argument), UNIT_TEST(no_arguments_match_all_or_nothing),
	  UNIT_TEST(void_wants_the_name_only), UNIT_TEST(names_with_x_count_with_x_only),
	  UNIT_TEST(of_equal_names_the_first_counts), UNIT_TEST(unknown_modes_are_all),
	  UNIT_TEST(accepts_the_four_modes), UNIT_TEST(refuses_other_modes_in_rabbitmqs_words),
	  UNIT_TEST(refuses_other_types_in_rabbitmqs_words), UNIT_TEST(long_values_are_cut),
	  UNIT_TEST(agrees_with_the_model), UNIT_TEST(agrees_when_all_hashes_collide),
	  UNIT_TEST(survives_failing_allocations), UNIT_TEST(destroy_frees_what_is_bound),
	  UNIT_TEST(routes_on_several_loops_at_once))
