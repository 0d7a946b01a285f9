/* SPDX-License-Identifier: MIT */
#include "amqp/table.h"

#include <errno.h>

#include "exact.h"
#include "tables.h"

#include "../unit.h"

static struct amqp_value find(const char *key)
{
	struct amqp_value value = {.type = 0};

	CU_ASSERT_TRUE(amqp_table_find(TABLE_OF_ALL_TYPES, key, &value));
	CU_ASSERT_EQUAL(value.type, key[0]);
	return value;
}

static void numbers_are_read_as_rabbitmq_does(void)
{
	CU_ASSERT_EQUAL(find("I").integer, -1);
	CU_ASSERT_EQUAL(find("b").integer, -1);
	CU_ASSERT_EQUAL(find("B").integer, 255);
	CU_ASSERT_EQUAL(find("l").integer, -1);
	CU_ASSERT_EQUAL(find("L").integer, 1);
	CU_ASSERT_EQUAL(find("s").integer, -1);
	CU_ASSERT_EQUAL(find("u").integer, 65535);
	CU_ASSERT_EQUAL(find("i").integer, INT64_C(4294967295));
	CU_ASSERT_EQUAL(find("d").real, 1.5);
	CU_ASSERT_EQUAL(find("f").real, 1.5);
	CU_ASSERT_EQUAL(find("T").timestamp, 9);
	CU_ASSERT_EQUAL(find("D").decimal.scale, 2);
	CU_ASSERT_EQUAL(find("D").decimal.value, 256);
	CU_ASSERT_TRUE(find("t").boolean);
}

static void other_types_are_read(void)
{
	CU_ASSERT_TRUE(slice_equal(find("S").bytes, SLICE_LITERAL("x")));
	CU_ASSERT_TRUE(slice_equal(find("x").bytes, SLICE_LITERAL("\0")));
	CU_ASSERT_TRUE(slice_equal(find("F").bytes, SLICE_LITERAL("\1aV")));
	CU_ASSERT_TRUE(slice_equal(find("A").bytes, SLICE_LITERAL("Vt\1")));
	(void)find("V");
}

static void entries_come_in_order(void)
{
	static const char order[] = "SIDTFAbBdflLsuitxV";
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;
	size_t i;

	amqp_table_iter_init(&iter, TABLE_OF_ALL_TYPES);
	for (i = 0; i < TYPE_COUNT; i++) {
		CU_ASSERT_EQUAL_FATAL(amqp_table_iter_next(&iter, &key, &value), 1);
		CU_ASSERT_TRUE(slice_equal(key, slice_make(order + i, 1)));
		CU_ASSERT_EQUAL(value.type, order[i]);
	}
	CU_ASSERT_EQUAL(amqp_table_iter_next(&iter, &key, &value), 0);
	CU_ASSERT_EQUAL(amqp_table_iter_next(&iter, &key, &value), 0);
	CU_ASSERT_EQUAL(amqp_table_count(TABLE_OF_ALL_TYPES), TYPE_COUNT);
}

static void array_entries_come_in_order(void)
{
	struct amqp_array_iter iter;
	struct amqp_value value;

	amqp_array_iter_init(&iter, SLICE_LITERAL("b\x80t\0S\0\0\0\2hi"));
	CU_ASSERT_EQUAL(amqp_array_iter_next(&iter, &value), 1);
	CU_ASSERT_EQUAL(value.integer, -128);
	CU_ASSERT_EQUAL(amqp_array_iter_next(&iter, &value), 1);
	CU_ASSERT_FALSE(value.boolean);
	CU_ASSERT_EQUAL(amqp_array_iter_next(&iter, &value), 1);
	CU_ASSERT_TRUE(slice_equal(value.bytes, SLICE_LITERAL("hi")));
	CU_ASSERT_EQUAL(amqp_array_iter_next(&iter, &value), 0);
}

static void empty_table_is_a_table(void)
{
	struct amqp_value value;

	CU_ASSERT_EQUAL(amqp_table_validate(SLICE_EMPTY, AMQP_TABLE_DEPTH_MAX), 0);
	CU_ASSERT_EQUAL(amqp_array_validate(SLICE_EMPTY, AMQP_TABLE_DEPTH_MAX), 0);
	CU_ASSERT_EQUAL(amqp_table_count(SLICE_EMPTY), 0);
	CU_ASSERT_FALSE(amqp_table_find(SLICE_EMPTY, "", &value));
}

