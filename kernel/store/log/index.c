/* SPDX-License-Identifier: MIT */
#include "store/log/index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/mem.h"
#include "store/log/index_chunk.h"

/* An entry: 56 bits of place (0: none), 7 of deliveries, the mark. */
#define ENTRY_PLACE_MASK ((UINT64_C(1) << 56) - 1)
#define ENTRY_DELIVERY	 (UINT64_C(1) << 56)
#define ENTRY_DELIVERIES ((uint64_t)INDEX_DELIVERIES_MAX << 56)
#define ENTRY_TRANSIENT	 (UINT64_C(1) << 63)

/* What is done with a range: apply() sees every chunk that may hold some of it. */
struct range {
	struct index *index;
	struct index_queue *queue;
	uint64_t first;
	uint64_t last;
	void (*apply)(const struct range *range, struct index_chunk *chunk);
	index_gone_fn *gone;
	void *ctx;
};

uint64_t index_place(uint32_t segment, uint64_t offset)
{
	bug_on(segment > INDEX_SEGMENT_MAX);
	bug_on(offset == 0 || offset % 8 != 0 || offset > INDEX_OFFSET_MAX);
	return (uint64_t)segment << 32 | offset / 8;
}

/* ---- Queues ---- */

static struct slice queue_key(const uint64_t *id)
{
	return slice_make(id, sizeof(*id));
}

/* Where a queue is found without the map, if it was looked for lately. */
static ALWAYS_INLINE struct index_queue **queue_recent(struct index *index, uint64_t id)
{
	static_assert(INDEX_RECENT == 1 << 6, "as many bits of the hash");

	return &index->recent[id * UINT64_C(0x9e3779b97f4a7c15) >> (64 - 6)];
}

__attribute__((noinline)) static struct index_queue *queue_search(struct index *index, uint64_t id)
{
	struct map_node *node = map_find(&index->queues, queue_key(&id));
	struct index_queue *queue;

	if (!node)
		return NULL;
	queue = container_of(node, struct index_queue, node);
	*queue_recent(index, id) = queue;
	return queue;
}

static ALWAYS_INLINE struct index_queue *queue_find(struct index *index, uint64_t id)
{
	struct index_queue *queue = *queue_recent(index, id);

	return LIKELY(queue && queue->id == id) ? queue : queue_search(index, id);
}

__attribute__((noinline)) static struct index_queue *queue_open(struct index *index, uint64_t id)
{
	struct index_queue *queue = index_take_memory(index, sizeof(*queue));

	if (!queue)
		return NULL;
	queue->id = id;
	map_insert(&index->queues, &queue->node, queue_key(&queue->id));
	*queue_recent(index, id) = queue;
	return queue;
}

static ALWAYS_INLINE struct index_queue *queue_need(struct index *index, uint64_t id)
{
	struct index_queue *queue = queue_find(index, id);

	return LIKELY(queue) ? queue : queue_open(index, id);
}

/* Nothing is live in it. */
static void queue_drop(struct index *index, struct index_queue *queue)
{
	bug_on(queue->n_chunks > 0 || queue->table);
	map_remove(&index->queues, &queue->node);
	if (*queue_recent(index, queue->id) == queue)
		*queue_recent(index, queue->id) = NULL;
	index_give_memory(index, queue, sizeof(*queue));
}

/* ---- Ranges ---- */

/*
 * By number where that is less than what the table has. Otherwise through the table, where apply()
 * may remove the chunk at hand: then others have moved up, one of them perhaps to here, and one
 * that was seen at the table's beginning may be seen again at its end, which does no harm.
 */
static void range_walk(const struct range *range, uint64_t low, uint64_t high)
{
	struct index_queue *queue = range->queue;
	size_t n;
	struct index_chunk **chunks = index_chunks(queue, &n);

	if (high - low < n) {
		for (uint64_t group = low; group <= high; group++) {
			struct index_chunk *chunk = index_chunk_find(queue, group);

			if (chunk)
				range->apply(range, chunk);
		}
		return;
	}
	for (size_t i = 0; i < n;) {
		struct index_chunk *chunk = chunks[i];

		if (chunk && chunk->group >= low && chunk->group <= high)
			range->apply(range, chunk);
		if (chunks[i] == chunk)
			i++;
	}
}

