/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_ARRAY_H
#define EXCHANGE_TOPIC_ARRAY_H

/*
 * An array that grows without moving what is in it: its segments double in size, the first holds 16
 * records, so that no single bind() copies or clears much, however large the exchange is. Records
 * begin on a cache line and are not initialised. The caller knows which records are in use.
 */

#include <shunt/plugin.h>

#define ARRAY_FIRST_BITS 4u
#define ARRAY_SEGMENTS	 24u
#define ARRAY_MAX	 ((1u << (ARRAY_FIRST_BITS + ARRAY_SEGMENTS)) - (1u << ARRAY_FIRST_BITS))

struct array {
	const struct shunt_host *host;
	size_t record_size;
	uint8_t *segments[ARRAY_SEGMENTS];
};

void array_init(struct array *array, const struct shunt_host *host, size_t record_size);
void array_fini(struct array *array);

/* Makes the record usable. 0, or -1 when memory (or the numbers) ran out. */
int array_reserve(struct array *array, uint32_t index);

/* Gives memory back when only `count` records at the beginning are in use. */
void array_trim(struct array *array, uint32_t count);

/* The record, whose memory is there. Pass sizeof the type: a constant, so that no multiplication is
 * left. */
static inline void *array_at(const struct array *array, uint32_t index, size_t record_size)
{
	uint32_t position = index + (1u << ARRAY_FIRST_BITS);
	unsigned bits = 31u - (unsigned)__builtin_clz(position);

	return array->segments[bits - ARRAY_FIRST_BITS] + (position - (1u << bits)) * record_size;
}

#endif