static void find_takes_the_first(void)
{
	struct slice table = SLICE_LITERAL("\1kb\1\0V\1kb\2");
	struct amqp_value value = {.type = 'q'};

	CU_ASSERT_FALSE(amqp_table_find(table, "K", &value));
	CU_ASSERT_FALSE(amqp_table_find(table, "kk", &value));
	CU_ASSERT_EQUAL(value.type, 'q');
	CU_ASSERT_TRUE(amqp_table_find(table, "k", &value));
	CU_ASSERT_EQUAL(value.integer, 1);
	CU_ASSERT_TRUE(amqp_table_find_slice(table, SLICE_EMPTY, &value));
	CU_ASSERT_EQUAL(value.type, AMQP_VALUE_VOID);
}

/* Reads it all, and inside; true when nothing was malformed. */
static bool is_readable(struct slice table)
{
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;
	int more;

	amqp_table_iter_init(&iter, table);
	while ((more = amqp_table_iter_next(&iter, &key, &value)) > 0)
		;
	if (more < 0)
		CU_ASSERT_EQUAL(amqp_table_iter_next(&iter, &key, &value), -EPROTO);
	return more == 0;
}

/* A prefix that ends between two entries is a table, any other is none. */
static void every_prefix_is_refused_or_shorter(void)
{
	struct slice whole = TABLE_OF_ALL_TYPES;
	struct slice copy;
	size_t entries_seen = 0;
	size_t n;

	CU_ASSERT_EQUAL(amqp_table_validate(whole, 2), 0);
	for (n = 0; n < whole.size; n++) {
		copy = exact_copy(whole, n);
		if (amqp_table_validate(copy, 2) == 0)
			CU_ASSERT_EQUAL(amqp_table_count(copy), entries_seen++);
		CU_ASSERT_EQUAL(amqp_table_validate(copy, 2) == 0, is_readable(copy));
		exact_free(copy);
	}
	CU_ASSERT_EQUAL(entries_seen, TYPE_COUNT);
}

/* One entry of each type, cut at every byte after the type octet: never a value. */
static void every_type_cut_short_is_refused(void)
{
	struct slice whole = TABLE_OF_ALL_TYPES;
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;
	struct slice entry;
	struct slice copy;
	const uint8_t *begin = whole.data;
	size_t n;

	amqp_table_iter_init(&iter, whole);
	while (amqp_table_iter_next(&iter, &key, &value) > 0) {
		entry = slice_make(begin, (size_t)(iter.reader.p - begin));
		begin = iter.reader.p;
		for (n = 1; n < entry.size; n++) {
			copy = exact_copy(entry, n);
			CU_ASSERT_EQUAL(amqp_table_validate(copy, 2), -EPROTO);
			CU_ASSERT_FALSE(is_readable(copy));
			exact_free(copy);
		}
	}
}

static void unknown_types_are_refused(void)
{
	uint8_t table[12] = {1, 'k', 0};
	struct slice bytes = slice_make(table, sizeof(table));
	unsigned known = 0;
	unsigned type;

	for (type = 0; type < 256; type++) {
		table[2] = (uint8_t)type;
		if (strchr("SIDTFAbBdflLsuitxV", (int)type) != NULL && type != 0)
			known++;
		else
			CU_ASSERT_EQUAL(amqp_table_validate(bytes, 2), -EPROTO);
	}
	CU_ASSERT_EQUAL(known, TYPE_COUNT);
}

static void claimed_lengths_beyond_the_end_are_refused(void)
{
	static const char types[] = "SxAF";
	uint8_t table[] = {1, 'k', 0, 0, 0, 0, 1};
	struct slice copy;
	size_t i;

	for (i = 0; i < sizeof(types) - 1; i++) {
		table[2] = (uint8_t)types[i];
		memset(table + 3, 0, 4);
		table[6] = 1;
		copy = exact_copy(slice_make(table, sizeof(table)), sizeof(table));
		CU_ASSERT_EQUAL(amqp_table_validate(copy, 9), -EPROTO);
		exact_free(copy);
		memset(table + 3, 0xff, 4);
		copy = exact_copy(slice_make(table, sizeof(table)), sizeof(table));
		CU_ASSERT_EQUAL(amqp_table_validate(copy, 9), -EPROTO);
		CU_ASSERT_FALSE(is_readable(copy));
		exact_free(copy);
	}
}

