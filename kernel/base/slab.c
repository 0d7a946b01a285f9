/* SPDX-License-Identifier: MIT */
#include "base/slab.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/mem.h"
#include "base/slab_state.h"

/*
 * The way of an object. It is taken out of its class's magazine, and when it is freed on the same
 * thread it goes back there: a few instructions, and its bytes are as warm as they can be. A
 * magazine that is empty is filled with half of what it can hold: first from what other threads
 * have given back (slab_heap.c), then from a slab that has free objects, then from a new slab. One
 * that is full loses half, the coldest. A slab of which all objects are free becomes a unit again.
 */

_Thread_local struct slab_heap *slab_own_heap;

#if IS_SANITIZED
static atomic_bool by_malloc = true;
#else
enum { by_malloc = false };
#endif

void slab_use_when_sanitized(bool use)
{
#if IS_SANITIZED
	by_malloc = !use;
#else
	(void)use;
#endif
}

static ALWAYS_INLINE uint32_t class_of(size_t size)
{
	if (LIKELY(size <= SLAB_FINE_MAX))
		return (uint32_t)(size < SLAB_OBJECT_MIN ? SLAB_OBJECT_MIN - 1 : size - 1) /
		       SLAB_STEP;

	/* Eight classes from each power of two, 2^9 the first, to the next. */
	uint32_t last = (uint32_t)size - SLAB_EXTRA - 1;
	uint32_t power = 31 - (uint32_t)__builtin_clz(last);

	return SLAB_FINE_CLASSES + (power - 9) * 8 + (last >> (power - 3) & 7);
}

static uint32_t class_size(uint32_t class)
{
	if (class < SLAB_FINE_CLASSES)
		return (class + 1) * SLAB_STEP;
	class -= SLAB_FINE_CLASSES;
	return ((class % 8 + 9) << (class / 8 + 6)) + SLAB_EXTRA;
}

static uint32_t magazine_capacity(uint32_t class)
{
	uint32_t capacity = SLAB_MAGAZINE_SIZE / class_size(class);

	return capacity < SLAB_MAGAZINE_MAX ? capacity : SLAB_MAGAZINE_MAX;
}

static_assert(SLAB_FINE_CLASSES + (12 - 9) * 8 + 8 == SLAB_CLASSES &&
		      SLAB_OBJECT_MAX == (2 << 12) + SLAB_EXTRA,
	      "the last class is the largest object's");

/* ---- Slabs ---- */

static void mark_all_free(struct slab *slab)
{
	uint32_t n = slab->n_objects;

	slab->n_words = (n + 63) / 64;
	for (uint32_t i = 0; i < slab->n_words; i++, n -= 64)
		slab->free[i] = n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
	slab->n_free = slab->n_objects;
}

static struct slab *slab_create(struct slab_heap *heap, uint32_t class)
{
	struct slab *slab = slab_unit_take(heap);

	if (!slab)
		return NULL;
	slab->class = class;
	slab->object_size = class_size(class);
	slab->capacity = magazine_capacity(class);
	slab->n_objects = SLAB_UNIT_SIZE / slab->object_size;
	/* Rounded up: exact for every quotient below 2^12, as the divisor is below 2^10. */
	slab->reciprocal = UINT32_MAX / (slab->object_size / SLAB_STEP) + 1;
	mark_all_free(slab);
	list_init(&slab->partial);
	list_add_head(&heap->partial[class], &slab->partial);
	return slab;
}

void slab_put(struct slab_heap *heap, struct slab *slab, void *object)
{
	uint32_t offset = (uint32_t)((uint8_t *)object - slab->base);
	uint32_t index = (uint32_t)((uint64_t)(offset / SLAB_STEP) * slab->reciprocal >> 32);
	uint64_t bit = UINT64_C(1) << index % 64;

	/* Freed twice, or never allocated. */
	bug_on((slab->free[index / 64] & bit) != 0 || index * slab->object_size != offset);
	slab->free[index / 64] |= bit;
	if (slab->n_free++ == 0)
		list_add_head(&heap->partial[slab->class], &slab->partial);
	if (slab->n_free == slab->n_objects) {
		list_remove(&slab->partial);
		slab_unit_give_back(heap, slab);
	}
}

