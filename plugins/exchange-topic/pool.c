/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <string.h>

#define NONE ARRAY_MAX
#define FEW  1024u

void pool_init(struct pool *pool, const struct shunt_host *host, size_t record_size)
{
	array_init(&pool->records, host, record_size);
	pool->used = 0;
	pool->open = NONE;
	pool->spare = NONE;
}

void pool_fini(struct pool *pool)
{
	array_fini(&pool->records);
}

/* ---- Segments with room ---- */

static void open_add(struct pool *pool, uint32_t segment)
{
	struct array_head *head = array_head(&pool->records, segment);

	head->previous = NONE;
	head->next = pool->open;
	if (pool->open != NONE)
		array_head(&pool->records, pool->open)->previous = segment;
	pool->open = segment;
}

static void open_remove(struct pool *pool, uint32_t segment)
{
	const struct array_head *head = array_head(&pool->records, segment);

	if (head->previous != NONE)
		array_head(&pool->records, head->previous)->next = head->next;
	else
		pool->open = head->next;
	if (head->next != NONE)
		array_head(&pool->records, head->next)->previous = head->previous;
}

static int segment_make(struct pool *pool)
{
	struct array_head *head;
	uint32_t segment = 0;

	while (segment < pool->records.segment_count && pool->records.segments[segment])
		segment++;
	if (array_segment_add(&pool->records, segment) < 0)
		return -1;
	head = array_head(&pool->records, segment);
	head->used = 0;
	head->fresh = segment == 0; /* 0 is no number */
	head->free = NONE;
	open_add(pool, segment);
	return 0;
}

static void segment_drop(struct pool *pool, uint32_t segment)
{
	open_remove(pool, segment);
	array_segment_remove(&pool->records, segment);
}

static void spare_drop(struct pool *pool)
{
	if (pool->spare != NONE)
		segment_drop(pool, pool->spare);
	pool->spare = NONE;
}

/* Of two segments without records one goes; with few records left, none is kept. */
static void segment_emptied(struct pool *pool, uint32_t segment)
{
	if (pool->used < FEW)
		spare_drop(pool);
	if (pool->spare != NONE || pool->used < FEW)
		segment_drop(pool, segment);
	else
		pool->spare = segment;
}

/* ---- Records ---- */

uint32_t pool_take(struct pool *pool)
{
	uint32_t start, offset, segment;
	struct array_head *head;

	if (pool->open == NONE && segment_make(pool) < 0)
		return 0;
	segment = pool->open;
	head = array_head(&pool->records, segment);
	start = array_segment_start(&pool->records, segment);
	if (head->free != NONE) {
		offset = head->free;
		memcpy(&head->free,
		       pool->records.segments[segment] + offset * pool->records.record_size,
		       sizeof(head->free));
	} else {
		offset = head->fresh++;
	}
	head->used++;
	pool->used++;
	if (pool->spare == segment)
		pool->spare = NONE;
	if (head->free == NONE && head->fresh == array_segment_size(&pool->records, segment))
		open_remove(pool, segment);
	return start + offset;
}

void pool_give(struct pool *pool, uint32_t index)
{
	uint32_t start;
	uint32_t segment = array_segment_of(index, pool->records.record_size, &start);
	struct array_head *head = array_head(&pool->records, segment);
	uint8_t *record =
		pool->records.segments[segment] + (index - start) * pool->records.record_size;

	if (head->free == NONE && head->fresh == array_segment_size(&pool->records, segment))
		open_add(pool, segment);
	memcpy(record, &head->free, sizeof(head->free));
	head->free = index - start;
	pool->used--;
	if (--head->used == 0)
		segment_emptied(pool, segment);
	else if (pool->used < FEW)
		spare_drop(pool);
}

uint32_t pool_next(const struct pool *pool, uint32_t index)
{
	uint32_t start;
	uint32_t segment = array_segment_of(++index, pool->records.record_size, &start);

	for (; segment < pool->records.segment_count; segment++) {
		const struct array_head *head;

		start = array_segment_start(&pool->records, segment);
		index = index > start ? index : start;
		if (!pool->records.segments[segment])
			continue;
		head = array_head(&pool->records, segment);
		if (index - start < head->fresh)
			return index;
	}
	return 0;
}
