/* SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include "base/bug.h"
#include "base/mem.h"

#define CAPACITY_MIN 16

void heap_init(struct heap *heap)
{
	*heap = (struct heap){0};
}

void heap_fini(struct heap *heap)
{
	mem_free(heap->values);
	heap_init(heap);
}

static void resize(struct heap *heap, size_t capacity)
{
	heap->values = mem_realloc(heap->values, capacity * sizeof(uint64_t));
	heap->capacity = capacity;
}

void heap_push(struct heap *heap, uint64_t value)
{
	if (heap->count == heap->capacity)
		resize(heap, heap->capacity > 0 ? heap->capacity * 2 : CAPACITY_MIN);

	size_t i = heap->count++;

	for (; i > 0 && heap->values[(i - 1) / 2] > value; i = (i - 1) / 2)
		heap->values[i] = heap->values[(i - 1) / 2];
	heap->values[i] = value;
}

uint64_t heap_min(const struct heap *heap)
{
	bug_on(heap->count == 0);
	return heap->values[0];
}

/* Puts value at the top and lets it sink. */
static void sink(struct heap *heap, uint64_t value)
{
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && heap->values[child + 1] < heap->values[child])
			child++;
		if (heap->values[child] >= value)
			break;
		heap->values[i] = heap->values[child];
		i = child;
	}
	heap->values[i] = value;
}

uint64_t heap_pop(struct heap *heap)
{
	uint64_t least = heap_min(heap);

	heap->count--;
	if (heap->count > 0)
		sink(heap, heap->values[heap->count]);
	if (heap->capacity > CAPACITY_MIN && heap->count < heap->capacity / 8)
		resize(heap, heap->capacity / 2);
	return least;
}
