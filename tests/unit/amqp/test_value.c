/* SPDX-License-Identifier: MIT */
#include "amqp/value.h"

#include <math.h>

#include "amqp/table.h"
#include "tables.h"

#include "../unit.h"

static struct amqp_value integer(char type, int64_t number)
{
	return (struct amqp_value){.type = type, .integer = number};
}

static struct amqp_value real(char type, double number)
{
	return (struct amqp_value){.type = type, .real = number};
}

static struct amqp_value bytes(char type, struct slice slice)
{
	return (struct amqp_value){.type = type, .bytes = slice};
}

static bool equal(struct amqp_value a, struct amqp_value b)
{
	bool is_equal = amqp_value_equal(&a, &b);

	CU_ASSERT_EQUAL(amqp_value_equal(&b, &a), is_equal);
	return is_equal;
}

static void integers_of_all_types_are_one(void)
{
	static const char types[] = "bBsuIilL";
	int64_t number = 0;
	struct amqp_value value;
	size_t i;
	size_t j;

	for (i = 0; i < sizeof(types) - 1; i++) {
		for (j = 0; j < sizeof(types) - 1; j++) {
			CU_ASSERT_TRUE(equal(integer(types[i], 7), integer(types[j], 7)));
			CU_ASSERT_FALSE(equal(integer(types[i], 7), integer(types[j], 8)));
		}
		value = integer(types[i], 42);
		CU_ASSERT_TRUE(amqp_value_is_integer(&value));
		CU_ASSERT_TRUE(amqp_value_get_integer(&value, &number));
		CU_ASSERT_EQUAL(number, 42);
	}
	value = real('d', 3);
	CU_ASSERT_FALSE(amqp_value_get_integer(&value, &number));
	CU_ASSERT_EQUAL(number, 42);
}

static void classes_of_types_differ(void)
{
	struct amqp_value timestamp = {.type = 'T', .timestamp = 7};
	struct amqp_value boolean = {.type = 't', .boolean = true};
	struct amqp_value nothing = {.type = 'V'};

	CU_ASSERT_TRUE(equal(real('f', 1.5), real('d', 1.5)));
	CU_ASSERT_FALSE(equal(real('f', 1.5), real('d', 2)));
	CU_ASSERT_FALSE(equal(integer('I', 7), real('d', 7)));
	CU_ASSERT_FALSE(equal(integer('l', 7), timestamp));
	CU_ASSERT_FALSE(equal(integer('b', 1), boolean));
	CU_ASSERT_FALSE(equal(nothing, boolean));
	CU_ASSERT_TRUE(equal(nothing, nothing));
	CU_ASSERT_FALSE(equal(bytes('S', SLICE_LITERAL("a")), bytes('x', SLICE_LITERAL("a"))));
	CU_ASSERT_FALSE(equal(bytes('A', SLICE_EMPTY), bytes('F', SLICE_EMPTY)));
}

static void same_type_compares_its_value(void)
{
	struct amqp_value a = {.type = 'D', .decimal = {.scale = 1, .value = 10}};
	struct amqp_value b = {.type = 'D', .decimal = {.scale = 2, .value = 100}};
	struct amqp_value yes = {.type = 't', .boolean = true};
	struct amqp_value no = {.type = 't', .boolean = false};

	CU_ASSERT_TRUE(equal(a, a));
	CU_ASSERT_FALSE(equal(a, b));
	CU_ASSERT_TRUE(equal(yes, yes));
	CU_ASSERT_FALSE(equal(yes, no));
	CU_ASSERT_TRUE(equal(bytes('S', SLICE_LITERAL("ab")), bytes('S', SLICE_LITERAL("ab"))));
	CU_ASSERT_FALSE(equal(bytes('S', SLICE_LITERAL("ab")), bytes('S', SLICE_LITERAL("a"))));
	CU_ASSERT_TRUE(equal(real('d', (double)NAN), real('d', (double)NAN)));
	CU_ASSERT_FALSE(equal(real('d', (double)NAN), real('d', 1)));
	CU_ASSERT_TRUE(equal(real('d', 0.0), real('d', -0.0)));
}

static void nested_values_compare_inside(void)
{
	struct amqp_value a = bytes('F', SLICE_LITERAL("\1kI\0\0\0\7"));
	struct amqp_value b = bytes('F', SLICE_LITERAL("\1kb\7"));
	struct amqp_value other_key = bytes('F', SLICE_LITERAL("\1mb\7"));
	struct amqp_value longer = bytes('F', SLICE_LITERAL("\1kb\7\1kb\7"));
	struct amqp_value malformed = bytes('F', SLICE_LITERAL("\1kb"));

	CU_ASSERT_TRUE(equal(a, b));
	CU_ASSERT_FALSE(equal(a, other_key));
	CU_ASSERT_FALSE(equal(b, longer));
	CU_ASSERT_FALSE(equal(a, malformed));
	CU_ASSERT_TRUE(equal(malformed, malformed));
	CU_ASSERT_TRUE(equal(bytes('A', SLICE_LITERAL("b\7")), bytes('A', SLICE_LITERAL("s\0\7"))));
	CU_ASSERT_FALSE(equal(bytes('A', SLICE_LITERAL("b\7")), bytes('A', SLICE_LITERAL("b\6"))));
	CU_ASSERT_FALSE(equal(bytes('A', SLICE_LITERAL("b\7")), bytes('A', SLICE_EMPTY)));
	CU_ASSERT_TRUE(equal(bytes('A', SLICE_LITERAL("A\0\0\0\2b\7")),
			     bytes('A', SLICE_LITERAL("A\0\0\0\3u\0\7"))));
}

