/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_RING_H
#define KERNEL_BASE_RING_H

#include <stddef.h>
#include <stdint.h>

#include "base/bug.h"

/*
 * A queue of 64-bit values on a growing power-of-two array: push at the back, pop at the front,
 * look anywhere. Never fails but for memory. Gives memory back when it runs nearly empty.
 */
struct ring {
	uint64_t *values;
	size_t capacity; /* 0 or a power of two */
	size_t head;	 /* index of the front, below capacity */
	size_t count;
};

void ring_init(struct ring *ring);
void ring_fini(struct ring *ring);
void ring_push(struct ring *ring, uint64_t value);
void ring_push_front(struct ring *ring, uint64_t value);

/* The ring must not be empty. */
uint64_t ring_pop(struct ring *ring);
void ring_clear(struct ring *ring);

static inline size_t ring_count(const struct ring *ring)
{
	return ring->count;
}

/* 0 is the front. i < count. */
static inline uint64_t *ring_at(const struct ring *ring, size_t i)
{
	bug_on(i >= ring->count);
	return &ring->values[(ring->head + i) & (ring->capacity - 1)];
}

#endif
