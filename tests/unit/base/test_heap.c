/* SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include "../unit.h"

static void sorts(void)
{
	struct heap heap;
	uint64_t last = 0, sum_in = 0, sum_out = 0;
	unsigned wrong = 0;

	heap_init(&heap);
	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t value = i * 2654435761u % 4096; /* many equal ones */

		sum_in += value;
		heap_push(&heap, value);
	}
	CU_ASSERT_EQUAL(heap_count(&heap), 10000);
	while (heap_count(&heap) > 0) {
		uint64_t least = heap_min(&heap), value = heap_pop(&heap);

		wrong += value != least || value < last;
		last = value;
		sum_out += value;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(sum_in, sum_out);
	CU_ASSERT_TRUE(heap.capacity <= 16);
	heap_fini(&heap);
}

static void pushes_between_pops(void)
{
	struct heap heap;

	heap_init(&heap);
	heap_push(&heap, 5);
	heap_push(&heap, 3);
	CU_ASSERT_EQUAL(heap_pop(&heap), 3);
	heap_push(&heap, 4);
	heap_push(&heap, 9);
	heap_push(&heap, UINT64_MAX);
	heap_push(&heap, 0);
	CU_ASSERT_EQUAL(heap_pop(&heap), 0);
	CU_ASSERT_EQUAL(heap_pop(&heap), 4);
	CU_ASSERT_EQUAL(heap_pop(&heap), 5);
	CU_ASSERT_EQUAL(heap_pop(&heap), 9);
	CU_ASSERT_EQUAL(heap_pop(&heap), UINT64_MAX);
	CU_ASSERT_EQUAL(heap_count(&heap), 0);
	heap_fini(&heap);
}

UNIT_MAIN("heap", UNIT_TEST(sorts), UNIT_TEST(pushes_between_pops))
