/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_DELIVER_UNACKED_H
#define KERNEL_CONN_DELIVER_UNACKED_H

/*
 * A channel's unacknowledged deliveries by delivery tag: a ring of the latest tags, so that a tag
 * finds its entry in O(1). What a client holds long while it settles others goes to a sorted array
 * instead, for the ring must not span all tags that there have been since: memory is in proportion
 * to what is held.
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
	uint64_t seq;	 /* the queue's number of the message */
	uint32_t source; /* index into the channel's sources */
	uint32_t state;	 /* enum unacked_state */
};

struct unacked_straggler {
	uint64_t tag;
	struct unacked_entry entry;
};

struct unacked {
	struct unacked_entry
		*entries; /* ring of `capacity`, a power of two; NULL while never used */
	size_t capacity;
	struct unacked_entry *old; /* the ring before the last growth, while not all have moved */
	size_t old_capacity;
	uint64_t old_end; /* tags below are in the old one; 0: there is none */
	uint64_t base; /* lowest tag in the ring; all below are gone or stragglers */
	uint64_t end;  /* one above the highest */
	size_t held;   /* entries HELD or IN_TX, of both */
	struct unacked_straggler *stragglers; /* by tag */
	size_t n_stragglers, stragglers_capacity;
	size_t n_stragglers_gone;
};

void unacked_init(struct unacked *u, uint64_t first_tag);
void unacked_fini(struct unacked *u);

/* Adds the tag, which is above all that were added before. 0 or -ENOMEM. */
int unacked_add(struct unacked *u, uint64_t tag, uint64_t seq, uint32_t source)
	__attribute__((warn_unused_result));

/* The entry of a tag among the stragglers, in any state; NULL: none. */
struct unacked_entry *unacked_straggler(const struct unacked *u, uint64_t tag);

/* Of a tag from base on and below the end, or the next one. */
static inline struct unacked_entry *unacked_in_ring(const struct unacked *u, uint64_t tag)
{
	return __builtin_expect(tag < u->old_end, 0) ? &u->old[tag & (u->old_capacity - 1)]
						     : &u->entries[tag & (u->capacity - 1)];
}

/* The entry of a tag, in any state; NULL: long gone, or still to come. */
static inline struct unacked_entry *unacked_at(const struct unacked *u, uint64_t tag)
{
	if (tag >= u->base && tag < u->end)
		return unacked_in_ring(u, tag);
	return u->n_stragglers != 0 ? unacked_straggler(u, tag) : NULL;
}

/* NULL: not held. */
static inline struct unacked_entry *unacked_find(const struct unacked *u, uint64_t tag)
{
	struct unacked_entry *entry = unacked_at(u, tag);

	return entry != NULL && entry->state == UNACKED_HELD ? entry : NULL;
}

/*
 * The first entry that is not gone with a tag of *tag or more, which is then *tag; NULL: none. The
 * next one is found from *tag + 1 on, also when this one has been removed.
 */
struct unacked_entry *unacked_next(const struct unacked *u, uint64_t *tag);

/* The same downwards: the last one with a tag of *tag or less, and from *tag - 1 on. */
struct unacked_entry *unacked_prev(const struct unacked *u, uint64_t *tag);

/* Settled: the entry goes. Pointers to others do not hold any more. */
void unacked_remove(struct unacked *u, struct unacked_entry *entry);

#endif
