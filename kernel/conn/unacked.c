/* SPDX-License-Identifier: MIT */
#include "conn/unacked.h"

#include <errno.h>

#include "base/bug.h"
#include "base/mem.h"

#define UNACKED_FIRST_CAPACITY 16u
/* A ring above this many entries is given back when it is empty. */
#define UNACKED_KEPT_CAPACITY 1024u

void unacked_init(struct unacked *u, uint64_t first_tag)
{
	*u = (struct unacked){ .base = first_tag, .end = first_tag };
}

void unacked_fini(struct unacked *u)
{
	mem_free(u->entries);
	u->entries = NULL;
}

/* The number of entries is the number of deliveries a client leaves unanswered, so it may fail. */
static int unacked_grow(struct unacked *u, uint64_t span)
{
	size_t capacity = u->capacity != 0 ? u->capacity : UNACKED_FIRST_CAPACITY;
	struct unacked_entry *entries;

	while (capacity < span)
		capacity *= 2;
	entries = mem_try_zalloc(capacity * sizeof(*entries));
	if (entries == NULL)
		return -ENOMEM;
	for (uint64_t tag = u->base; tag != u->end; tag++)
		entries[tag & (capacity - 1)] = u->entries[tag & (u->capacity - 1)];
	mem_free(u->entries);
	u->entries = entries;
	u->capacity = capacity;
	return 0;
}

int unacked_add(struct unacked *u, uint64_t tag, uint64_t seq, uint32_t source)
{
	bug_on(tag < u->end);
	if (u->held == 0)
		u->base = u->end = tag;
	if (tag - u->base >= u->capacity) {
		int error = unacked_grow(u, tag - u->base + 1);

		if (error != 0)
			return error;
	}
	for (; u->end < tag; u->end++) /* tags of no_ack deliveries between */
		u->entries[u->end & (u->capacity - 1)].state = UNACKED_GONE;
	u->entries[tag & (u->capacity - 1)] = (struct unacked_entry){ seq, source, UNACKED_HELD };
	u->end = tag + 1;
	u->held++;
	return 0;
}

void unacked_remove(struct unacked *u, struct unacked_entry *entry)
{
	bug_on(entry->state == UNACKED_GONE);
	entry->state = UNACKED_GONE;
	u->held--;
	while (u->base != u->end && u->entries[u->base & (u->capacity - 1)].state == UNACKED_GONE)
		u->base++;
	if (u->held == 0 && u->capacity > UNACKED_KEPT_CAPACITY) {
		mem_free(u->entries);
		u->entries = NULL;
		u->capacity = 0;
	}
}
