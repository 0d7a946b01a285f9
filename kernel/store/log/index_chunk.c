/* SPDX-License-Identifier: MIT */
#include "store/log/index_chunk.h"

#include <errno.h>
#include <string.h>

#include "base/account.h"
#include "base/bug.h"
#include "base/mem.h"

#define SPARES_MAX     32u /* of a size, kept */
#define TABLE_BITS_MIN 2u

const uint8_t index_sizes[INDEX_CHUNK_SIZES] = {2, 8, 32, INDEX_GROUP};

/* ---- Memory ---- */

void *index_take_memory(struct index *index, size_t size)
{
	void *p = mem_try_zalloc(size);

	if (!p)
		return NULL;
	index->n_bytes += size;
	account_add(ACCOUNT_QUEUE, (ptrdiff_t)size);
	return p;
}

void index_give_memory(struct index *index, void *p, size_t size)
{
	index->n_bytes -= size;
	account_add(ACCOUNT_QUEUE, -(ptrdiff_t)size);
	mem_free(p);
}

static size_t chunk_bytes(unsigned rank)
{
	return sizeof(struct index_chunk) + index_sizes[rank] * sizeof(uint64_t);
}

static size_t table_bytes(const struct index_queue *queue)
{
	return queue->table ? sizeof(*queue->table) << queue->table_bits : 0;
}

static struct index_chunk *chunk_get(struct index *index, unsigned rank)
{
	struct index_chunk *chunk = index->spares[rank];

	if (chunk) {
		index->spares[rank] = chunk->next;
		index->n_spares[rank]--;
	} else {
		chunk = index_take_memory(index, chunk_bytes(rank));
		if (!chunk)
			return NULL;
	}
	chunk->rank = (uint8_t)rank;
	chunk->n_live = 0;
	return chunk;
}

/* All its entries are 0, and so they are when it is used again. */
static void chunk_give(struct index *index, struct index_chunk *chunk)
{
	unsigned rank = chunk->rank;

	if (index->n_spares[rank] >= SPARES_MAX) {
		index_give_memory(index, chunk, chunk_bytes(rank));
		return;
	}
	chunk->next = index->spares[rank];
	index->spares[rank] = chunk;
	index->n_spares[rank]++;
}

void index_spares_free(struct index *index)
{
	for (unsigned rank = 0; rank < INDEX_CHUNK_SIZES; rank++) {
		struct index_chunk *chunk;

		while ((chunk = index->spares[rank])) {
			index->spares[rank] = chunk->next;
			index_give_memory(index, chunk, chunk_bytes(rank));
		}
	}
}

/* ---- The table of a queue: from a group to its chunk ---- */

static uint32_t table_home(const struct index_queue *queue, uint64_t group)
{
	return (uint32_t)(group * UINT64_C(0x9e3779b97f4a7c15) >> (64 - queue->table_bits));
}

static uint32_t table_mask(const struct index_queue *queue)
{
	return (UINT32_C(1) << queue->table_bits) - 1;
}

struct index_chunk *index_table_find(const struct index_queue *queue, uint64_t group)
{
	uint32_t mask = table_mask(queue);

	for (uint32_t at = table_home(queue, group);; at = (at + 1) & mask) {
		if (!queue->table[at] || queue->table[at]->group == group)
			return queue->table[at];
	}
}

static void table_put(struct index_queue *queue, struct index_chunk *chunk)
{
	uint32_t mask = table_mask(queue);
	uint32_t at = table_home(queue, chunk->group);

	while (queue->table[at])
		at = (at + 1) & mask;
	queue->table[at] = chunk;
}

static uint32_t table_at(const struct index_queue *queue, const struct index_chunk *chunk)
{
	uint32_t mask = table_mask(queue);
	uint32_t at = table_home(queue, chunk->group);

	while (queue->table[at] != chunk)
		at = (at + 1) & mask;
	return at;
}

/* Closes the gap: those behind it move up unless they are where they belong. */
static void table_remove(struct index_queue *queue, const struct index_chunk *chunk)
{
	uint32_t mask = table_mask(queue);
	uint32_t gap = table_at(queue, chunk);

	for (uint32_t at = (gap + 1) & mask; queue->table[at]; at = (at + 1) & mask) {
		uint32_t home = table_home(queue, queue->table[at]->group);

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		queue->table[gap] = queue->table[at];
		gap = at;
	}
	queue->table[gap] = NULL;
}

struct index_chunk **index_chunks(struct index_queue *queue, size_t *ret_n)
{
	*ret_n = queue->table ? (size_t)1 << queue->table_bits : 1;
	return queue->table ? queue->table : &queue->recent;
}

