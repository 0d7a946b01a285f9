/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_BACKLOG_H
#define KERNEL_BROKER_BACKLOG_H

/*
 * The messages of a queue by sequence number. A message is in a slot of 16 bytes, slots are in
 * chunks, and a small table finds a chunk by its number: so each step below is O(1), but for
 * messages that came back, which wait in a heap.
 *
 *	   returned (heap)          cursor          next_seq
 *	     v      v                 v                v
 *	....TT.R....R.TT...T..........RRRRRRRRRRRRRRRRR       T taken, R ready, . gone
 *
 * All from the cursor on are ready; before it are those taken, those that came back, and gaps. A
 * chunk in which nothing is left is given back, wherever it is, so an old message that nobody
 * acknowledges holds its own chunk and no more.
 *
 * Belongs to its queue, on the queue's loop. Messages' references belong to the slots.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/heap.h"
#include "base/list.h"
#include "broker/message.h"
#include "loop/task.h"

enum slot_state {
	SLOT_GONE,
	SLOT_READY,
	SLOT_TAKEN, /* delivered and not settled */
};

#define SLOT_NEVER	    ((UINT64_C(1) << 40) - 1)
#define SLOT_DELIVERIES_MAX UINT16_MAX

/*
 * marks, from the lowest bit: 40 bits when it expires, 16 how often it came back from a delivery, 2
 * its state, then whether it was delivered before, and whether there is a record of it in the log.
 * By hand, as bit-fields make slow code.
 */
struct slot {
	struct message *message;
	uint64_t marks;
};

static_assert(sizeof(struct slot) == 16, "a long queue's cost in memory");

#define SLOT_DELIVERIES_SHIFT 40
#define SLOT_STATE_SHIFT      56
#define SLOT_STATE_MASK	      (UINT64_C(3) << SLOT_STATE_SHIFT)
#define SLOT_REDELIVERED      (UINT64_C(1) << 58)
#define SLOT_LOGGED	      (UINT64_C(1) << 59)

/* By loop_now_ms(); SLOT_NEVER. */
static inline uint64_t slot_expires_at(const struct slot *slot)
{
	return slot->marks & SLOT_NEVER;
}

static inline enum slot_state slot_state(const struct slot *slot)
{
	return (enum slot_state)(slot->marks >> SLOT_STATE_SHIFT & 3);
}

static inline void slot_set_state(struct slot *slot, enum slot_state state)
{
	slot->marks = (slot->marks & ~SLOT_STATE_MASK) | (uint64_t)state << SLOT_STATE_SHIFT;
}

static inline bool slot_is_redelivered(const struct slot *slot)
{
	return (slot->marks & SLOT_REDELIVERED) != 0;
}

static inline bool slot_is_logged(const struct slot *slot)
{
	return (slot->marks & SLOT_LOGGED) != 0;
}

static inline uint32_t slot_deliveries(const struct slot *slot)
{
	return (uint16_t)(slot->marks >> SLOT_DELIVERIES_SHIFT);
}

/* It came back: marked, and counted as far as the count goes. */
static inline void slot_mark_redelivered(struct slot *slot)
{
	slot->marks |= SLOT_REDELIVERED;
	if (slot_deliveries(slot) < SLOT_DELIVERIES_MAX)
		slot->marks += UINT64_C(1) << SLOT_DELIVERIES_SHIFT;
}

#define CHUNK_SLOTS	   128u
#define BACKLOG_LOOK_AHEAD 4u /* messages fetched into the cache before they are needed */

struct chunk {
	struct list link; /* in the backlog, by number; in the pool */
	uint64_t number;  /* sequence number of its first slot / CHUNK_SLOTS */
	uint32_t n_live;  /* slots that are not gone */
	struct slot slots[CHUNK_SLOTS];
};

