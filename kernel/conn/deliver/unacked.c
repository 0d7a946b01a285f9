/* SPDX-License-Identifier: MIT */
#include "conn/deliver/unacked.h"

#include <errno.h>

#include "base/account.h"
#include "base/bug.h"
#include "base/mem.h"

/*
 * The happy path: tags are settled in about the order of their deliveries, and the ring goes along
 * with them.
 *
 * When the ring is full and nearly all in it are gone, the held ones of all but its latest half
 * become stragglers. That costs a look at each of their places once; the next time is half a ring
 * of deliveries away.
 *
 * A ring that grows keeps its old one beside it for a time: each delivery that is added moves
 * UNACKED_MOVED entries over, from the highest tag to the lowest. They have all moved long before
 * the new one is full.
 */
#define UNACKED_MOVED 4u
#define UNACKED_FIRST_CAPACITY 16u
/* A ring above this many entries is given back when it is empty. */
#define UNACKED_KEPT_CAPACITY 1024u
/* A ring of more than this many is sparse when not one in four is held. */
#define UNACKED_DENSE_SPAN 1024u

void unacked_init(struct unacked *u, uint64_t first_tag)
{
	*u = (struct unacked){.base = first_tag, .end = first_tag};
}

static void unacked_give_back_old(struct unacked *u)
{
	account_add(ACCOUNT_CONNECTION, -(ptrdiff_t)(u->old_capacity * sizeof(*u->old)));
	mem_free(u->old);
	u->old = NULL;
	u->old_capacity = 0;
	u->old_end = 0;
}

static void unacked_give_back_ring(struct unacked *u)
{
	unacked_give_back_old(u);
	account_add(ACCOUNT_CONNECTION, -(ptrdiff_t)(u->capacity * sizeof(*u->entries)));
	mem_free(u->entries);
	u->entries = NULL;
	u->capacity = 0;
}

static void unacked_give_back_stragglers(struct unacked *u)
{
	account_add(ACCOUNT_CONNECTION,
		    -(ptrdiff_t)(u->stragglers_capacity * sizeof(*u->stragglers)));
	mem_free(u->stragglers);
	u->stragglers = NULL;
	u->stragglers_capacity = 0;
}

void unacked_fini(struct unacked *u)
{
	unacked_give_back_ring(u);
	unacked_give_back_stragglers(u);
}

static size_t unacked_held_in_ring(const struct unacked *u)
{
	return u->held - (u->n_stragglers - u->n_stragglers_gone);
}

static void unacked_move_some(struct unacked *u, uint64_t count)
{
	for (; count > 0 && u->old_end > u->base; count--) {
		uint64_t tag = --u->old_end;

		u->entries[tag & (u->capacity - 1)] = u->old[tag & (u->old_capacity - 1)];
	}
	if (u->old_end <= u->base)
		unacked_give_back_old(u);
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
	unacked_move_some(u, UINT64_MAX);
	u->old = u->entries;
	u->old_capacity = u->capacity;
	u->old_end = u->end;
	account_add(ACCOUNT_CONNECTION, (ptrdiff_t)(capacity * sizeof(*entries)));
	u->entries = entries;
	u->capacity = capacity;
	unacked_move_some(u, UNACKED_MOVED);
	return 0;
}

/* ---- Stragglers ---- */

