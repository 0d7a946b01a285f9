/* SPDX-License-Identifier: MIT */
#include "base/slice.h"

#include <stdio.h>

#include "../unit.h"
#include "base/mem.h"

static void equality_is_by_bytes(void)
{
	CU_ASSERT_TRUE(slice_equal(SLICE_LITERAL("abc"), slice_cstr("abc")));
	CU_ASSERT_FALSE(slice_equal(SLICE_LITERAL("abc"), SLICE_LITERAL("abd")));
	CU_ASSERT_FALSE(slice_equal(SLICE_LITERAL("abc"), SLICE_LITERAL("ab")));
	CU_ASSERT_FALSE(slice_equal(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0c")));
	CU_ASSERT_TRUE(slice_equal(SLICE_EMPTY, SLICE_LITERAL("")));
}

static void order_is_by_bytes_then_size(void)
{
	CU_ASSERT_EQUAL(slice_compare(SLICE_LITERAL("abc"), SLICE_LITERAL("abc")), 0);
	CU_ASSERT_TRUE(slice_compare(SLICE_LITERAL("ab"), SLICE_LITERAL("abc")) < 0);
	CU_ASSERT_TRUE(slice_compare(SLICE_LITERAL("b"), SLICE_LITERAL("abc")) > 0);
	CU_ASSERT_TRUE(slice_compare(SLICE_LITERAL("\x80"), SLICE_LITERAL("a")) > 0);
	CU_ASSERT_TRUE(slice_compare(SLICE_EMPTY, SLICE_LITERAL("a")) < 0);
	CU_ASSERT_EQUAL(slice_compare(SLICE_EMPTY, SLICE_EMPTY), 0);
}

static void prefixes(void)
{
	CU_ASSERT_TRUE(slice_starts_with(SLICE_LITERAL("amq.gen-x"), SLICE_LITERAL("amq.")));
	CU_ASSERT_FALSE(slice_starts_with(SLICE_LITERAL("am"), SLICE_LITERAL("amq.")));
	CU_ASSERT_TRUE(slice_starts_with(SLICE_LITERAL("am"), SLICE_EMPTY));
	CU_ASSERT_TRUE(slice_is_empty(SLICE_EMPTY));
}

static void hash_depends_on_content_only(void)
{
	char a[] = "routing.key", b[] = "routing.key";

	CU_ASSERT_EQUAL(slice_hash(slice_cstr(a)), slice_hash(slice_cstr(b)));
	CU_ASSERT_NOT_EQUAL(slice_hash(slice_cstr(a)), slice_hash(SLICE_LITERAL("routing.kez")));
	CU_ASSERT_EQUAL(slice_hash(SLICE_EMPTY), slice_hash(SLICE_LITERAL("")));
}

static void strdup_terminates(void)
{
	char *copy = slice_strdup(slice_make("abcdef", 3)), *empty = slice_strdup(SLICE_EMPTY);

	CU_ASSERT_STRING_EQUAL(copy, "abc");
	CU_ASSERT_STRING_EQUAL(empty, "");
	mem_free(copy);
	mem_free(empty);
}

/* Of every size, to and from blocks that end where it ends. */
static void copies_are_exact(void)
{
	for (size_t n = 0; n <= 70; n++) {
		uint8_t *from = mem_alloc(n + 1), *to = mem_alloc(n + 1);
		bool is_same = true;

		for (size_t i = 0; i < n; i++)
			from[i] = (uint8_t)(i * 7 + n);
		to[n] = 0xa5;
		slice_copy(to, slice_make(from, n));
		for (size_t i = 0; i < n; i++)
			is_same &= to[i] == (uint8_t)(i * 7 + n);
		CU_ASSERT_TRUE(is_same && to[n] == 0xa5);
		mem_free(from);
		mem_free(to);
	}
	slice_copy(NULL, SLICE_EMPTY);
}

static void prints(void)
{
	char text[32];
	struct slice s = slice_make("abcdef", 3);

	(void)snprintf(text, sizeof(text), "<" SLICE_FMT "|" SLICE_FMT ">", SLICE_ARG(s),
		       SLICE_ARG(SLICE_EMPTY));
	CU_ASSERT_STRING_EQUAL(text, "<abc|>");
}

UNIT_MAIN("slice", UNIT_TEST(equality_is_by_bytes), UNIT_TEST(order_is_by_bytes_then_size),
	  UNIT_TEST(prefixes), UNIT_TEST(hash_depends_on_content_only),
	  UNIT_TEST(strdup_terminates), UNIT_TEST(copies_are_exact), UNIT_TEST(prints))