/* Up to `count` free objects of the slab; those at the lowest addresses will be used first. */
static void take_free(struct slab *slab, struct slab_magazine *magazine, uint32_t count)
{
	uint32_t n = count < slab->n_free ? count : slab->n_free;
	void **at = &magazine->objects[magazine->count + n];

	magazine->count += n;
	slab->n_free -= n;
	for (uint32_t word = 0; n > 0; word++) {
		uint64_t bits = slab->free[word];

		for (; bits != 0 && n > 0; bits &= bits - 1, n--)
			*--at = slab->base + (size_t)(word * 64 + (uint32_t)__builtin_ctzll(bits)) *
						     slab->object_size;
		slab->free[word] = bits;
	}
	if (slab->n_free == 0)
		list_remove(&slab->partial);
}

/* ---- Magazines ---- */

static bool fill_magazine(struct slab_heap *heap, uint32_t class)
{
	struct slab_magazine *magazine = &heap->magazines[class];
	uint32_t half = magazine_capacity(class) / 2;

	heap->was_used = true;

	for (int i = 0; i < 8 && magazine->count < half; i++) {
		if (!slab_has_returned(heap))
			break;
		(void)slab_take_returned(heap);
	}
	if (magazine->count > 0)
		return true;

	struct list *partial = list_first(&heap->partial[class]);
	struct slab *slab =
		partial ? container_of(partial, struct slab, partial) : slab_create(heap, class);

	if (!slab)
		return false;
	take_free(slab, magazine, half);
	return true;
}

static void spill(struct slab_heap *heap, struct slab_magazine *magazine, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		slab_put(heap, slab_of(magazine->objects[i]), magazine->objects[i]);
	magazine->count -= count;
	heap->was_used = true;
	memmove(magazine->objects, &magazine->objects[count],
		magazine->count * sizeof(magazine->objects[0]));
}

void slab_empty_magazines(struct slab_heap *heap)
{
	for (uint32_t class = 0; class < SLAB_CLASSES; class ++) {
		if (heap->magazines[class].count > 0)
			spill(heap, &heap->magazines[class], heap->magazines[class].count);
	}
}

/* ---- Objects ---- */

static __attribute__((noinline)) void *alloc_slowly(size_t size)
{
	if (by_malloc || size > SLAB_OBJECT_MAX)
		return malloc(size > 0 ? size : 1);

	struct slab_heap *heap = slab_own_heap ? slab_own_heap : slab_heap_claim();
	uint32_t class = class_of(size);

	if (!heap || !fill_magazine(heap, class))
		return NULL;
	return heap->magazines[class].objects[--heap->magazines[class].count];
}

static ALWAYS_INLINE void *alloc(size_t size)
{
	struct slab_heap *heap = slab_own_heap;

	if (UNLIKELY(!heap || by_malloc || size > SLAB_OBJECT_MAX))
		return alloc_slowly(size);

	struct slab_magazine *magazine = &heap->magazines[class_of(size)];

	if (UNLIKELY(magazine->count == 0))
		return alloc_slowly(size);
	return magazine->objects[--magazine->count];
}

void *slab_try_alloc(size_t size)
{
	return mem_fault_is_due() ? NULL : alloc(size);
}

void *slab_alloc(size_t size)
{
	void *p = alloc(size);

	if (UNLIKELY(!p))
		mem_stop();
	return p;
}

void slab_free(void *p, size_t size)
{
	struct slab_heap *heap = slab_own_heap;

	if (UNLIKELY(by_malloc || size > SLAB_OBJECT_MAX)) {
		free(p);
		return;
	}

	struct slab *slab = slab_of(p);

	if (UNLIKELY(slab->heap != heap)) {
		slab_free_elsewhere(heap, slab, p);
		return;
	}

	struct slab_magazine *magazine = &heap->magazines[slab->class];

	if (UNLIKELY(magazine->count == slab->capacity))
		spill(heap, magazine, slab->capacity / 2);
	magazine->objects[magazine->count++] = p;
}

void *slab_try_realloc(void *p, size_t old_size, size_t size)
{
	bool is_ours = !by_malloc && old_size <= SLAB_OBJECT_MAX;

	if (!is_ours && (by_malloc || size > SLAB_OBJECT_MAX))
		return mem_try_realloc(p, size);

	void *moved = slab_try_alloc(size);

	if (!moved)
		return NULL;
	memcpy(moved, p, old_size < size ? old_size : size);
	slab_free(p, old_size);
	return moved;
}
