/* SPDX-License-Identifier: MIT */
#include "broker/topology/dense.h"

#include "base/bug.h"
#include "base/mem.h"

#define CHUNK_SHIFT 10
#define CHUNK_SIZE  (1u << CHUNK_SHIFT)
#define INDEX_NONE  UINT32_MAX

void dense_init(struct dense *dense)
{
	*dense = (struct dense){.first_free = INDEX_NONE};
}

void dense_fini(struct dense *dense)
{
	for (uint32_t i = 0; i < dense->n_chunks; i++)
		mem_free(dense->chunks[i]);
	mem_free(dense->chunks);
	dense_init(dense);
}

static uintptr_t *place(const struct dense *dense, uint32_t index)
{
	return &dense->chunks[index >> CHUNK_SHIFT][index & (CHUNK_SIZE - 1)];
}

static void add_chunk(struct dense *dense)
{
	/* The array of chunks doubles; a power of two says that it is full. */
	if ((dense->n_chunks & (dense->n_chunks - 1)) == 0) {
		size_t capacity = dense->n_chunks > 0 ? (size_t)dense->n_chunks * 2 : 1;

		dense->chunks = mem_realloc(dense->chunks, capacity * sizeof(uintptr_t *));
	}
	dense->chunks[dense->n_chunks++] = mem_zalloc(CHUNK_SIZE * sizeof(uintptr_t));
}

uint32_t dense_add(struct dense *dense, void *object)
{
	uint32_t index = dense->first_free;

	bug_on(!object || ((uintptr_t)object & 1) != 0);
	if (index != INDEX_NONE) {
		dense->first_free = (uint32_t)(*place(dense, index) >> 1);
	} else {
		index = dense->limit;
		bug_on(index == INDEX_NONE >> 1);
		if (index >> CHUNK_SHIFT == dense->n_chunks)
			add_chunk(dense);
		dense->limit++;
	}
	*place(dense, index) = (uintptr_t)object;
	return index;
}

void dense_remove(struct dense *dense, uint32_t index)
{
	bug_on(!dense_get(dense, index));
	*place(dense, index) = (uintptr_t)dense->first_free << 1 | 1;
	dense->first_free = index;
}

void *dense_get(const struct dense *dense, uint32_t index)
{
	if (index >= dense->limit)
		return NULL;

	uintptr_t value = *place(dense, index);

	return (value & 1) != 0 ? NULL : (void *)value;
}
