/* SPDX-License-Identifier: MIT */
#include "store/log/spans.h"

#include <stddef.h>

#include "base/compiler.h"
#include "base/mem.h"

#define SIZE_MIN  8u
#define SIZE_MAX_ 2048u

void spans_fini(struct spans *spans)
{
	mem_free(spans->table);
	*spans = (struct spans){.table = NULL};
}

static uint32_t home(uint64_t queue_id, uint32_t size)
{
	return (uint32_t)(queue_id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (size - 1);
}

/* Its place, or the free one that it would have. */
static struct span *find(const struct spans *spans, uint64_t queue_id)
{
	uint32_t at = home(queue_id, spans->size);

	while (spans->table[at].queue_id != 0 && spans->table[at].queue_id != queue_id)
		at = (at + 1) & (spans->size - 1);
	return &spans->table[at];
}

static void give_up(struct spans *spans)
{
	spans_fini(spans);
	spans->is_full = true;
}

static void grow(struct spans *spans)
{
	const struct spans old = *spans;
	uint32_t size = old.size > 0 ? old.size * 2 : SIZE_MIN;
	struct span *table = size <= SIZE_MAX_ ? mem_try_zalloc(size * sizeof(*table)) : NULL;

	if (!table) {
		give_up(spans);
		return;
	}
	*spans = (struct spans){.table = table, .size = size, .n = old.n};
	for (uint32_t i = 0; i < old.size; i++)
		if (old.table[i].queue_id != 0)
			*find(spans, old.table[i].queue_id) = old.table[i];
	mem_free(old.table);
}

/* NULL: it has become full. */
static struct span *add(struct spans *spans, uint64_t queue_id, uint64_t seq)
{
	struct span *span;

	if (spans->n >= spans->size / 2)
		grow(spans);
	if (spans->is_full)
		return NULL;
	span = find(spans, queue_id);
	*span = (struct span){.queue_id = queue_id, .first = seq, .last = seq};
	spans->n++;
	return span;
}

void spans_add(struct spans *spans, uint64_t queue_id, uint64_t seq)
{
	struct span *span = spans->table ? &spans->table[spans->recent] : NULL;

	if (spans->is_full)
		return;
	if (UNLIKELY(!span || span->queue_id != queue_id)) {
		span = spans->table ? find(spans, queue_id) : NULL;
		if (!span || span->queue_id == 0) {
			span = add(spans, queue_id, seq);
			if (!span)
				return;
		}
		spans->recent = (uint32_t)(span - spans->table);
	}
	if (seq < span->first)
		span->first = seq;
	if (seq > span->last)
		span->last = seq;
}

bool spans_overlap(const struct spans *spans, uint64_t queue_id, uint64_t first, uint64_t last)
{
	const struct span *span;

	if (spans->is_full)
		return true;
	if (!spans->table)
		return false;
	span = find(spans, queue_id);
	return span->queue_id == queue_id && span->first <= last && span->last >= first;
}