static void range_apply(const struct range *range)
{
	struct index_queue *queue = range->queue;
	uint64_t low = range->first / INDEX_GROUP, high = range->last / INDEX_GROUP;

	if (queue->n_chunks == 0 || range->first > range->last)
		return;
	low = low < queue->lowest ? queue->lowest : low;
	high = high > queue->highest ? queue->highest : high;
	if (low <= high)
		range_walk(range, low, high);
}

/* Which entries of a chunk are in a range: from *ret_from up to but not *ret_end. */
static void range_clip(const struct range *range, const struct index_chunk *chunk,
		       unsigned *ret_from, unsigned *ret_end)
{
	uint64_t base = chunk->group * INDEX_GROUP + chunk->start;
	unsigned size = index_sizes[chunk->rank];

	*ret_from = 0;
	*ret_end = size;
	if (range->first > base)
		*ret_from = range->first - base < size ? (unsigned)(range->first - base) : size;
	if (range->last < base)
		*ret_end = 0;
	else if (range->last - base < size)
		*ret_end = (unsigned)(range->last - base) + 1;
}

/* Takes out an entry that is live; the chunk may be empty then. */
static ALWAYS_INLINE void entry_clear(struct index *index, struct index_queue *queue,
				      struct index_chunk *chunk, uint64_t *entry)
{
	*entry = 0;
	chunk->n_live--;
	queue->n_live--;
	index->n_live--;
}

static void settle_in(const struct range *range, struct index_chunk *chunk)
{
	uint64_t base = chunk->group * INDEX_GROUP + chunk->start;
	unsigned from, end;

	range_clip(range, chunk, &from, &end);
	for (unsigned i = from; i < end && chunk->n_live > 0; i++) {
		uint64_t place = chunk->entries[i] & ENTRY_PLACE_MASK;

		if (place == 0)
			continue;
		entry_clear(range->index, range->queue, chunk, &chunk->entries[i]);
		if (range->gone)
			range->gone(range->ctx, range->queue->id, base + i, place);
	}
	if (chunk->n_live == 0)
		index_chunk_close(range->index, range->queue, chunk);
}

/* The usual case, without what a range takes. */
static ALWAYS_INLINE void settle_one(struct index *index, struct index_queue *queue, uint64_t seq,
				     index_gone_fn *gone, void *ctx)
{
	struct index_chunk *chunk = index_chunk_find(queue, seq / INDEX_GROUP);
	uint64_t *entry = chunk ? index_chunk_entry(chunk, seq) : NULL;
	uint64_t place = entry ? *entry & ENTRY_PLACE_MASK : 0;

	if (place == 0)
		return;
	entry_clear(index, queue, chunk, entry);
	if (gone)
		gone(ctx, queue->id, seq, place);
	if (chunk->n_live == 0) {
		index_chunk_close(index, queue, chunk);
		index_table_trim(index, queue);
	}
}

static void requeue_in(const struct range *range, struct index_chunk *chunk)
{
	unsigned from, end;

	range_clip(range, chunk, &from, &end);
	for (unsigned i = from; i < end; i++) {
		uint64_t entry = chunk->entries[i];

		if (entry == 0)
			continue;
		if ((entry & ENTRY_DELIVERIES) != ENTRY_DELIVERIES)
			chunk->entries[i] = entry + ENTRY_DELIVERY;
		if (range->gone)
			range->gone(range->ctx, range->queue->id,
				    chunk->group * INDEX_GROUP + chunk->start + i,
				    entry & ENTRY_PLACE_MASK);
	}
}

__attribute__((noinline)) static void settle_range(const struct range *range)
{
	struct index_queue *queue = range->queue;

	range_apply(range);
	/* All below are gone, whether or not there were chunks. */
	if (range->first <= queue->lowest * INDEX_GROUP &&
	    range->last / INDEX_GROUP > queue->lowest)
		queue->lowest = range->last / INDEX_GROUP;
	index_table_trim(range->index, queue);
}

