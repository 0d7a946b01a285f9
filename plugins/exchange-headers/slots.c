/* SPDX-License-Identifier: MIT */
#include "slots.h"

#include <string.h>

int slots_init(struct slots *slots, const struct shunt_host *host)
{
	memset(slots, 0, sizeof(*slots));
	slots->host = host;
	slots->loops = host->loop_count(host);
	slots->first_free = SLOT_NONE;
	slots->by_loop = host->allocate(host, slots->loops * sizeof(*slots->by_loop));
	if (!slots->by_loop)
		return -1;
	memset(slots->by_loop, 0, slots->loops * sizeof(*slots->by_loop));
	return 0;
}

static void chunks_free(struct slots *slots)
{
	const struct shunt_host *host = slots->host;

	for (unsigned i = 0; i < slots->loops; i++) {
		for (uint32_t k = 0; k < slots->chunk_count; k++)
			host->free(host, slots->by_loop[i].chunks[k]);
		host->free(host, slots->by_loop[i].chunks);
		slots->by_loop[i].chunks = NULL;
	}
	host->free(host, slots->next_free);
	slots->next_free = NULL;
	slots->first_free = SLOT_NONE;
	slots->chunk_count = 0;
	slots->chunk_capacity = 0;
}

void slots_fini(struct slots *slots)
{
	if (!slots->by_loop)
		return;
	chunks_free(slots);
	slots->host->free(slots->host, slots->by_loop);
}

/* Room for twice as many chunks. Where memory is out half way, what got larger stays so. */
static int chunks_reserve(struct slots *slots)
{
	const struct shunt_host *host = slots->host;
	uint32_t capacity = slots->chunk_capacity ? slots->chunk_capacity * 2 : 1;
	void *memory;

	if (slots->chunk_count < slots->chunk_capacity)
		return 0;
	memory = host->reallocate(host, slots->next_free,
				  (size_t)capacity * SLOTS_CHUNK * sizeof(*slots->next_free));
	if (!memory)
		return -1;
	slots->next_free = memory;
	for (unsigned i = 0; i < slots->loops; i++) {
		memory = host->reallocate(host, slots->by_loop[i].chunks,
					  capacity * sizeof(*slots->by_loop[i].chunks));
		if (!memory)
			return -1;
		slots->by_loop[i].chunks = memory;
	}
	slots->chunk_capacity = capacity;
	return 0;
}

static int chunks_add(struct slots *slots)
{
	const struct shunt_host *host = slots->host;
	size_t size = SLOTS_CHUNK * sizeof(struct slot);
	uint32_t chunk = slots->chunk_count;
	unsigned made;

	if (chunks_reserve(slots) < 0)
		return -1;
	for (made = 0; made < slots->loops; made++) {
		struct slot *memory = host->allocate(host, size);

		if (!memory)
			goto err;
		memset(memory, 0, size);
		slots->by_loop[made].chunks[chunk] = memory;
	}
	slots->chunk_count++;
	return 0;

err:
	while (made-- > 0)
		host->free(host, slots->by_loop[made].chunks[chunk]);
	return -1;
}

static void put_free(struct slots *slots, uint32_t slot)
{
	slots->next_free[slot] = slots->first_free;
	slots->first_free = slot;
}

uint32_t slots_take(struct slots *slots)
{
	uint32_t first = slots->chunk_count * SLOTS_CHUNK;
	uint32_t slot;

	if (slots->first_free == SLOT_NONE) {
		if (chunks_add(slots) < 0) {
			if (slots->used == 0)
				chunks_free(slots);
			return SLOT_NONE;
		}
		for (uint32_t i = SLOTS_CHUNK; i-- > 0;)
			put_free(slots, first + i);
	}
	slot = slots->first_free;
	slots->first_free = slots->next_free[slot];
	slots->used++;
	return slot;
}

void slots_give(struct slots *slots, uint32_t slot)
{
	put_free(slots, slot);
	if (--slots->used == 0)
		chunks_free(slots);
}
