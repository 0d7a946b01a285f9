/* SPDX-License-Identifier: MIT */
#include "array.h"

#include <string.h>

#define CACHE_LINE 64u

void array_init(struct array *array, const struct shunt_host *host, size_t record_size)
{
	memset(array, 0, sizeof(*array));
	array->host = host;
	array->record_size = record_size;
}

static uint32_t segment_start(unsigned segment)
{
	return (1u << (segment + ARRAY_FIRST_BITS)) - (1u << ARRAY_FIRST_BITS);
}

/* The pointer to what the host allocated stands before the first cache line. */
static void segment_free(struct array *array, unsigned segment)
{
	void *memory;

	if (!array->segments[segment])
		return;
	memcpy(&memory, array->segments[segment] - sizeof(memory), sizeof(memory));
	array->host->free(array->host, memory);
	array->segments[segment] = NULL;
}

static int segment_allocate(struct array *array, unsigned segment)
{
	size_t size = array->record_size << (segment + ARRAY_FIRST_BITS);
	uint8_t *memory = array->host->allocate(array->host, size + sizeof(memory) + CACHE_LINE);
	uint8_t *start;

	if (!memory)
		return -1;
	start = memory + sizeof(memory);
	start += (CACHE_LINE - (uintptr_t)start % CACHE_LINE) % CACHE_LINE;
	memcpy(start - sizeof(memory), &memory, sizeof(memory));
	array->segments[segment] = start;
	return 0;
}

void array_fini(struct array *array)
{
	for (unsigned i = 0; i < ARRAY_SEGMENTS; i++)
		segment_free(array, i);
}

int array_reserve(struct array *array, uint32_t index)
{
	unsigned segment;

	if (index >= ARRAY_MAX)
		return -1;
	segment =
		31u - (unsigned)__builtin_clz(index + (1u << ARRAY_FIRST_BITS)) - ARRAY_FIRST_BITS;
	return array->segments[segment] ? 0 : segment_allocate(array, segment);
}

/* Keeps one segment more than needed, so that a count that swings around a border does not allocate
 * each time. */
void array_trim(struct array *array, uint32_t count)
{
	for (unsigned i = ARRAY_SEGMENTS; i-- > 0;) {
		if (count > 0 && segment_start(i) <= 2 * (uint64_t)count)
			return;
		segment_free(array, i);
	}
}