void index_settle(struct index *index, uint64_t queue_id, uint64_t first, uint64_t last,
		  index_gone_fn *gone, void *ctx)
{
	struct index_queue *queue = queue_find(index, queue_id);

	if (!queue)
		return;
	if (LIKELY(first == last)) {
		settle_one(index, queue, first, gone, ctx);
		return;
	}
	settle_range(&(struct range){
		.index = index,
		.queue = queue,
		.first = first,
		.last = last,
		.apply = settle_in,
		.gone = gone,
		.ctx = ctx,
	});
}

void index_requeue(struct index *index, uint64_t queue_id, uint64_t first, uint64_t last,
		   index_seen_fn *seen, void *ctx)
{
	struct range range = {
		.index = index,
		.queue = queue_find(index, queue_id),
		.first = first,
		.last = last,
		.apply = requeue_in,
		.gone = seen,
		.ctx = ctx,
	};

	if (range.queue)
		range_apply(&range);
}

/* ---- Single entries ---- */

static uint64_t *entry_find(struct index *index, uint64_t queue_id, uint64_t seq)
{
	struct index_queue *queue = queue_find(index, queue_id);
	struct index_chunk *chunk = queue ? index_chunk_find(queue, seq / INDEX_GROUP) : NULL;
	uint64_t *entry = chunk ? index_chunk_entry(chunk, seq) : NULL;

	return entry && *entry != 0 ? entry : NULL;
}

static struct index_entry entry_read(uint64_t entry)
{
	return (struct index_entry){
		.place = entry & ENTRY_PLACE_MASK,
		.deliveries = (unsigned)(entry >> 56) & INDEX_DELIVERIES_MAX,
		.is_transient = (entry & ENTRY_TRANSIENT) != 0,
	};
}

/* Where there is no room for it yet. */
__attribute__((noinline)) static struct index_chunk *
make_room(struct index *index, struct index_queue *queue, struct index_chunk *chunk, uint64_t seq)
{
	chunk = chunk ? index_chunk_grow(index, queue, chunk, seq)
		      : index_chunk_open(index, queue, seq);
	if (!chunk && queue->n_live == 0 && queue->last_seq == 0)
		queue_drop(index, queue);
	return chunk;
}

int index_add(struct index *index, uint64_t queue_id, uint64_t seq, uint64_t place,
	      bool is_transient, uint64_t *ret_replaced)
{
	struct index_queue *queue = queue_need(index, queue_id);
	struct index_chunk *chunk = queue ? index_chunk_find(queue, seq / INDEX_GROUP) : NULL;
	uint64_t *entry = chunk ? index_chunk_entry(chunk, seq) : NULL;

	bug_on((place & UINT32_MAX) == 0 || place > ENTRY_PLACE_MASK);
	if (!queue)
		return -ENOMEM;
	if (UNLIKELY(!entry)) {
		chunk = make_room(index, queue, chunk, seq);
		if (!chunk)
			return -ENOMEM;
		entry = &chunk->entries[seq % INDEX_GROUP - chunk->start];
	}
	*ret_replaced = *entry & ENTRY_PLACE_MASK;
	if (*entry == 0) {
		chunk->n_live++;
		queue->n_live++;
		index->n_live++;
	}
	*entry = (*entry & ENTRY_DELIVERIES) | place | (is_transient ? ENTRY_TRANSIENT : 0);
	if (seq > queue->last_seq)
		queue->last_seq = seq;
	return 0;
}

bool index_find(struct index *index, uint64_t queue_id, uint64_t seq, struct index_entry *ret)
{
	const uint64_t *entry = entry_find(index, queue_id, seq);

	if (!entry)
		return false;
	*ret = entry_read(*entry);
	return true;
}

bool index_move(struct index *index, uint64_t queue_id, uint64_t seq, uint64_t from, uint64_t to)
{
	uint64_t *entry = entry_find(index, queue_id, seq);

	bug_on((to & UINT32_MAX) == 0 || to > ENTRY_PLACE_MASK);
	if (!entry || (*entry & ENTRY_PLACE_MASK) != from)
		return false;
	*entry = (*entry & ~ENTRY_PLACE_MASK) | to;
	return true;
}

void index_set_deliveries(struct index *index, uint64_t queue_id, uint64_t seq, unsigned deliveries)
{
	uint64_t *entry = entry_find(index, queue_id, seq);

	if (deliveries > INDEX_DELIVERIES_MAX)
		deliveries = INDEX_DELIVERIES_MAX;
	if (entry)
		*entry = (*entry & ~ENTRY_DELIVERIES) | deliveries * ENTRY_DELIVERY;
}