static int table_resize(struct index *index, struct index_queue *queue, uint32_t bits)
{
	size_t n, old_bytes = table_bytes(queue);
	struct index_chunk **old_table = queue->table;
	struct index_chunk **table = index_take_memory(index, sizeof(*table) << bits);
	struct index_chunk **chunks = index_chunks(queue, &n);

	if (!table)
		return -ENOMEM;
	queue->table = table;
	queue->table_bits = bits;
	for (size_t i = 0; i < n; i++)
		if (chunks[i])
			table_put(queue, chunks[i]);
	if (old_table)
		index_give_memory(index, old_table, old_bytes);
	return 0;
}

/* Room for one more: at most half of the table is in use. */
static int table_prepare(struct index *index, struct index_queue *queue)
{
	if (queue->n_chunks == 0)
		return 0;
	if (!queue->table)
		return table_resize(index, queue, TABLE_BITS_MIN);
	if (queue->n_chunks < UINT32_C(1) << (queue->table_bits - 1))
		return 0;
	bug_on(queue->table_bits >= 31);
	return table_resize(index, queue, queue->table_bits + 1);
}

/* Where there is no memory to make it smaller it stays as it is. */
void index_table_trim(struct index *index, struct index_queue *queue)
{
	uint32_t bits = queue->table_bits;

	if (!queue->table)
		return;
	if (queue->n_chunks == 0) {
		index_give_memory(index, queue->table, table_bytes(queue));
		queue->table = NULL;
		return;
	}
	while (bits > 6 && queue->n_chunks < (UINT32_C(1) << bits) / 16)
		bits -= 2;
	if (bits < queue->table_bits)
		(void)table_resize(index, queue, bits);
}

/* ---- Chunks of a queue ---- */

/* Begins as late as it can, since numbers ascend. */
static void place_window(struct index_chunk *chunk, unsigned from)
{
	unsigned size = index_sizes[chunk->rank];

	chunk->start = (uint8_t)(from + size <= INDEX_GROUP ? from : INDEX_GROUP - size);
}

/* As large as the one before, if that is still there: then the queue is long. */
struct index_chunk *index_chunk_open(struct index *index, struct index_queue *queue, uint64_t seq)
{
	struct index_chunk *chunk = chunk_get(index, queue->recent ? queue->recent->rank : 0);
	uint64_t group = seq / INDEX_GROUP;

	if (!chunk)
		return NULL;
	chunk->group = group;
	place_window(chunk, (unsigned)(seq % INDEX_GROUP));
	if (table_prepare(index, queue) < 0) {
		chunk_give(index, chunk);
		return NULL;
	}
	if (queue->table)
		table_put(queue, chunk);
	if (queue->n_chunks == 0 || group < queue->lowest)
		queue->lowest = group;
	if (queue->n_chunks == 0 || group > queue->highest)
		queue->highest = group;
	queue->n_chunks++;
	queue->recent = chunk;
	return chunk;
}

struct index_chunk *index_chunk_grow(struct index *index, struct index_queue *queue,
				     struct index_chunk *old, uint64_t seq)
{
	unsigned at = (unsigned)(seq % INDEX_GROUP), old_size = index_sizes[old->rank];
	unsigned from = at < old->start ? at : old->start;
	unsigned end = at < old->start + old_size ? old->start + old_size : at + 1;
	unsigned rank = old->rank + 1u;
	struct index_chunk *chunk;

	while (index_sizes[rank] < end - from)
		rank++;
	chunk = chunk_get(index, rank);
	if (!chunk)
		return NULL;
	chunk->group = old->group;
	chunk->n_live = old->n_live;
	place_window(chunk, from);
	memcpy(&chunk->entries[old->start - chunk->start], old->entries,
	       old_size * sizeof(*old->entries));
	if (queue->table)
		queue->table[table_at(queue, old)] = chunk;
	queue->recent = chunk;
	memset(old->entries, 0, old_size * sizeof(*old->entries));
	chunk_give(index, old);
	return chunk;
}

void index_chunk_close(struct index *index, struct index_queue *queue, struct index_chunk *chunk)
{
	if (queue->table)
		table_remove(queue, chunk);
	if (queue->recent == chunk)
		queue->recent = NULL;
	if (chunk->group == queue->lowest)
		queue->lowest++;
	if (chunk->group == queue->highest && queue->n_chunks > 1)
		queue->highest--;
	queue->n_chunks--;
	chunk_give(index, chunk);
}
