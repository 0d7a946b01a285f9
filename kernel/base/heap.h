/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_HEAP_H
#define KERNEL_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

/*
 * A binary heap of 64-bit values, the least on top. Equal values are all kept. Never fails but for
 * memory.
 */
struct heap {
	uint64_t *values;
	size_t count, capacity;
};

void heap_init(struct heap *heap);
void heap_fini(struct heap *heap);
void heap_push(struct heap *heap, uint64_t value);

/* The least: taken off, or only looked at. The heap must not be empty. */
uint64_t heap_pop(struct heap *heap);
uint64_t heap_min(const struct heap *heap);

static inline size_t heap_count(const struct heap *heap)
{
	return heap->count;
}

#endif
