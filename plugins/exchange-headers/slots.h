/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_HEADERS_SLOTS_H
#define EXCHANGE_HEADERS_SLOTS_H

/*
 * What the message at hand has under the names that matter: one value a name, for each loop apart,
 * so that route() needs no memory and no lock. Slots are numbered from 0; a loop's slots stand in
 * chunks that do not move. A slot is valid for the message in whose round it was filled.
 */

#include "value.h"

#define SLOTS_CHUNK 32u
#define SLOT_NONE   UINT32_MAX

struct slot {
	uint64_t round; /* in which it was filled */
	struct value value;
};

struct loop_slots {
	uint64_t round;
	struct slot **chunks;
	uint8_t padding[48]; /* loops do not share a cache line */
};

struct slots {
	const struct shunt_host *host;
	unsigned loops;
	struct loop_slots *by_loop;
	uint32_t *next_free; /* by slot: the next free slot */
	uint32_t first_free; /* SLOT_NONE: none */
	uint32_t used;
	uint32_t chunk_count;
	uint32_t chunk_capacity; /* of the arrays of chunks */
};

/* 0, or -1 when memory is out. */
int slots_init(struct slots *slots, const struct shunt_host *host);
void slots_fini(struct slots *slots);

/* A free slot, SLOT_NONE when memory is out. All memory for slots goes back when the last one does.
 */
uint32_t slots_take(struct slots *slots);
void slots_give(struct slots *slots, uint32_t slot);

static inline struct slot *slots_at(const struct loop_slots *loop, uint32_t slot)
{
	return &loop->chunks[slot / SLOTS_CHUNK][slot % SLOTS_CHUNK];
}

#endif