static void inner_length_must_stay_inside(void)
{
	/* the string's length fits the outer table, but not the inner one */
	struct slice table = SLICE_LITERAL("\1oF\0\0\0\x08\1iS\0\0\0\2x"
					   "\1bV");

	CU_ASSERT_EQUAL(amqp_table_validate(table, 9), -EPROTO);
	CU_ASSERT_EQUAL(amqp_table_count(table), 2);
}

/* `levels` tables or arrays in one another, the raw outermost included; built from the inside. */
static struct slice nest(uint8_t *out, size_t room, unsigned levels, bool is_array)
{
	size_t head = is_array ? 5 : 6;
	size_t size = 0;
	unsigned i;

	for (i = 1; i < levels; i++) {
		CU_ASSERT_TRUE_FATAL(size + head <= room);
		memmove(out + head, out, size);
		out[0] = 0;
		out[head - 5] = is_array ? 'A' : 'F';
		out[head - 4] = 0;
		out[head - 3] = (uint8_t)(size >> 16);
		out[head - 2] = (uint8_t)(size >> 8);
		out[head - 1] = (uint8_t)size;
		size += head;
	}
	return slice_make(out, size);
}

static void nesting_is_limited(void)
{
	uint8_t bytes[2048];
	unsigned levels;

	for (levels = 1; levels <= AMQP_TABLE_DEPTH_MAX + 2; levels++) {
		int expected = levels <= AMQP_TABLE_DEPTH_MAX ? 0 : -EPROTO;

		CU_ASSERT_EQUAL(amqp_table_validate(nest(bytes, sizeof(bytes), levels, false),
						    AMQP_TABLE_DEPTH_MAX),
				expected);
		CU_ASSERT_EQUAL(
			amqp_table_validate(nest(bytes, sizeof(bytes), levels, false), 1000),
			expected);
		CU_ASSERT_EQUAL(amqp_array_validate(nest(bytes, sizeof(bytes), levels, true),
						    AMQP_TABLE_DEPTH_MAX),
				expected);
	}
	CU_ASSERT_EQUAL(amqp_table_validate(nest(bytes, sizeof(bytes), 3, false), 3), 0);
	CU_ASSERT_EQUAL(amqp_table_validate(nest(bytes, sizeof(bytes), 4, false), 3), -EPROTO);
	CU_ASSERT_EQUAL(amqp_table_validate(SLICE_EMPTY, 0), -EPROTO);
}

static void a_whole_frame_of_nesting_is_harmless(void)
{
	const size_t room = 131072;
	uint8_t *bytes = malloc(room);

	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	CU_ASSERT_EQUAL(amqp_table_validate(nest(bytes, room, 10000, false), 64), -EPROTO);
	free(bytes);
}

static void print_shows_all(void)
{
	struct buffer out;

	buffer_init(&out);
	amqp_table_print(TABLE_OF_ALL_TYPES, &out);
	CU_ASSERT_STRING_EQUAL(
		buffer_cstr(&out),
		"[{\"S\",\"x\"},{\"I\",-1},{\"D\",256e-2},{\"T\",9},{\"F\",[{\"a\",undefined}]},"
		"{\"A\",[undefined,true]},{\"b\",-1},{\"B\",255},{\"d\",1.5},{\"f\",1.5},{\"l\",-1}"
		","
		"{\"L\",1},{\"s\",-1},{\"u\",65535},{\"i\",4294967295},{\"t\",true},"
		"{\"x\",\"\\x00\"},{\"V\",undefined}]");
	buffer_clear(&out);
	amqp_table_print(SLICE_EMPTY, &out);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&out), "[]");
	buffer_fini(&out);
}

UNIT_MAIN("amqp/table", UNIT_TEST(numbers_are_read_as_rabbitmq_does),
	  UNIT_TEST(other_types_are_read), UNIT_TEST(entries_come_in_order),
	  UNIT_TEST(array_entries_come_in_order), UNIT_TEST(empty_table_is_a_table),
	  UNIT_TEST(find_takes_the_first), UNIT_TEST(every_prefix_is_refused_or_shorter),
	  UNIT_TEST(every_type_cut_short_is_refused), UNIT_TEST(unknown_types_are_refused),
	  UNIT_TEST(claimed_lengths_beyond_the_end_are_refused),
	  UNIT_TEST(inner_length_must_stay_inside), UNIT_TEST(nesting_is_limited),
	  UNIT_TEST(a_whole_frame_of_nesting_is_harmless), UNIT_TEST(print_shows_all))
