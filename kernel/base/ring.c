/* SPDX-License-Identifier: MIT */
#include "base/ring.h"

#include <string.h>

#include "base/mem.h"

#define CAPACITY_MIN 16

void ring_init(struct ring *ring)
{
	*ring = (struct ring){0};
}

void ring_fini(struct ring *ring)
{
	mem_free(ring->values);
	ring_init(ring);
}

void ring_clear(struct ring *ring)
{
	ring_fini(ring);
}

static void resize(struct ring *ring, size_t capacity)
{
	uint64_t *values = mem_alloc(capacity * sizeof(uint64_t));
	size_t until_end = ring->capacity - ring->head;
	size_t first = ring->count < until_end ? ring->count : until_end;

	if (ring->values) {
		memcpy(values, ring->values + ring->head, first * sizeof(uint64_t));
		memcpy(values + first, ring->values, (ring->count - first) * sizeof(uint64_t));
	}
	mem_free(ring->values);
	ring->values = values;
	ring->capacity = capacity;
	ring->head = 0;
}

static void grow_if_full(struct ring *ring)
{
	if (UNLIKELY(ring->count == ring->capacity))
		resize(ring, ring->capacity > 0 ? ring->capacity * 2 : CAPACITY_MIN);
}

void ring_push(struct ring *ring, uint64_t value)
{
	grow_if_full(ring);
	ring->values[(ring->head + ring->count) & (ring->capacity - 1)] = value;
	ring->count++;
}

void ring_push_front(struct ring *ring, uint64_t value)
{
	grow_if_full(ring);
	ring->head = (ring->head - 1) & (ring->capacity - 1);
	ring->values[ring->head] = value;
	ring->count++;
}

uint64_t ring_pop(struct ring *ring)
{
	bug_on(ring->count == 0);
	uint64_t value = ring->values[ring->head];

	ring->head = (ring->head + 1) & (ring->capacity - 1);
	ring->count--;
	/* An eighth leaves enough distance from growing again. */
	if (UNLIKELY(ring->capacity > CAPACITY_MIN && ring->count < ring->capacity / 8))
		resize(ring, ring->capacity / 2);
	return value;
}
