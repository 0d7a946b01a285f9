/* SPDX-License-Identifier: MIT */
#include "crowd.h"

#include <string.h>

#define CROWD_SMALLEST 3u

static uint32_t *places_of(struct crowd *block)
{
	return (uint32_t *)(void *)&block->bindings[block->capacity];
}

uint32_t crowd_place(const struct crowd *block, uint32_t position)
{
	return ((const uint32_t *)(const void *)&block->bindings[block->capacity])[position];
}

static void put(struct pool *places, struct crowd *block, uint32_t position,
		const struct shunt_binding *binding, uint32_t number)
{
	struct place *place = pool_at(places, number, sizeof(*place));

	block->bindings[position] = binding;
	places_of(block)[position] = number;
	place->block = block;
	place->position = position;
}

static struct crowd *block_create(const struct shunt_host *host, uint32_t capacity)
{
	struct crowd *block = host->allocate(
		host, sizeof(*block) + capacity * (sizeof(block->bindings[0]) + sizeof(uint32_t)));

	if (!block)
		return NULL;
	block->next = NULL;
	block->count = 0;
	block->capacity = capacity;
	return block;
}

int crowd_reserve(const struct shunt_host *host, struct pool *places, struct crowd **crowd)
{
	struct crowd *first = *crowd;
	bool grow = first && first->capacity < CROWD_BLOCK;
	struct crowd *block;

	if (first && first->count < first->capacity)
		return 0;
	block = block_create(host, grow ? first->capacity * 2 : CROWD_SMALLEST);
	if (!block)
		return -1;
	*crowd = block;
	if (!grow) {
		block->next = first;
		return 0;
	}
	block->next = first->next;
	for (uint32_t i = 0; i < first->count; i++)
		put(places, block, i, first->bindings[i], crowd_place(first, i));
	block->count = first->count;
	host->free(host, first);
	return 0;
}

void crowd_add(struct pool *places, struct crowd *crowd, const struct shunt_binding *binding,
	       uint32_t place)
{
	put(places, crowd, crowd->count, binding, place);
	crowd->count++;
}

/* The last binding of the first block takes the place of the one that goes. */
void crowd_remove(const struct shunt_host *host, struct pool *places, struct crowd **crowd,
		  uint32_t number)
{
	const struct place *place = pool_at(places, number, sizeof(*place));
	struct crowd *first = *crowd;
	uint32_t last = first->count - 1;

	put(places, place->block, place->position, first->bindings[last], crowd_place(first, last));
	first->count--;
	if (first->count == 0) {
		*crowd = first->next;
		host->free(host, first);
	}
}

void crowd_free(const struct shunt_host *host, struct crowd *crowd)
{
	while (crowd) {
		struct crowd *next = crowd->next;

		host->free(host, crowd);
		crowd = next;
	}
}
