/* SPDX-License-Identifier: MIT */
#include "broker/queue/chunk_table.h"

#include "base/account.h"
#include "base/bug.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "broker/queue/backlog.h"

/*
 * What leaves the old table leaves a mark in its place, so that what is behind it is still found;
 * the new one has none, as gaps in it are closed.
 */

#define SIZE_MIN    4u
#define SIZE_SHRINK 64u /* a table up to this many places stays */

/*
 * Scattered: numbers that follow each other would fill the table in one long run, all of which
 * would be looked at when a chunk goes.
 */
static uint32_t place_of(uint64_t number, uint32_t size)
{
	return (uint32_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (size - 1);
}

/* In the old table: here was one. No chunk has this address. */
static struct chunk *mark_of(const struct chunk_table *t)
{
	return (struct chunk *)(void *)t->old;
}

static struct chunk **find_old(const struct chunk_table *t, uint64_t number)
{
	uint32_t at = place_of(number, t->old_size);

	for (; t->old[at]; at = (at + 1) & (t->old_size - 1)) {
		if (t->old[at] != mark_of(t) && t->old[at]->number == number)
			return &t->old[at];
	}
	return NULL;
}

struct chunk *chunk_table_find(const struct chunk_table *t, uint64_t number)
{
	struct chunk **old;
	uint32_t at;

	if (t->size == 0)
		return NULL;
	for (at = place_of(number, t->size); t->places[at]; at = (at + 1) & (t->size - 1)) {
		if (t->places[at]->number == number)
			return t->places[at];
	}
	if (LIKELY(!t->old))
		return NULL;
	old = find_old(t, number);
	return old ? *old : NULL;
}

static void put(struct chunk_table *t, struct chunk *chunk)
{
	uint32_t at = place_of(chunk->number, t->size);

	while (t->places[at])
		at = (at + 1) & (t->size - 1);
	t->places[at] = chunk;
}

/* Closes the gap: those behind it move up unless they are where they belong. */
static void close_gap(struct chunk_table *t, uint32_t gap)
{
	uint32_t mask = t->size - 1;

	for (uint32_t at = (gap + 1) & mask; t->places[at]; at = (at + 1) & mask) {
		uint32_t home = place_of(t->places[at]->number, t->size);

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		t->places[gap] = t->places[at];
		gap = at;
	}
	t->places[gap] = NULL;
}

static void leave_mark(struct chunk_table *t, uint64_t number)
{
	struct chunk **place = find_old(t, number);

	bug_on(!place);
	*place = mark_of(t);
}

/* ---- Growing and shrinking ---- */

static void account(uint32_t size, int sign)
{
	account_add(ACCOUNT_QUEUE, sign * (ptrdiff_t)(size * sizeof(struct chunk *)));
}

static void forget_old(struct chunk_table *t)
{
	account(t->old_size, -1);
	mem_free(t->old);
	t->old = NULL;
	t->old_size = t->n_moved = 0;
}

static void move_some(struct chunk_table *t, uint32_t n)
{
	for (; n > 0 && t->n_moved < t->old_size; n--) {
		struct chunk **place = &t->old[t->n_moved++];

		if (*place && *place != mark_of(t))
			put(t, *place);
		*place = *place ? mark_of(t) : NULL;
	}
	if (t->n_moved == t->old_size)
		forget_old(t);
}

static void resize(struct chunk_table *t, uint32_t size)
{
	if (t->old)
		move_some(t, t->old_size);
	t->old = t->places;
	t->old_size = t->size;
	t->n_moved = 0;
	account(size, 1);
	t->places = mem_zalloc(size * sizeof(struct chunk *));
	t->size = size;
}

void chunk_table_put(struct chunk_table *t, struct chunk *chunk)
{
	t->count++;
	if (t->size < t->count * 2)
		resize(t, t->size > 0 ? t->size * 2 : SIZE_MIN);
	put(t, chunk);
	if (UNLIKELY(t->old))
		move_some(t, CHUNK_TABLE_STEP);
}

void chunk_table_remove(struct chunk_table *t, struct chunk *chunk)
{
	uint32_t at = place_of(chunk->number, t->size);

	while (t->places[at] && t->places[at] != chunk)
		at = (at + 1) & (t->size - 1);
	if (t->places[at])
		close_gap(t, at);
	else
		leave_mark(t, chunk->number);
	t->count--;
	if (t->size > SIZE_SHRINK && t->count < t->size / 16)
		resize(t, t->size / 4);
	if (UNLIKELY(t->old))
		move_some(t, CHUNK_TABLE_STEP);
}

void chunk_table_clear(struct chunk_table *t)
{
	if (t->old)
		forget_old(t);
	account(t->size, -1);
	mem_free(t->places);
	*t = (struct chunk_table){.places = NULL};
}

uint64_t chunk_table_bytes(const struct chunk_table *t)
{
	return ((uint64_t)t->size + t->old_size) * sizeof(struct chunk *);
}
