/* SPDX-License-Identifier: MIT */
#include <sys/mman.h>

#include "base/bug.h"
#include "base/slab_state.h"

/*
 * Where slabs come from, and how memory goes back to the system.
 *
 * A unit is used (a slab), spare (free, with memory) or bare (free, without). Spare ones are used
 * first, the one that was freed last before the others, as it is in the caches. A region with
 * nothing but free units is unmapped when the last of its spare ones is to be released.
 *
 * A process may have so many mappings and no more, and a region that goes may split one. Where the
 * system refuses that, the region stays, as bare units: it costs address space only.
 */

#define ALL_UNITS (~UINT64_C(1)) /* but the first, which describes them */

void slab_units_init(struct slab_units *units)
{
	*units = (struct slab_units){0};
	list_init(&units->spare);
	list_init(&units->bare);
}

static void place(struct slab_units *units, struct slab_region *region)
{
	list_remove(&region->node);
	if (region->spare_units != 0)
		list_add_head(&units->spare, &region->node);
	else if (region->free_units != 0)
		list_add_head(&units->bare, &region->node);
}

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Where it fails, the memory was never touched, or its owner goes on with it. */
static bool unmap(void *p, size_t size)
{
	return size == 0 || munmap(p, size) == 0;
}

static bool is_aligned(const void *p)
{
	return ((uintptr_t)p & (SLAB_REGION_SIZE - 1)) == 0;
}

/* The system puts one region beside the other, so that only the first needs to be cut out. */
static void *map_aligned(void)
{
	uint8_t *p = map(SLAB_REGION_SIZE);

	if (!p || is_aligned(p))
		return p;
	(void)unmap(p, SLAB_REGION_SIZE);
	p = map(2 * (size_t)SLAB_REGION_SIZE);
	if (!p)
		return NULL;

	size_t before = -(uintptr_t)p & (SLAB_REGION_SIZE - 1);

	(void)unmap(p, before);
	(void)unmap(p + before + SLAB_REGION_SIZE, SLAB_REGION_SIZE - before);
	return p + before;
}

static struct slab_region *region_create(struct slab_units *units)
{
	struct slab_region *region = map_aligned();

	if (!region)
		return NULL;
	/* Huge pages would give memory that nobody asked for, and take none back. Only advice. */
	(void)madvise(region, SLAB_REGION_SIZE, MADV_NOHUGEPAGE);
	list_init(&region->node);
	region->free_units = ALL_UNITS;
	units->n_regions++;
	place(units, region);
	return region;
}

/* With at least one free unit; the best. */
static struct slab_region *choose_region(struct slab_units *units)
{
	struct list *first = list_first(&units->spare);

	if (!first)
		first = list_first(&units->bare);
	return first ? container_of(first, struct slab_region, node) : region_create(units);
}

struct slab *slab_unit_take(struct slab_heap *heap)
{
	struct slab_units *units = &heap->units;
	struct slab_region *region = choose_region(units);

	if (!region)
		return NULL;

	bool is_spare = region->spare_units != 0;
	unsigned at =
		(unsigned)__builtin_ctzll(is_spare ? region->spare_units : region->free_units);
	struct slab *slab = &region->slabs[at];

	region->free_units &= ~(UINT64_C(1) << at);
	region->spare_units &= ~(UINT64_C(1) << at);
	place(units, region);
	units->n_used++;
	if (is_spare && --units->n_spare < units->n_spare_low)
		units->n_spare_low = units->n_spare;
	slab->heap = heap;
	slab->base = (uint8_t *)region + at * (size_t)SLAB_UNIT_SIZE;
	return slab;
}

void slab_unit_give_back(struct slab_heap *heap, struct slab *slab)
{
	struct slab_units *units = &heap->units;
	uintptr_t address = (uintptr_t)slab->base;
	struct slab_region *region =
		(struct slab_region *)(address & ~(uintptr_t)(SLAB_REGION_SIZE - 1));
	uint64_t bit = UINT64_C(1) << (address & (SLAB_REGION_SIZE - 1)) / SLAB_UNIT_SIZE;

	bug_on((region->free_units & bit) != 0);
	region->free_units |= bit;
	region->spare_units |= bit;
	units->n_used--;
	units->n_spare++;
	place(units, region);
}

/* False: it stays, in no list. */
static bool region_destroy(struct slab_units *units, struct slab_region *region)
{
	uint32_t n_spare = (uint32_t)__builtin_popcountll(region->spare_units);

	list_remove(&region->node);
	if (!unmap(region, SLAB_REGION_SIZE))
		return false;
	units->n_regions--;
	units->n_spare -= n_spare;
	return true;
}

/* The memory of spare units that lie side by side. Returns how many. */
static uint32_t release_run(struct slab_units *units, struct slab_region *region, uint32_t count)
{
	unsigned first = (unsigned)__builtin_ctzll(region->spare_units);
	unsigned end = first;

	for (; end < SLAB_REGION_UNITS && end - first < count &&
	       (region->spare_units >> end & 1) != 0;
	     end++)
		region->spare_units &= ~(UINT64_C(1) << end);
	/* If the system does not want it (it is locked, say), it stays. */
	(void)madvise((uint8_t *)region + first * (size_t)SLAB_UNIT_SIZE,
		      (end - first) * (size_t)SLAB_UNIT_SIZE, MADV_DONTNEED);
	units->n_spare -= end - first;
	return end - first;
}

static uint32_t release_some(struct slab_units *units, struct slab_region *region, uint32_t count)
{
	uint32_t n_spare = (uint32_t)__builtin_popcountll(region->spare_units);
	uint32_t n_released = 0;

	if (region->free_units == ALL_UNITS && n_spare <= count && region_destroy(units, region))
		return n_spare;
	while (n_released < count && region->spare_units != 0)
		n_released += release_run(units, region, count - n_released);
	place(units, region);
	return n_released;
}

void slab_units_release(struct slab_units *units, uint32_t count)
{
	uint32_t n_before = units->n_spare;
	struct list *last;

	while (count > 0 && (last = list_last(&units->spare)))
		count -= release_some(units, container_of(last, struct slab_region, node), count);

	uint32_t n_released = n_before - units->n_spare;

	units->n_spare_low -= n_released < units->n_spare_low ? n_released : units->n_spare_low;
}
