/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_QUEUE_BACKLOG_STATE_H
#define KERNEL_BROKER_QUEUE_BACKLOG_STATE_H

/* The inside of a backlog, for the files that make it up (backlog*.c). */

#include "broker/queue/backlog.h"

/* The chunk of a number, NULL: none. Remembers it, for a run of neighbours. */
struct chunk *backlog_chunk_find(struct backlog *b, uint64_t number);

/* The first whose number is not below it, NULL: none. */
struct chunk *backlog_chunk_from(const struct backlog *b, uint64_t number);

/* A new one, at the end of the list. */
struct chunk *backlog_chunk_open(struct backlog *b, uint64_t number);

static inline struct chunk *backlog_chunk_next(const struct backlog *b, const struct chunk *chunk)
{
	return chunk->link.next == &b->chunks ? NULL
					      : container_of(chunk->link.next, struct chunk, link);
}

static inline struct chunk *backlog_chunk_of(uint64_t seq, struct slot *slot)
{
	return container_of((struct slot(*)[CHUNK_SLOTS])(slot - seq % CHUNK_SLOTS), struct chunk,
			    slots);
}

void backlog_sum_add(struct backlog_sum *sum, const struct slot *slot);
void backlog_sum_subtract(struct backlog_sum *sum, const struct slot *slot);

/* The slot is gone, and the chunk perhaps too; the reference is the caller's. */
struct message *backlog_clear_slot(struct backlog *b, struct chunk *chunk, struct slot *slot);

#endif
