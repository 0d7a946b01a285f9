/* SPDX-License-Identifier: MIT */
#include "array.h"

#include <string.h>

/* What malloc() maps by itself in the broker, and in most programs. */
#define MAPPED_SIZE ((size_t)4 << 20)

_Static_assert(sizeof(struct array_head) <= ARRAY_CACHE_LINE, "a head is a cache line");

void array_init(struct array *array, const struct shunt_host *host, size_t record_size)
{
	memset(array, 0, sizeof(*array));
	array->host = host;
	array->record_size = record_size;
	array->segments = array->few;
	array->capacity = ARRAY_FEW;
}

uint32_t array_segment_start(const struct array *array, uint32_t segment)
{
	unsigned large_bits = array_large_bits(array->record_size);
	unsigned bits = segment + ARRAY_FIRST_BITS;

	if (bits >= large_bits)
		return ((bits - large_bits + 1) << large_bits) - (1u << ARRAY_FIRST_BITS);
	return (1u << bits) - (1u << ARRAY_FIRST_BITS);
}

uint32_t array_segment_size(const struct array *array, uint32_t segment)
{
	unsigned large_bits = array_large_bits(array->record_size);
	unsigned bits = segment + ARRAY_FIRST_BITS;

	return 1u << (bits < large_bits ? bits : large_bits);
}

static int segments_reserve(struct array *array, uint32_t segment)
{
	const struct shunt_host *host = array->host;
	uint8_t **more;

	if (segment < array->capacity)
		return 0;
	more = host->allocate(host, 2 * (size_t)array->capacity * sizeof(*more));
	if (!more)
		return -1;
	memcpy(more, array->segments, array->capacity * sizeof(*more));
	memset(more + array->capacity, 0, array->capacity * sizeof(*more));
	if (array->segments != array->few)
		host->free(host, array->segments);
	array->segments = more;
	array->capacity *= 2;
	return 0;
}

/*
 * A large segment gets a mapping of its own, so that giving it back is cheap and leaves nothing: in
 * the middle of the heap it would stay, and at its end take all with it that is free there, which
 * may be long. What is allocated in that size and shrunk is not touched meanwhile.
 */
static void *segment_allocate(struct array *array, uint32_t segment, size_t size)
{
	const struct shunt_host *host = array->host;
	void *memory, *shrunk;

	if (segment + ARRAY_FIRST_BITS < array_large_bits(array->record_size))
		return host->allocate(host, size);
	memory = host->allocate(host, size > MAPPED_SIZE ? size : MAPPED_SIZE);
	if (!memory)
		return NULL;
	shrunk = host->reallocate(host, memory, size);
	return shrunk ? shrunk : memory;
}

int array_segment_add(struct array *array, uint32_t segment)
{
	size_t size = array->record_size * array_segment_size(array, segment);
	uint8_t *memory, *start;

	if (array_segment_start(array, segment) >= ARRAY_MAX ||
	    segments_reserve(array, segment) < 0)
		return -1;
	memory = segment_allocate(array, segment, size + 2 * (size_t)ARRAY_CACHE_LINE);
	if (!memory)
		return -1;
	start = memory + ARRAY_CACHE_LINE;
	start += (ARRAY_CACHE_LINE - (uintptr_t)start % ARRAY_CACHE_LINE) % ARRAY_CACHE_LINE;
	array->segments[segment] = start;
	array_head(array, segment)->memory = memory;
	if (segment >= array->segment_count)
		array->segment_count = segment + 1;
	return 0;
}

void array_segment_remove(struct array *array, uint32_t segment)
{
	array->host->free(array->host, array_head(array, segment)->memory);
	array->segments[segment] = NULL;
	while (array->segment_count > 0 && !array->segments[array->segment_count - 1])
		array->segment_count--;
	if (array->segment_count > 0 || array->segments == array->few)
		return;
	array->host->free(array->host, array->segments);
	array->segments = array->few;
	array->capacity = ARRAY_FEW;
	memset(array->few, 0, sizeof(array->few));
}

void array_fini(struct array *array)
{
	for (uint32_t i = array->segment_count; i-- > 0;)
		if (array->segments[i])
			array_segment_remove(array, i);
}

int array_reserve(struct array *array, uint32_t index)
{
	uint32_t start, segment;

	if (index >= ARRAY_MAX)
		return -1;
	segment = array_segment_of(index, array->record_size, &start);
	return segment < array->segment_count ? 0 : array_segment_add(array, segment);
}

/* Keeps one segment more than needed, so that a count that swings around a border does not allocate
 * each time. */
void array_trim(struct array *array, uint32_t count)
{
	while (array->segment_count > 1 &&
	       array_segment_start(array, array->segment_count - 2) >= count)
		array_segment_remove(array, array->segment_count - 1);
}