/* A loop's chunks: spare ones, and those whose messages are still to be dropped, some at a time. */
struct chunk_pool {
	struct list spare;
	unsigned n_spare;
	struct list doomed;
	struct loop_task reap;
};

void chunk_pool_init(struct chunk_pool *pool);
void chunk_pool_fini(struct chunk_pool *pool);

/* What messages amount to. */
struct backlog_sum {
	uint64_t count, body_bytes, alloc_bytes;
};

struct backlog {
	uint64_t next_seq; /* of the next message; the first is 1 */
	uint64_t cursor;
	struct backlog_sum all, taken;
	struct heap returned;	 /* ready ones before the cursor */
	struct chunk *newest;	 /* of the next message, NULL: none yet */
	struct chunk *at_cursor; /* NULL: to be looked up */
	struct chunk *found;	 /* by the last search, NULL: none */
	struct list chunks;
	struct chunk **table; /* open addressing by number */
	uint32_t table_size;  /* power of two or 0 */
	uint32_t n_chunks;
	struct chunk_pool *pool;
};

void backlog_init(struct backlog *b, struct chunk_pool *pool);

/* Drops all messages: some now, most of a long backlog later, by the pool. */
void backlog_fini(struct backlog *b);

/* Takes the message's reference; returns its sequence number. */
uint64_t backlog_append(struct backlog *b, struct message *message, uint64_t expires_at,
			bool logged);

/*
 * At the start, while it is empty: numbers up to last_seq have been given away. Then those of them
 * that are still there, in any order; marks are deliveries, SLOT_REDELIVERED and SLOT_LOGGED. Takes
 * the message's reference if it returns 0; -EEXIST: there is one of that number, -ERANGE: it was
 * not given away.
 */
void backlog_restore_begin(struct backlog *b, uint64_t last_seq);
int backlog_restore(struct backlog *b, uint64_t seq, struct message *message, uint64_t expires_at,
		    uint64_t marks) MUST_USE;

static inline uint64_t backlog_ready(const struct backlog *b)
{
	return b->all.count - b->taken.count;
}

struct slot *backlog_search_head(struct backlog *b, uint64_t *ret_seq);

/*
 * The first ready message, NULL: none. The slot is valid until the next call of something that
 * changes the backlog.
 */
static inline struct slot *backlog_head(struct backlog *b, uint64_t *ret_seq)
{
	uint64_t seq = b->cursor;
	struct chunk *chunk = b->at_cursor;

	if (UNLIKELY(heap_count(&b->returned) > 0 || seq == b->next_seq || !chunk ||
		     chunk->number != seq / CHUNK_SLOTS))
		return backlog_search_head(b, ret_seq);
	unsigned at = (unsigned)(seq % CHUNK_SLOTS);
	if (at + BACKLOG_LOOK_AHEAD < CHUNK_SLOTS)
		__builtin_prefetch(chunk->slots[at + BACKLOG_LOOK_AHEAD].message);
	*ret_seq = seq;
	return &chunk->slots[at];
}

/*
 * The message that backlog_head() has just returned: becomes taken; or goes, and its reference is
 * the caller's.
 */
void backlog_take(struct backlog *b, uint64_t seq, struct slot *slot);
struct message *backlog_shift(struct backlog *b, uint64_t seq, struct slot *slot);

/* The slot of a taken message, NULL when there is none of that number. */
struct slot *backlog_find_taken(struct backlog *b, uint64_t seq);

/*
 * What backlog_find_taken() has just returned: goes, and its reference is the caller's; or is ready
 * again, in its place.
 */
struct message *backlog_remove(struct backlog *b, uint64_t seq, struct slot *slot);
void backlog_return(struct backlog *b, uint64_t seq, struct slot *slot);

/* Drops all that are ready, a long backlog later and by the pool; returns how many. */
uint64_t backlog_purge(struct backlog *b);

/* Bytes of its own, without the messages. */
uint64_t backlog_overhead(const struct backlog *b);

#endif
