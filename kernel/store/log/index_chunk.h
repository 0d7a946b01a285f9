/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_INDEX_CHUNK_H
#define KERNEL_STORE_LOG_INDEX_CHUNK_H

/*
 * The index's inside: how a queue finds the entry of a number. For store/log/index.c only.
 *
 * Numbers are split into groups of INDEX_GROUP. A group in which something is live has a chunk,
 * which holds a window of the group: at first a few entries, then four times as many until it is
 * the whole group.
 *
 * A queue's first chunk hangs at the queue itself (recent); with the second comes a table, open
 * addressing with linear probing. Groups mostly follow each other, so their numbers are scattered:
 * taken as they are, they would stand in the table as one long run, and removing from a run looks
 * at all that follows in it.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/map.h"
#include "store/log/index.h"

#define INDEX_GROUP UINT64_C(128)

/* How many entries a chunk has, by its rank. */
extern const uint8_t index_sizes[INDEX_CHUNK_SIZES];

struct index_chunk {
	union {
		uint64_t group;
		struct index_chunk *next; /* of a spare one */
	};
	uint8_t start; /* where in the group the window begins */
	uint8_t rank;
	uint8_t n_live;
	uint64_t entries[];
};

static_assert(sizeof(struct index_chunk) == 16, "what a group costs beside its entries");

struct index_queue {
	struct map_node node; /* by id */
	uint64_t id;
	uint64_t last_seq;
	uint64_t n_live;
	struct index_chunk *recent; /* that was last looked for; without a table the only one */
	struct index_chunk **table;
	uint64_t lowest;  /* no chunk is of a lower group, */
	uint64_t highest; /* nor of a higher one */
	uint32_t n_chunks;
	uint32_t table_bits;
};

/* The queue has a table. */
struct index_chunk *index_table_find(const struct index_queue *queue, uint64_t group);

/* NULL if the queue has no chunk of that group. */
static ALWAYS_INLINE struct index_chunk *index_chunk_find(struct index_queue *queue, uint64_t group)
{
	struct index_chunk *chunk = queue->recent;

	if (LIKELY(chunk && chunk->group == group))
		return chunk;
	if (!queue->table)
		return NULL;
	chunk = index_table_find(queue, group);
	if (chunk)
		queue->recent = chunk;
	return chunk;
}

/* NULL if the chunk, which is of the number's group, has no room for it. */
static ALWAYS_INLINE uint64_t *index_chunk_entry(struct index_chunk *chunk, uint64_t seq)
{
	unsigned at =
		(unsigned)(seq % INDEX_GROUP) - chunk->start; /* before the window: very large */

	return at < index_sizes[chunk->rank] ? &chunk->entries[at] : NULL;
}

/* Counted: index_overhead(), and the account. Taking gives zeroed memory, or NULL. */
void *index_take_memory(struct index *index, size_t size) MUST_USE;
void index_give_memory(struct index *index, void *p, size_t size);

/* The chunks of a queue, some NULL, in no order. Never none: at least a place for one. */
struct index_chunk **index_chunks(struct index_queue *queue, size_t *ret_n);

/*
 * A chunk with room for seq, where the queue has none for its group, or in the place of one whose
 * window does not hold it. NULL if memory is out, with nothing changed. Something must become live
 * in a new one at once.
 */
struct index_chunk *index_chunk_open(struct index *index, struct index_queue *queue,
				     uint64_t seq) MUST_USE;
struct index_chunk *index_chunk_grow(struct index *index, struct index_queue *queue,
				     struct index_chunk *old, uint64_t seq) MUST_USE;

/*
 * Takes out a chunk in which nothing is live. The table stays as large as it is, so that one may be
 * walking through it; index_table_trim() must follow.
 */
void index_chunk_close(struct index *index, struct index_queue *queue, struct index_chunk *chunk);
void index_table_trim(struct index *index, struct index_queue *queue);

void index_spares_free(struct index *index);

#endif
