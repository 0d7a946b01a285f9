/* SPDX-License-Identifier: MIT */

#include "run/heap.h"

#include <lua.h>
#include <stdbool.h>
#include <string.h>

#include "run/budget.h"

#define CHARGED_FROM                                                                               \
	256u /* bytes; smaller blocks cost what the instruction does that asks for them */

/* A full collection looks at all blocks; half of what is used is a guess that is high enough. */
#define COLLECTION_BYTES(used) ((used) / 2)

void heap_init(struct heap *heap, const struct shunt_host *host, struct budget *budget,
	       size_t limit, size_t block)
{
	memset(heap, 0, sizeof(*heap));
	heap->host = host;
	heap->budget = budget;
	heap->limit = limit;
	heap->block = block;
}

void heap_begin_call(struct heap *heap)
{
	heap->refusals = 0;
}

static void set_used(struct heap *heap, size_t used)
{
	atomic_store_explicit(&heap->used, used, memory_order_relaxed);
	if (used > atomic_load_explicit(&heap->largest, memory_order_relaxed))
		atomic_store_explicit(&heap->largest, used, memory_order_relaxed);
}

/* Of another call of it, after Lua has collected all garbage, the same block is asked for again. */
static void *refuse(struct heap *heap, size_t used)
{
	heap->refusals++;
	budget_memory_refused(heap->budget, heap->refusals);
	budget_charge_bytes(heap->budget, COLLECTION_BYTES(used));
	return NULL;
}

/*
 * Strings of HEAP_BIG_STRING bytes and more are told from other blocks by their address, which is
 * not a multiple of 16: when Lua frees a block it says its size, but not what it was. Lua never
 * resizes strings, and they need an alignment of 8.
 */
#define STRING_SHIFT 8u

static bool is_big_string(const void *memory, size_t size)
{
	return size >= HEAP_BIG_STRING &&
	       ((uintptr_t)memory & (2 * STRING_SHIFT - 1)) == STRING_SHIFT;
}

static void *allocate_string(struct heap *heap, size_t size)
{
	char *memory = heap->host->allocate(heap->host, size + STRING_SHIFT);

	if (!memory)
		return NULL;
	heap->big_strings++;
	heap->huge_strings += size >= HEAP_HUGE_STRING;
	budget_strings_grew(heap->budget, heap->huge_strings > 0);
	return memory + STRING_SHIFT;
}

static void heap_free(struct heap *heap, void *memory, size_t size)
{
	if (!memory)
		return;
	set_used(heap, atomic_load_explicit(&heap->used, memory_order_relaxed) - size);
	if (is_big_string(memory, size)) {
		heap->big_strings--;
		heap->huge_strings -= size >= HEAP_HUGE_STRING;
		memory = (char *)memory - STRING_SHIFT;
	}
	heap->host->free(heap->host, memory);
}

void *heap_allocate(void *context, void *memory, size_t old_size, size_t new_size)
{
	struct heap *heap = context;
	size_t used = atomic_load_explicit(&heap->used, memory_order_relaxed);
	bool is_string = !memory && old_size == LUA_TSTRING;
	size_t old = memory ? old_size : 0; /* of a new one old_size says what it is */
	void *block;

	if (new_size == 0) {
		heap_free(heap, memory, old);
		return NULL;
	}
	if (new_size > old) {
		if (new_size > heap->block || new_size - old > heap->limit - used)
			return refuse(heap, used);
		if (new_size >= CHARGED_FROM)
			budget_charge_bytes(heap->budget, new_size);
	}
	if (is_string && new_size >= HEAP_BIG_STRING)
		block = allocate_string(heap, new_size);
	else
		block = heap->host->reallocate(heap->host, memory, new_size);
	if (!block)
		return new_size > old ? refuse(heap, used) : memory;
	set_used(heap, used - old + new_size);
	return block;
}