static void names_are_rabbitmqs(void)
{
	static const char types[] = "SIDTFAbBdflLsuitxV";
	static const char *const names[] = {
		"longstr", "signedint",	    "decimal",	   "timestamp", "table",  "array",
		"byte",	   "unsignedbyte",  "double",	   "float",	"long",	  "long",
		"short",   "unsignedshort", "unsignedint", "bool",	"binary", "void",
	};
	size_t i;

	for (i = 0; i < TYPE_COUNT; i++)
		CU_ASSERT_STRING_EQUAL(amqp_value_type_name(types[i]), names[i]);
	CU_ASSERT_STRING_EQUAL(amqp_value_type_name('?'), "unknown");
}

static void check_print(struct amqp_value value, const char *expected)
{
	struct buffer out;

	buffer_init(&out);
	amqp_value_print(&value, &out);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&out), expected);
	buffer_fini(&out);
}

static void print_of_scalars(void)
{
	check_print(integer('l', INT64_MIN), "-9223372036854775808");
	check_print(integer('I', 2000), "2000");
	check_print(bytes('S', SLICE_LITERAL("a \"b\"")), "a \"b\"");
	check_print((struct amqp_value){.type = 't', .boolean = true}, "true");
	check_print((struct amqp_value){.type = 't', .boolean = false}, "false");
	check_print((struct amqp_value){.type = 'V'}, "undefined");
	check_print((struct amqp_value){.type = 'T', .timestamp = UINT64_MAX},
		    "18446744073709551615");
	check_print((struct amqp_value){.type = 'D', .decimal = {2, 314}}, "314e-2");
}

static void print_of_reals(void)
{
	check_print(real('d', 1), "1.0");
	check_print(real('d', 0.1), "0.1");
	check_print(real('d', 1.0 / 3), "0.3333333333333333");
	check_print(real('f', (double)0.1F), "0.1");
	check_print(real('d', 1e300), "1e+300");
	check_print(real('d', (double)INFINITY), "inf");
}

static void print_of_nested_values(void)
{
	check_print(bytes('A', SLICE_LITERAL("S\0\0\0\3a\"\nV")), "[\"a\\\"\\x0a\",undefined]");
	check_print(bytes('F', SLICE_LITERAL("\1kA\0\0\0\0\1mF\0\0\0\0")),
		    "[{\"k\",[]},{\"m\",[]}]");
	check_print(bytes('F', SLICE_LITERAL("\1kV\1")), "[{\"k\",undefined}]");
}

/* Whatever was not validated: both stop at the limit instead of filling the stack. */
static void unvalidated_nesting_is_bounded(void)
{
	uint8_t deep_a[5 * 200];
	uint8_t deep_b[5 * 200];
	struct buffer out;
	struct amqp_value value;
	size_t i;

	for (i = 0; i < 200; i++) {
		size_t rest = sizeof(deep_a) - 5 * (i + 1);

		deep_a[5 * i] = 'A';
		deep_a[5 * i + 1] = 0;
		deep_a[5 * i + 2] = 0;
		deep_a[5 * i + 3] = (uint8_t)(rest >> 8);
		deep_a[5 * i + 4] = (uint8_t)rest;
	}
	memcpy(deep_b, deep_a, sizeof(deep_b));
	deep_b[5 * 199] = 'F';
	CU_ASSERT_FALSE(equal(bytes('A', slice_make(deep_a, sizeof(deep_a))),
			      bytes('A', slice_make(deep_b, sizeof(deep_b)))));
	buffer_init(&out);
	value = bytes('A', slice_make(deep_a, sizeof(deep_a)));
	amqp_value_print(&value, &out);
	CU_ASSERT_PTR_NOT_NULL(strstr(buffer_cstr(&out), "[...]"));
	buffer_fini(&out);
}

UNIT_MAIN("amqp/value", UNIT_TEST(integers_of_all_types_are_one),
	  UNIT_TEST(classes_of_types_differ), UNIT_TEST(same_type_compares_its_value),
	  UNIT_TEST(nested_values_compare_inside), UNIT_TEST(names_are_rabbitmqs),
	  UNIT_TEST(print_of_scalars), UNIT_TEST(print_of_reals), UNIT_TEST(print_of_nested_values),
	  UNIT_TEST(unvalidated_nesting_is_bounded))
