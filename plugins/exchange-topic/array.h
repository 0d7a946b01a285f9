/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_ARRAY_H
#define EXCHANGE_TOPIC_ARRAY_H

/*
 * An array that grows without moving what is in it, so that no single bind() copies or clears much,
 * however large the exchange is. Its segments double in size, from 16 records to 256 KiB; from
 * there on each has 512 KiB, or up to twice as much. That is what an unbind() gives back at once at
 * most, as the system takes half a microsecond for each page that it gets back. Records begin on a
 * cache line and are not initialised. The caller knows which records are in use.
 */

#include <shunt/plugin.h>

#define ARRAY_FIRST_BITS 4u
#define ARRAY_BYTES_BITS 19u /* of a large segment */
#define ARRAY_MAX	 ((1u << 27) - (1u << ARRAY_FIRST_BITS))
#define ARRAY_CACHE_LINE 64u
#define ARRAY_FEW	 24u

/* Stands before the first record of a segment, in a cache line of its own. */
struct array_head {
	void *memory;		 /* what the host allocated */
	uint32_t used;		 /* the rest belongs to the pool, if it is one of a pool */
	uint32_t fresh;		 /* records from here on were never used */
	uint32_t free;		 /* the first of the free records; ARRAY_MAX: none */
	uint32_t previous, next; /* segments with room */
};

struct array {
	const struct shunt_host *host;
	uint8_t **segments; /* NULL: there is none */
	uint8_t *few[ARRAY_FEW];
	size_t record_size;
	uint32_t segment_count; /* all before are NULL or there */
	uint32_t capacity;	/* of `segments` */
};

void array_init(struct array *array, const struct shunt_host *host, size_t record_size);
void array_fini(struct array *array);

/* Makes a segment. 0, or -1 when memory (or the numbers) ran out. */
int array_segment_add(struct array *array, uint32_t segment);
void array_segment_remove(struct array *array, uint32_t segment);

/* Makes the record usable, where the ones before are. 0, or -1 when memory (or the numbers) ran
 * out. */
int array_reserve(struct array *array, uint32_t index);

/* Gives memory back when only `count` records at the beginning are in use: one segment at most, if
 * it is called after each record that goes. */
void array_trim(struct array *array, uint32_t count);

/* Of large segments: the bits of a record's number in its segment. */
static inline unsigned array_large_bits(size_t record_size)
{
	return ARRAY_BYTES_BITS - (31u - (unsigned)__builtin_clz((uint32_t)record_size));
}

static inline uint32_t array_segment_of(uint32_t index, size_t record_size, uint32_t *ret_start)
{
	unsigned large_bits = array_large_bits(record_size);
	uint32_t position = index + (1u << ARRAY_FIRST_BITS);
	uint32_t large = position >> large_bits;
	unsigned bits;

	if (large > 0) {
		*ret_start = (large << large_bits) - (1u << ARRAY_FIRST_BITS);
		return large_bits - ARRAY_FIRST_BITS - 1 + large;
	}
	bits = 31u - (unsigned)__builtin_clz(position);
	*ret_start = (1u << bits) - (1u << ARRAY_FIRST_BITS);
	return bits - ARRAY_FIRST_BITS;
}

static inline struct array_head *array_head(const struct array *array, uint32_t segment)
{
	return (struct array_head *)(void *)(array->segments[segment] - ARRAY_CACHE_LINE);
}

/* The record, whose memory is there. Pass sizeof the type: a constant, so that no multiplication is
 * left. */
static inline void *array_at(const struct array *array, uint32_t index, size_t record_size)
{
	unsigned large_bits = array_large_bits(record_size);
	uint32_t position = index + (1u << ARRAY_FIRST_BITS);
	uint32_t large = position >> large_bits;
	unsigned bits;

	if (large > 0)
		return array->segments[large_bits - ARRAY_FIRST_BITS - 1 + large] +
		       (position & ((1u << large_bits) - 1)) * record_size;
	bits = 31u - (unsigned)__builtin_clz(position);
	return array->segments[bits - ARRAY_FIRST_BITS] + (position - (1u << bits)) * record_size;
}

/* The first record of a segment, and how many it has. */
uint32_t array_segment_start(const struct array *array, uint32_t segment);
uint32_t array_segment_size(const struct array *array, uint32_t segment);

#endif
