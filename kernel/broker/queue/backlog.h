/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_QUEUE_BACKLOG_H
#define KERNEL_BROKER_QUEUE_BACKLOG_H

/*
 * The messages of a queue by sequence number. A message is in a slot of 16 bytes, slots are in
 * chunks, and a small table finds a chunk by its number: so each step below is O(1), but for
 * messages that came back, which wait in a heap.
 *
 *	   returned (heap)          cursor          next_seq
 *	     v      v                 v                v
 *	....TT.R....R.TT...T..........RRRRRR.RRRRRRRRRR       T taken, R ready, . gone
 *
 * All from the cursor on are ready or gone; before it are those taken, those that came back, and
 * gaps. A chunk in which nothing is left is given back, wherever it is, so an old message that
 * nobody acknowledges holds its own chunk and no more.
 *
 * A message whose body is in the log may be *away*: its slot knows the body's size and no more,
 * until it is read back.
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
#include "broker/queue/chunk_table.h"
#include "broker/message/message.h"
#include "loop/task.h"

enum slot_state {
	SLOT_GONE,
	SLOT_READY,
	SLOT_TAKEN, /* delivered and not settled */
};

#define SLOT_NEVER	    ((UINT64_C(1) << 40) - 1)
#define SLOT_DELIVERIES_MAX UINT16_MAX

/*
 * word: the message's address, or, when it is away, twice the size of its body plus one. Only for
 * the functions below.
 *
 * marks, from the lowest bit: 40 bits when it expires, 16 how often it came back from a delivery, 2
 * its state, then whether it was delivered before, whether there is a record of it in the log,
 * whether that record could not be written, and whether it is there to stay: not only as memory is
 * short. By hand, as bit-fields make slow code.
 */
struct slot {
	uint64_t word;
	uint64_t marks;
};

static_assert(sizeof(struct slot) == 16, "a long queue's cost in memory");

#define SLOT_DELIVERIES_SHIFT 40
#define SLOT_STATE_SHIFT      56
#define SLOT_STATE_MASK	      (UINT64_C(3) << SLOT_STATE_SHIFT)
#define SLOT_REDELIVERED      (UINT64_C(1) << 58)
#define SLOT_LOGGED	      (UINT64_C(1) << 59)
#define SLOT_UNSTORED	      (UINT64_C(1) << 60)
#define SLOT_PERSISTENT	      (UINT64_C(1) << 61)

/* Not in memory. */
static inline bool slot_is_away(const struct slot *slot)
{
	return (slot->word & 1) != 0;
}

/* Of one that is in memory. The slot has a reference. */
static inline struct message *slot_message_there(const struct slot *slot)
{
	return (struct message *)(uintptr_t)slot->word;
}

/* NULL: it is away. */
static inline struct message *slot_message(const struct slot *slot)
{
	return UNLIKELY(slot_is_away(slot)) ? NULL : slot_message_there(slot);
}

static inline uint32_t slot_body_size(const struct slot *slot)
{
	return slot_is_away(slot) ? (uint32_t)(slot->word >> 1)
				  : slot_message_there(slot)->body_size;
}

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
	uint32_t n_away;  /* those of them that are away */
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

/* What messages amount to; alloc_bytes is of those in memory. */
struct backlog_sum {
	uint64_t count, body_bytes, alloc_bytes;
	uint64_t away_count, away_bytes; /* those that are away, and their bodies */
};

struct backlog {
	uint64_t next_seq; /* of the next message; the first is 1 */
	uint64_t cursor;
	struct backlog_sum all, taken;
	uint64_t persistent_count, persistent_bytes; /* of all */
	uint64_t stored_through; /* what is logged up to here is in the log, or SLOT_UNSTORED */
	uint64_t away_from;	 /* no ready message before it is away; UINT64_MAX: none is */
	struct heap returned;	 /* ready ones before the cursor */
	struct chunk *newest;	 /* of the next message, NULL: none yet */
	struct chunk *at_cursor; /* NULL: to be looked up */
	struct chunk *found;	 /* by the last search, NULL: none */
	struct list chunks;	 /* by number */
	struct chunk_table table;
	uint32_t n_chunks;
	struct chunk_pool *pool;
};

void backlog_init(struct backlog *b, struct chunk_pool *pool);

/* Drops all messages: some now, most of a long backlog later, by the pool. */
void backlog_fini(struct backlog *b);

/* Takes the message's reference; returns its sequence number. marks: 0, SLOT_LOGGED, or that and
 * SLOT_PERSISTENT; then backlog_count_persistent() follows. */
