/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_INDEX_H
#define KERNEL_STORE_LOG_INDEX_H

/*
 * Which messages of one log are live, and where in the log they are: from a queue's id and a
 * sequence number to a place. An entry takes 8 bytes; a queue's entries are in chunks that are
 * found by number, and a chunk begins small, so that a queue with one message costs little and one
 * with millions some 8.5 bytes for each. What empties is given back.
 *
 * Owned by a log, used on one thread; no I/O. Adding, finding and settling one message is O(1). A
 * range costs what is live in it and, where the queue's numbers have gaps, a step for each of its
 * chunks at most, however wide the range is.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/map.h"

/*
 * A place: the slot number of the segment and the offset in it, a multiple of 8 and never 0 (there
 * is a header), so 0 is no place.
 */
#define INDEX_SEGMENT_MAX ((UINT32_C(1) << 24) - 1)
#define INDEX_OFFSET_MAX  ((uint64_t)UINT32_MAX * 8)

uint64_t index_place(uint32_t segment, uint64_t offset);

static inline uint32_t index_place_segment(uint64_t place)
{
	return (uint32_t)(place >> 32);
}

static inline uint64_t index_place_offset(uint64_t place)
{
	return (place & UINT32_MAX) * 8;
}

#define INDEX_DELIVERIES_MAX 127u /* the count stays there */

struct index_entry {
	uint64_t place;
	unsigned deliveries;
	bool is_transient; /* as it was added: not to survive the process */
};

struct index_queue_info {
	uint64_t id;
	uint64_t last_seq;
	uint64_t n_live;
};

struct index_queue;
struct index_chunk;

enum {
	INDEX_CHUNK_SIZES = 4,
	INDEX_RECENT = 64,
};

struct index {
	struct map queues;
	struct index_queue
		*recent[INDEX_RECENT]; /* that were last looked for, by a hash of the id */
	struct index_chunk *spares[INDEX_CHUNK_SIZES];
	unsigned n_spares[INDEX_CHUNK_SIZES];
	uint64_t n_live;
	size_t n_bytes;
};

void index_init(struct index *index);
void index_fini(struct index *index);

/*
 * Adds an entry with no deliveries; one that is there already moves to the place, gets the mark,
 * and keeps its count. ret_replaced: the place it was at, or 0. Returns 0, or -ENOMEM with nothing
 * changed.
 */
int index_add(struct index *index, uint64_t queue_id, uint64_t seq, uint64_t place,
	      bool is_transient, uint64_t *ret_replaced) MUST_USE;

/* False if it is not live. */
bool index_find(struct index *index, uint64_t queue_id, uint64_t seq, struct index_entry *ret);

/* False, and nothing changed, unless it is live and at `from`. */
bool index_move(struct index *index, uint64_t queue_id, uint64_t seq, uint64_t from, uint64_t to);

/*
 * Told of every entry that goes, in no particular order. It may look at the index (the entry is not
 * in it any more) but not change it.
 */
typedef void index_gone_fn(void *ctx, uint64_t queue_id, uint64_t seq, uint64_t place);

/* Takes out what is live from first to last, both included. gone may be NULL. */
void index_settle(struct index *index, uint64_t queue_id, uint64_t first, uint64_t last,
		  index_gone_fn *gone, void *ctx);

/* One delivery more for what is live from first to last; seen is told of each, and may be NULL. */
typedef index_gone_fn index_seen_fn;

void index_requeue(struct index *index, uint64_t queue_id, uint64_t first, uint64_t last,
		   index_seen_fn *seen, void *ctx);

/* The count as it was elsewhere, if the message is live. */
void index_set_deliveries(struct index *index, uint64_t queue_id, uint64_t seq,
			  unsigned deliveries);

/*
 * What is live in a queue, by ascending number, until visit returns other than 0, which is then
 * returned. The index must not change meanwhile. 0, also for an unknown queue, or -ENOMEM.
 */
typedef int index_visit_fn(void *ctx, uint64_t seq, const struct index_entry *entry);

int index_visit(struct index *index, uint64_t queue_id, index_visit_fn *visit, void *ctx) MUST_USE;

/*
 * The highest number that was ever added or noted for the queue, 0 if none. It is kept when the
 * queue has become empty, until it is forgotten. Noting returns 0 or -ENOMEM.
 */
uint64_t index_last_seq(struct index *index, uint64_t queue_id);
/* None that is live is lower. */
uint64_t index_lowest_seq(struct index *index, uint64_t queue_id);
int index_note_seq(struct index *index, uint64_t queue_id, uint64_t seq) MUST_USE;

/* With all that is live in it; gone may be NULL. */
void index_forget_queue(struct index *index, uint64_t queue_id, index_gone_fn *gone, void *ctx);

/*
 * All queues that are known, in no particular order: false at the end. The index must not change
 * meanwhile, but the queue just seen may be forgotten.
 */
bool index_first_queue(const struct index *index, struct map_cursor *cursor,
		       struct index_queue_info *ret);
bool index_next_queue(const struct index *index, struct map_cursor *cursor,
		      struct index_queue_info *ret);

static inline uint64_t index_count(const struct index *index)
{
	return index->n_live;
}

/* What it holds in memory, without the allocator's own; it is in the account as ACCOUNT_QUEUE. */
size_t index_overhead(const struct index *index);

#endif
