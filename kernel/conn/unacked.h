/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_UNACKED_H
#define KERNEL_CONN_UNACKED_H

/*
 * A channel's unacknowledged deliveries by delivery tag: a ring from the lowest tag outstanding to the highest, so that
 * a tag finds its entry in O(1).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum unacked_state {
	UNACKED_GONE, /* settled, or never had to be */
	UNACKED_HELD,
	UNACKED_IN_TX, /* settled by a transaction that is not committed */
};

struct unacked_entry {
	uint64_t seq;    /* the queue's number of the message */
	uint32_t source; /* index into the channel's sources */
	uint32_t state;  /* enum unacked_state */
};

struct unacked {
	struct unacked_entry *entries; /* ring of `capacity`, a power of two; NULL while never used */
	size_t capacity;
	uint64_t base; /* lowest tag in the ring; all below are gone */
	uint64_t end;  /* one above the highest */
	size_t held;   /* entries HELD or IN_TX */
};

void unacked_init(struct unacked *u, uint64_t first_tag);
void unacked_fini(struct unacked *u);

/* Adds the tag, which is above all that were added before. 0 or -ENOMEM. */
int unacked_add(struct unacked *u, uint64_t tag, uint64_t seq, uint32_t source)
	__attribute__((warn_unused_result));

/* The entry of a tag, in any state; NULL: outside the ring. */
static inline struct unacked_entry *unacked_at(const struct unacked *u, uint64_t tag)
{
	return tag < u->base || tag >= u->end ? NULL : &u->entries[tag & (u->capacity - 1)];
}

/* NULL: not held. */
static inline struct unacked_entry *unacked_find(const struct unacked *u, uint64_t tag)
{
	struct unacked_entry *entry = unacked_at(u, tag);

	return entry != NULL && entry->state == UNACKED_HELD ? entry : NULL;
}

/* Settled: the entry goes. */
void unacked_remove(struct unacked *u, struct unacked_entry *entry);

#endif