uint64_t backlog_append(struct backlog *b, struct message *message, uint64_t expires_at,
			uint64_t marks);

/* Apart from the append, so that others pay nothing for it. */
static inline void backlog_count_persistent(struct backlog *b, uint32_t body_size)
{
	b->persistent_count++;
	b->persistent_bytes += body_size;
}

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
	if (UNLIKELY(slot_state(&chunk->slots[at]) != SLOT_READY))
		return backlog_search_head(b, ret_seq);
	if (at + BACKLOG_LOOK_AHEAD < CHUNK_SLOTS)
		__builtin_prefetch(
			(const void *)(uintptr_t)chunk->slots[at + BACKLOG_LOOK_AHEAD].word);
	*ret_seq = seq;
	return &chunk->slots[at];
}

/*
 * The message that backlog_head() has just returned: becomes taken; or goes, and its reference is
 * the caller's (NULL: it is away).
 */
void backlog_take(struct backlog *b, uint64_t seq, struct slot *slot);
struct message *backlog_shift(struct backlog *b, uint64_t seq, struct slot *slot);

/* The slot of a message, ready or taken, NULL when there is none of that number. */
struct slot *backlog_find(struct backlog *b, uint64_t seq);

/* The same, of a taken one. */
struct slot *backlog_find_taken(struct backlog *b, uint64_t seq);

/*
 * What backlog_find_taken() has just returned: goes, and its reference is the caller's (NULL: it is
 * away); or is ready again, in its place.
 */
struct message *backlog_remove(struct backlog *b, uint64_t seq, struct slot *slot);
void backlog_return(struct backlog *b, uint64_t seq, struct slot *slot);

/* Drops all that are ready, a long backlog later and by the pool; returns how many. */
uint64_t backlog_purge(struct backlog *b);

/* Bytes of its own, without the messages. */
uint64_t backlog_overhead(const struct backlog *b);

/* ---- What is in memory and what is not: backlog_paging.c ---- */

/* It is in memory, and could be read back. */
static inline bool backlog_can_page_out(const struct backlog *b, uint64_t seq,
					const struct slot *slot)
{
	return (slot->marks & (SLOT_LOGGED | SLOT_UNSTORED)) == SLOT_LOGGED &&
	       seq <= b->stored_through && !slot_is_away(slot);
}

/* More than `budget` in memory, or half as much with consumers. */
static inline bool backlog_is_above(const struct backlog *b, uint64_t budget)
{
	return b->all.alloc_bytes > budget || b->taken.alloc_bytes > budget / 2;
}

/*
 * A message leaves memory, which backlog_can_page_out() allows; its reference is the caller's. Or
 * one that is away is back, and takes the reference.
 */
struct message *backlog_page_out(struct backlog *b, uint64_t seq, struct slot *slot);
void backlog_page_in(struct backlog *b, uint64_t seq, struct slot *slot, struct message *message);

/*
 * While the backlog is above the budget, what can leave memory does, of first..last and from the
 * last on.
 */
void backlog_trim_range(struct backlog *b, uint64_t first, uint64_t last, uint64_t budget);

/*
 * The same with everything before `*below` (UINT64_MAX at first), some at a time; false: there is
 * nothing left to do.
 */
bool backlog_trim(struct backlog *b, uint64_t *below, uint64_t budget);

/*
 * The numbers of ready messages that are away, in their order, as many as `max` and bodies of about
 * max_bytes, but one at least: from away_from on, which moves behind them. 0: the head is in
 * memory, and so is a good deal behind it.
 */
size_t backlog_find_away(struct backlog *b, uint64_t *seqs, size_t max, uint64_t max_bytes);

/* A ready message that is away goes, from wherever it is. */
void backlog_drop_away(struct backlog *b, uint64_t seq, struct slot *slot);

/*
 * At the start, while it is empty: numbers up to last_seq have been given away. Then those of them
 * that are still in the log, ready and away, in any order; marks are deliveries, SLOT_REDELIVERED,
 * SLOT_LOGGED and SLOT_PERSISTENT. -EEXIST: there is one of that number, -ERANGE: it was not given
 * away. Until the end of it nothing else may be done but backlog_fini().
 */
void backlog_restore_begin(struct backlog *b, uint64_t last_seq);
int backlog_restore(struct backlog *b, uint64_t seq, uint32_t body_size, uint64_t expires_at,
		    uint64_t marks) MUST_USE;
void backlog_restore_end(struct backlog *b);

#endif
