/* SPDX-License-Identifier: MIT */
#include "amqp/table_writer.h"

#include <errno.h>
#include <string.h>

#include "amqp/table.h"
#include "base/mem.h"
#include "tables.h"

#include "../unit.h"

static void bytes_of_each_put(void)
{
	struct amqp_table_writer writer;
	struct buffer out;

	buffer_init(&out);
	amqp_table_writer_init(&writer, &out);
	amqp_table_put_bool(&writer, "t", true);
	amqp_table_put_int32(&writer, "I", -2);
	amqp_table_put_int64(&writer, "l", 3);
	amqp_table_put_double(&writer, "d", 1.5);
	amqp_table_put_timestamp(&writer, "T", 9);
	amqp_table_put_string(&writer, "S", SLICE_LITERAL("ab"));
	amqp_table_put_void(&writer, "V");
	CU_ASSERT_EQUAL(amqp_table_writer_finish(&writer), 0);
	CU_ASSERT_TRUE(slice_equal(buffer_slice(&out), SLICE_LITERAL("\1tt\1"
								     "\1II\xff\xff\xff\xfe"
								     "\1ll\0\0\0\0\0\0\0\3"
								     "\1dd\x3f\xf8\0\0\0\0\0\0"
								     "\1TT\0\0\0\0\0\0\0\x09"
								     "\1SS\0\0\0\2ab"
								     "\1VV")));
	buffer_fini(&out);
}

static void nesting_gets_its_lengths(void)
{
	struct amqp_table_writer writer;
	struct buffer out;

	buffer_init(&out);
	buffer_append_cstr(&out, "before");
	amqp_table_writer_init(&writer, &out);
	amqp_table_begin_table(&writer, "caps");
	amqp_table_put_bool(&writer, "a", true);
	amqp_table_begin_array(&writer, "list");
	amqp_table_put_void(&writer, NULL);
	amqp_table_begin_table(&writer, NULL);
	amqp_table_end(&writer);
	amqp_table_end(&writer);
	amqp_table_end(&writer);
	amqp_table_put_void(&writer, "z");
	CU_ASSERT_EQUAL(amqp_table_writer_finish(&writer), 0);
	CU_ASSERT_EQUAL(writer.start, 6);
	CU_ASSERT_TRUE(slice_equal(buffer_slice(&out), SLICE_LITERAL("before"
								     "\4capsF\0\0\0\x14"
								     "\1at\1"
								     "\4listA\0\0\0\6"
								     "VF\0\0\0\0"
								     "\1zV")));
	buffer_fini(&out);
}

static void every_type_round_trip(void)
{
	struct amqp_table_writer writer;
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;
	struct buffer out;

	buffer_init(&out);
	amqp_table_writer_init(&writer, &out);
	amqp_table_iter_init(&iter, TABLE_OF_ALL_TYPES);
	while (amqp_table_iter_next(&iter, &key, &value) > 0)
		amqp_table_put_value(&writer, key, &value);
	CU_ASSERT_EQUAL(amqp_table_writer_finish(&writer), 0);
	CU_ASSERT_TRUE(slice_equal(buffer_slice(&out), TABLE_OF_ALL_TYPES));
	buffer_fini(&out);
}

static void array_values_and_raw_entries(void)
{
	struct amqp_table_writer writer;
	struct amqp_value value = {.type = AMQP_VALUE_SHORT, .integer = -1};
	struct buffer out;

	buffer_init(&out);
	amqp_table_writer_init(&writer, &out);
	amqp_table_put_raw(&writer, SLICE_LITERAL("\1aV"));
	amqp_table_begin_array(&writer, "b");
	amqp_array_put_value(&writer, &value);
	amqp_table_put_raw(&writer, SLICE_LITERAL("V"));
	amqp_table_end(&writer);
	CU_ASSERT_EQUAL(amqp_table_writer_finish(&writer), 0);
	CU_ASSERT_TRUE(slice_equal(buffer_slice(&out), SLICE_LITERAL("\1aV"
								     "\1bA\0\0\0\4s\xff\xffV")));
	buffer_fini(&out);
}

static void long_key_is_an_error(void)
{
	struct amqp_table_writer writer;
	struct amqp_value value = {.type = AMQP_VALUE_VOID};
	struct buffer out;
	char key[257];

	memset(key, 'k', sizeof(key));
	key[256] = '\0';
	buffer_init(&out);
	buffer_append_cstr(&out, "before");
	amqp_table_writer_init(&writer, &out);
	amqp_table_put_value(&writer, slice_make(key, 255), &value);
	CU_ASSERT_EQUAL(writer.error, 0);
	amqp_table_put_void(&writer, key);
	amqp_table_begin_array(&writer, "after");
	amqp_array_put_value(&writer, &value);
	amqp_table_put_void(&writer, NULL);
	amqp_table_end(&writer);
	CU_ASSERT_EQUAL(amqp_table_writer_finish(&writer), -E2BIG);
	CU_ASSERT_EQUAL(out.size, 6);
	buffer_fini(&out);
}

static void depth_is_what_validate_allows(void)
{
	struct amqp_table_writer writer;
	struct buffer out;
	unsigned nested;
	unsigned i;

	for (nested = AMQP_TABLE_DEPTH_MAX - 2; nested <= AMQP_TABLE_DEPTH_MAX + 1; nested++) {
		int expected = nested < AMQP_TABLE_DEPTH_MAX ? 0 : -E2BIG;

		buffer_init(&out);
		amqp_table_writer_init(&writer, &out);
		for (i = 0; i < nested; i++)
			amqp_table_begin_table(&writer, "t");
		for (i = 0; i < nested; i++)
			amqp_table_end(&writer);
		CU_ASSERT_EQUAL(amqp_table_writer_finish(&writer), expected);
		CU_ASSERT_EQUAL(amqp_table_validate(buffer_slice(&out), AMQP_TABLE_DEPTH_MAX), 0);
		CU_ASSERT_EQUAL(out.size, expected == 0 ? nested * 7 : 0);
		buffer_fini(&out);
	}
}

/* The memory runs out at each of the allocations in turn; the last turn sees none fail. */
static void no_memory_is_an_error(void)
{
	struct amqp_table_writer writer;
	struct buffer out;
	int fault;
	int error;
	int i;

	for (fault = 1, error = -ENOMEM; error != 0 && fault < 50; fault++) {
		buffer_init(&out);
		mem_fault_after(fault);
		amqp_table_writer_init(&writer, &out);
		amqp_table_begin_array(&writer, "array");
		for (i = 0; i < 200; i++)
			amqp_table_put_string(&writer, NULL, SLICE_LITERAL("some text"));
		amqp_table_end(&writer);
		error = amqp_table_writer_finish(&writer);
		mem_fault_after(-1);
		CU_ASSERT_TRUE(error == 0 || error == -ENOMEM);
		CU_ASSERT_EQUAL(out.size, error == 0 ? 200 * 14 + 11 : 0);
		buffer_fini(&out);
	}
	CU_ASSERT_EQUAL(error, 0);
	CU_ASSERT_TRUE(fault > 2);
}

UNIT_MAIN("amqp/table_writer", UNIT_TEST(bytes_of_each_put), UNIT_TEST(nesting_gets_its_lengths),
	  UNIT_TEST(every_type_round_trip), UNIT_TEST(array_values_and_raw_entries),
	  UNIT_TEST(long_key_is_an_error), UNIT_TEST(depth_is_what_validate_allows),
	  UNIT_TEST(no_memory_is_an_error))
