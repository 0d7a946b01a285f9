/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <string.h>

#include "../unit.h"
#include "base/mem.h"

static void appends_and_grows(void)
{
	struct buffer b;
	char expected[5000];

	buffer_init(&b);
	for (unsigned i = 0; i < sizeof(expected); i++) {
		expected[i] = (char)('a' + i % 26);
		buffer_append_byte(&b, (uint8_t)expected[i]);
	}
	CU_ASSERT_FALSE(b.failed);
	CU_ASSERT_TRUE(slice_equal(buffer_slice(&b), slice_make(expected, sizeof(expected))));
	buffer_fini(&b);
	CU_ASSERT_PTR_NULL(b.data);
}

static void prints(void)
{
	struct buffer b;

	buffer_init(&b);
	buffer_append_cstr(&b, "x");
	buffer_append_slice(&b, SLICE_LITERAL("=\0"));
	b.size--;
	buffer_printf(&b, "%d %0100d", 5, 7);
	CU_ASSERT_EQUAL(b.size, 2 + 2 + 100);
	CU_ASSERT_EQUAL(strncmp(buffer_cstr(&b), "x=5 000", 7), 0);
	CU_ASSERT_EQUAL(strlen(buffer_cstr(&b)), b.size);
	buffer_fini(&b);
}

static void empty_is_usable(void)
{
	struct buffer b;

	buffer_init(&b);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&b), "");
	buffer_append(&b, NULL, 0);
	CU_ASSERT_EQUAL(b.size, 0);
	CU_ASSERT_FALSE(b.failed);
	buffer_consume(&b, 0);
	buffer_fini(&b);
	buffer_fini(&b);
}

static void consumes_from_the_front(void)
{
	struct buffer b;

	buffer_init(&b);
	buffer_append_cstr(&b, "header body");
	buffer_consume(&b, 7);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&b), "body");
	buffer_consume(&b, 4);
	CU_ASSERT_EQUAL(b.size, 0);
	buffer_fini(&b);
}

static void failure_is_sticky(void)
{
	struct buffer b;

	buffer_init(&b);
	buffer_append_cstr(&b, "before");
	mem_fault_after(1);
	buffer_printf(&b, "%0200d", 1);
	CU_ASSERT_TRUE(b.failed);
	buffer_append_cstr(&b, "after");
	CU_ASSERT_EQUAL(b.size, 6);
	CU_ASSERT_PTR_NULL(buffer_reserve(&b, 1));
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&b), "");
	buffer_clear(&b);
	CU_ASSERT_FALSE(b.failed);
	buffer_append_cstr(&b, "again");
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&b), "again");
	buffer_fini(&b);
}

static void absurd_size_fails(void)
{
	struct buffer b;

	buffer_init(&b);
	buffer_append_cstr(&b, "x");
	CU_ASSERT_PTR_NULL(buffer_reserve(&b, SIZE_MAX));
	CU_ASSERT_TRUE(b.failed);
	buffer_fini(&b);
}

UNIT_MAIN("buffer", UNIT_TEST(appends_and_grows), UNIT_TEST(prints), UNIT_TEST(empty_is_usable),
	  UNIT_TEST(consumes_from_the_front), UNIT_TEST(failure_is_sticky),
	  UNIT_TEST(absurd_size_fails))
