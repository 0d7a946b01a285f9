/* SPDX-License-Identifier: MIT */
#include "control/columns.h"

#include <stdlib.h>
#include <string.h>


#include "../unit.h"

/* The value is shown like this in JSON. Takes it. */
static void shown(json_t *value, const char *expected)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_STRING_EQUAL(text, expected);
	if (strcmp(text, expected) != 0)
		printf("\n%s\nbut expected\n%s\n", text, expected);
	free(text);
	json_decref(value);
}

/* A table of one entry "k", whose type octet and value are these bytes. */
#define ENTRY_SHOWN(bytes, expected) \
	shown(column_table(slice_make("\1k" bytes, sizeof("\1k" bytes) - 1)), "[[\"k\"," expected "]]")

static void texts(void)
{
	shown(column_text(SLICE_LITERAL("")), "\"\"");
	shown(column_text(SLICE_LITERAL("q \"1\"")), "\"q \\\"1\\\"\"");
	shown(column_text(SLICE_LITERAL("\xc3\xbc")), "\"\xc3\xbc\"");
	shown(column_text(slice_make("a\0b", 3)), "\"a\\u0000b\"");
}

static void bytes_that_are_no_text(void)
{
	shown(column_text(SLICE_LITERAL("\xff")), "\"\\\\xFF\"");
	shown(column_text(SLICE_LITERAL("a\xc3")), "\"a\\\\xC3\"");
	shown(column_text(slice_make("\0\x80", 2)), "\"\\u0000\\\\x80\"");
}

static void numbers_and_pids(void)
{
	shown(column_number(0), "0");
	shown(column_number(1ull << 53), "9007199254740992");
	shown(column_pid(1, 2, 1ull << 63), "\"<1.2.9223372036854775808>\"");
	shown(column_connection_pid(7), "\"<0.7.0>\"");
}

static void addresses(void)
{
	shown(column_address("127.0.0.1"), "[127,0,0,1]");
	shown(column_address("::1"), "[0,0,0,0,0,0,0,1]");
	shown(column_address("fe80::ffff:1"), "[65152,0,0,0,0,0,65535,1]");
	shown(column_address("unix"), "\"unix\"");
	shown(column_address(""), "\"\"");
}

/* With RabbitMQ's names of the types. */
static void values(void)
{
	ENTRY_SHOWN("t\1", "\"bool\",true");
	ENTRY_SHOWN("b\xfb", "\"byte\",-5");
	ENTRY_SHOWN("B\xfb", "\"unsignedbyte\",251");
	ENTRY_SHOWN("s\xff\xfe", "\"short\",-2");
	ENTRY_SHOWN("u\xff\xfe", "\"unsignedshort\",65534");
	ENTRY_SHOWN("I\xff\xff\xff\xff", "\"signedint\",-1");
	ENTRY_SHOWN("i\xff\xff\xff\xff", "\"unsignedint\",4294967295");
	ENTRY_SHOWN("l\0\0\1\0\0\0\0\0", "\"long\",1099511627776");
	ENTRY_SHOWN("L\x80\0\0\0\0\0\0\0", "\"long\",-9223372036854775808");
	ENTRY_SHOWN("d\x3f\xf8\0\0\0\0\0\0", "\"double\",1.5");
	ENTRY_SHOWN("f\x40\0\0\0", "\"float\",2.0");
	ENTRY_SHOWN("D\2\0\0\0\x7d", "\"decimal\",[2,125]");
	ENTRY_SHOWN("S\0\0\0\2ab", "\"longstr\",\"ab\"");
	ENTRY_SHOWN("x\0\0\0\1\xff", "\"binary\",\"\\\\xFF\"");
	ENTRY_SHOWN("T\0\0\0\0\x5e\x0b\xe1\0", "\"timestamp\",1577836800");
	ENTRY_SHOWN("V", "\"void\",\"undefined\"");
}

static void reals_that_json_has_not(void)
{
	ENTRY_SHOWN("d\x7f\xf8\0\0\0\0\0\0", "\"double\",\"nan\"");
	ENTRY_SHOWN("d\x7f\xf0\0\0\0\0\0\0", "\"double\",\"inf\"");
	ENTRY_SHOWN("d\xff\xf0\0\0\0\0\0\0", "\"double\",\"-inf\"");
}

static void tables_and_arrays(void)
{
	shown(column_table(SLICE_LITERAL("")), "[]");
	ENTRY_SHOWN("F\0\0\0\0", "\"table\",[]");
	ENTRY_SHOWN("A\0\0\0\0", "\"array\",[]");
	ENTRY_SHOWN("F\0\0\0\4\1at\1", "\"table\",[[\"a\",\"bool\",true]]");
	ENTRY_SHOWN("A\0\0\0\4t\1t\0", "\"array\",[[\"bool\",true],[\"bool\",false]]");
	/* the order of the wire; a key that comes twice is there twice */
	shown(column_table(slice_make("\1bV\1aV\1bV", 9)),
	      "[[\"b\",\"void\",\"undefined\"],[\"a\",\"void\",\"undefined\"],[\"b\",\"void\",\"undefined\"]]");
}

/* Tables were validated when they came; whatever is cut is left out, and nothing is read behind the end. */
static void truncated_tables(void)
{
	static const char whole[] = "\1aI\0\0\0\1\1bF\0\0\0\4\1ct\1\1dA\0\0\0\2t\1";

	for (size_t n = 0; n < sizeof(whole); n++) {
		void *exact = malloc(n + 1);

		memcpy(exact, whole, n);
		json_decref(column_table(slice_make(exact, n)));
		free(exact);
	}
}

UNIT_MAIN("columns", UNIT_TEST(texts), UNIT_TEST(bytes_that_are_no_text), UNIT_TEST(numbers_and_pids),
	  UNIT_TEST(addresses), UNIT_TEST(values), UNIT_TEST(reals_that_json_has_not), UNIT_TEST(tables_and_arrays),
	  UNIT_TEST(truncated_tables))