/* The index of the first one with this tag or a higher one. */
static size_t unacked_search(const struct unacked *u, uint64_t tag)
{
	size_t low = 0, high = u->n_stragglers;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (u->stragglers[middle].tag < tag)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct unacked_entry *unacked_straggler(const struct unacked *u, uint64_t tag)
{
	size_t i = unacked_search(u, tag);

	return i < u->n_stragglers && u->stragglers[i].tag == tag ? &u->stragglers[i].entry : NULL;
}

static int unacked_reserve_stragglers(struct unacked *u, size_t count)
{
	size_t capacity =
		u->stragglers_capacity != 0 ? u->stragglers_capacity : UNACKED_FIRST_CAPACITY;
	struct unacked_straggler *stragglers;

	while (capacity < count)
		capacity *= 2;
	if (capacity == u->stragglers_capacity)
		return 0;
	stragglers = mem_try_realloc(u->stragglers, capacity * sizeof(*stragglers));
	if (stragglers == NULL)
		return -ENOMEM;
	account_add(ACCOUNT_CONNECTION,
		    (ptrdiff_t)((capacity - u->stragglers_capacity) * sizeof(*stragglers)));
	u->stragglers = stragglers;
	u->stragglers_capacity = capacity;
	return 0;
}

/* What the ring holds below this tag becomes stragglers. */
static int unacked_leave_behind(struct unacked *u, uint64_t tag)
{
	if (unacked_reserve_stragglers(u, u->n_stragglers + unacked_held_in_ring(u)) != 0)
		return -ENOMEM;
	for (; u->base < tag && u->base != u->end; u->base++) {
		const struct unacked_entry *entry = unacked_in_ring(u, u->base);

		if (entry->state != UNACKED_GONE)
			u->stragglers[u->n_stragglers++] =
				(struct unacked_straggler){u->base, *entry};
	}
	return 0;
}

/* Half of them at least are gone. */
static void unacked_compact_stragglers(struct unacked *u)
{
	size_t kept = 0;

	for (size_t i = 0; i < u->n_stragglers; i++)
		if (u->stragglers[i].entry.state != UNACKED_GONE)
			u->stragglers[kept++] = u->stragglers[i];
	u->n_stragglers = kept;
	u->n_stragglers_gone = 0;
	if (kept == 0)
		unacked_give_back_stragglers(u);
}

/* ---- Coming and going ---- */

static int unacked_make_room(struct unacked *u, uint64_t tag)
{
	uint64_t span = tag - u->base + 1;

	if (span > UNACKED_DENSE_SPAN && unacked_held_in_ring(u) < span / 4) {
		if (unacked_leave_behind(u, tag + 1 - u->capacity / 2) != 0)
			return -ENOMEM;
		if (u->base == u->end)
			u->base = u->end = tag;
		span = tag - u->base + 1;
	}
	return span <= u->capacity ? 0 : unacked_grow(u, span);
}

int unacked_add(struct unacked *u, uint64_t tag, uint64_t seq, uint32_t source)
{
	bug_on(tag < u->end);
	if (unacked_held_in_ring(u) == 0)
		u->base = u->end = tag;
	if (u->old_end != 0)
		unacked_move_some(u, UNACKED_MOVED);
	if (tag - u->base >= u->capacity && unacked_make_room(u, tag) != 0)
		return -ENOMEM;
	for (; u->end < tag; u->end++) /* tags of no_ack deliveries between */
		unacked_in_ring(u, u->end)->state = UNACKED_GONE;
	*unacked_in_ring(u, tag) = (struct unacked_entry){seq, source, UNACKED_HELD};
	u->end = tag + 1;
	u->held++;
	return 0;
}

struct unacked_entry *unacked_next(const struct unacked *u, uint64_t *tag)
{
	uint64_t from = *tag;

	for (size_t i = unacked_search(u, from); i < u->n_stragglers; i++) {
		if (u->stragglers[i].entry.state == UNACKED_GONE)
			continue;
		*tag = u->stragglers[i].tag;
		return &u->stragglers[i].entry;
	}
	for (uint64_t at = from > u->base ? from : u->base; at < u->end; at++) {
		if (unacked_in_ring(u, at)->state == UNACKED_GONE)
			continue;
		*tag = at;
		return unacked_in_ring(u, at);
	}
	return NULL;
}

struct unacked_entry *unacked_prev(const struct unacked *u, uint64_t *tag)
{
	uint64_t from = *tag < u->end ? *tag + 1 : u->end;

	for (uint64_t at = from; at > u->base; at--) {
		if (unacked_in_ring(u, at - 1)->state == UNACKED_GONE)
			continue;
		*tag = at - 1;
		return unacked_in_ring(u, at - 1);
	}
	for (size_t i = unacked_search(u, from); i-- > 0;) {
		if (u->stragglers[i].entry.state == UNACKED_GONE)
			continue;
		*tag = u->stragglers[i].tag;
		return &u->stragglers[i].entry;
	}
	return NULL;
}

static bool unacked_is_in_ring(const struct unacked *u, const struct unacked_entry *entry)
{
	return (entry >= u->entries && entry < u->entries + u->capacity) ||
	       (entry >= u->old && entry < u->old + u->old_capacity);
}

void unacked_remove(struct unacked *u, struct unacked_entry *entry)
{
	bug_on(entry->state == UNACKED_GONE);
	entry->state = UNACKED_GONE;
	u->held--;
	if (!unacked_is_in_ring(u, entry)) {
		if (++u->n_stragglers_gone * 2 >= u->n_stragglers)
			unacked_compact_stragglers(u);
		return;
	}
	if (unacked_held_in_ring(u) == 0) /* also after the last of many that went downwards */
		u->base = u->end;
	while (u->base != u->end && unacked_in_ring(u, u->base)->state == UNACKED_GONE)
		u->base++;
	if (u->base == u->end && u->capacity > UNACKED_KEPT_CAPACITY)
		unacked_give_back_ring(u);
}
