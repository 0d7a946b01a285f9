/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_QUEUE_CHUNK_TABLE_H
#define KERNEL_BROKER_QUEUE_CHUNK_TABLE_H

/*
 * From a number to its chunk: a backlog's table, by open addressing. When it grows or shrinks, what
 * is in it moves a few places at a time, with each chunk that comes or goes, so no step is long
 * whatever the table's size. Belongs to its backlog; zeroed memory is an empty one.
 */

#include <stdint.h>

struct chunk;

/* Places that move with each change: many enough that all have before it grows or shrinks again. */
#define CHUNK_TABLE_STEP 32u

struct chunk_table {
	struct chunk **places;
	uint32_t size;	/* a power of two, or 0 */
	uint32_t count; /* chunks in both */
	/* The table of before, while it is being moved; NULL: all are in `places`. */
	uint32_t old_size, n_moved;
	struct chunk **old;
};

void chunk_table_clear(struct chunk_table *table);

/* NULL: there is none. */
struct chunk *chunk_table_find(const struct chunk_table *table, uint64_t number);

/* One whose number is not there; one that is there. */
void chunk_table_put(struct chunk_table *table, struct chunk *chunk);
void chunk_table_remove(struct chunk_table *table, struct chunk *chunk);

uint64_t chunk_table_bytes(const struct chunk_table *table);

#endif
