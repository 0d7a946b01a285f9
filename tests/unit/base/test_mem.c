/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdint.h>
#include <string.h>

#include "../unit.h"

static void zalloc_is_zeroed(void)
{
	char *p = mem_zalloc(100);

	for (int i = 0; i < 100; i++)
		CU_ASSERT_EQUAL_FATAL(p[i], 0);
	mem_free(p);
}

static void aligned_is_aligned_and_zeroed(void)
{
	uint8_t *p = mem_zalloc_aligned(128, 129);

	CU_ASSERT_EQUAL((uintptr_t)p % 128, 0);
	for (int i = 0; i < 129; i++)
		CU_ASSERT_EQUAL_FATAL(p[i], 0);
	mem_free(p);
}

static void zero_bytes_are_an_allocation(void)
{
	void *p = mem_alloc(0), *q = mem_try_alloc(0);

	CU_ASSERT_PTR_NOT_NULL(p);
	CU_ASSERT_PTR_NOT_NULL(q);
	mem_free(p);
	mem_free(q);
	mem_free(NULL);
}

static void strings(void)
{
	char *copy = mem_strdup("rabbit"), *text = mem_printf("%s-%d", "q", 7);

	CU_ASSERT_STRING_EQUAL(copy, "rabbit");
	CU_ASSERT_STRING_EQUAL(text, "q-7");
	copy = mem_realloc(copy, 100);
	CU_ASSERT_STRING_EQUAL(copy, "rabbit");
	mem_free(copy);
	mem_free(text);
}

static void fault_hits_the_nth_try_call_once(void)
{
	mem_fault_after(2);
	void *first = mem_try_alloc(8);
	void *second = mem_try_zalloc(8);
	void *third = mem_try_zalloc(8);

	CU_ASSERT_PTR_NOT_NULL(first);
	CU_ASSERT_PTR_NULL(second);
	CU_ASSERT_PTR_NOT_NULL(third);
	mem_free(first);
	mem_free(third);
}

static void failed_realloc_leaves_the_old(void)
{
	char *p = mem_try_alloc(8);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	memcpy(p, "sevenxx", 8);
	mem_fault_after(1);
	void *q = mem_try_realloc(p, 100);
	CU_ASSERT_PTR_NULL(q);
	CU_ASSERT_STRING_EQUAL(p, "sevenxx");
	mem_free(p);
}

static void fault_spares_the_other_family(void)
{
	mem_fault_after(1);
	void *p = mem_alloc(8);
	CU_ASSERT_PTR_NOT_NULL(p);
	mem_fault_after(-1);
	void *q = mem_try_alloc(8);
	CU_ASSERT_PTR_NOT_NULL(q);
	mem_free(p);
	mem_free(q);
}

UNIT_MAIN("mem", UNIT_TEST(zalloc_is_zeroed), UNIT_TEST(aligned_is_aligned_and_zeroed),
	  UNIT_TEST(zero_bytes_are_an_allocation), UNIT_TEST(strings),
	  UNIT_TEST(fault_hits_the_nth_try_call_once), UNIT_TEST(failed_realloc_leaves_the_old),
	  UNIT_TEST(fault_spares_the_other_family))