/* ---- Whole queues, and the index ---- */

static int compare_groups(const void *left, const void *right)
{
	const struct index_chunk *const *a = left, *const *b = right;

	return ((*a)->group > (*b)->group) - ((*a)->group < (*b)->group);
}

static int visit_chunk(const struct index_chunk *chunk, index_visit_fn *visit, void *ctx)
{
	uint64_t base = chunk->group * INDEX_GROUP + chunk->start;
	int r = 0;

	for (unsigned i = 0; i < index_sizes[chunk->rank] && r == 0; i++) {
		struct index_entry entry = entry_read(chunk->entries[i]);

		if (entry.place != 0)
			r = visit(ctx, base + i, &entry);
	}
	return r;
}

int index_visit(struct index *index, uint64_t queue_id, index_visit_fn *visit, void *ctx)
{
	struct index_queue *queue = queue_find(index, queue_id);
	struct index_chunk **chunks, **sorted;
	size_t size, n = 0;
	int r = 0;

	if (!queue || queue->n_chunks == 0)
		return 0;
	sorted = mem_try_alloc(queue->n_chunks * sizeof(struct index_chunk *));
	if (!sorted)
		return -ENOMEM;
	chunks = index_chunks(queue, &size);
	for (size_t i = 0; i < size; i++)
		if (chunks[i])
			sorted[n++] = chunks[i];
	qsort(sorted, n, sizeof(struct index_chunk *), compare_groups);
	for (size_t i = 0; i < n && r == 0; i++)
		r = visit_chunk(sorted[i], visit, ctx);
	mem_free(sorted);
	return r;
}

uint64_t index_last_seq(struct index *index, uint64_t queue_id)
{
	const struct index_queue *queue = queue_find(index, queue_id);

	return queue ? queue->last_seq : 0;
}

uint64_t index_lowest_seq(struct index *index, uint64_t queue_id)
{
	const struct index_queue *queue = queue_find(index, queue_id);

	return queue ? queue->lowest * INDEX_GROUP : 0;
}

int index_note_seq(struct index *index, uint64_t queue_id, uint64_t seq)
{
	struct index_queue *queue = queue_need(index, queue_id);

	if (!queue)
		return -ENOMEM;
	if (seq > queue->last_seq)
		queue->last_seq = seq;
	return 0;
}

void index_forget_queue(struct index *index, uint64_t queue_id, index_gone_fn *gone, void *ctx)
{
	struct index_queue *queue = queue_find(index, queue_id);

	if (!queue)
		return;
	index_settle(index, queue_id, 0, UINT64_MAX, gone, ctx);
	queue_drop(index, queue);
}

static bool queue_info(const struct map_node *node, struct index_queue_info *ret)
{
	const struct index_queue *queue;

	if (!node)
		return false;
	queue = container_of(node, const struct index_queue, node);
	*ret = (struct index_queue_info){queue->id, queue->last_seq, queue->n_live};
	return true;
}

bool index_first_queue(const struct index *index, struct map_cursor *cursor,
		       struct index_queue_info *ret)
{
	return queue_info(map_first(&index->queues, cursor), ret);
}

bool index_next_queue(const struct index *index, struct map_cursor *cursor,
		      struct index_queue_info *ret)
{
	return queue_info(map_next(&index->queues, cursor), ret);
}

size_t index_overhead(const struct index *index)
{
	const struct map_table *tables = index->queues.tables;

	return index->n_bytes + (tables[0].size + tables[1].size) * sizeof(*tables->buckets);
}

void index_init(struct index *index)
{
	*index = (struct index){.n_live = 0};
	map_init(&index->queues);
}

void index_fini(struct index *index)
{
	struct map_cursor cursor;
	struct map_node *node;

	map_for_each(node, &index->queues, &cursor) {
		struct index_queue *queue = container_of(node, struct index_queue, node);

		index_forget_queue(index, queue->id, NULL, NULL);
	}
	index_spares_free(index);
	map_fini(&index->queues);
	index_init(index);
}
