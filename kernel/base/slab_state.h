/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_SLAB_STATE_H
#define KERNEL_BASE_SLAB_STATE_H

/* The inside of base/slab.h: for kernel/base/slab*.c only. */

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/list.h"
#include "base/slab.h"

/*
 * A region is a piece of address space, aligned to its own size, and cut into units. The first unit
 * describes the others, so an object's address tells its slab, and that its heap, without a search.
 * The objects themselves hold nothing, and no bookkeeping touches them: a bit in the slab says that
 * one is free. (But see struct slab_parcel.)
 */
#define SLAB_UNIT_SIZE	  (UINT32_C(64) << 10)
#define SLAB_REGION_UNITS 64u
#define SLAB_REGION_SIZE  (SLAB_UNIT_SIZE * SLAB_REGION_UNITS)

#define SLAB_STEP	   16u
#define SLAB_EXTRA	   32u /* of large classes, to a round size: a header has room */
#define SLAB_FINE_MAX	   (512u + SLAB_EXTRA) /* up to here a class each SLAB_STEP */
#define SLAB_FINE_CLASSES  (SLAB_FINE_MAX / SLAB_STEP)
#define SLAB_CLASSES	   66u
#define SLAB_OBJECT_MIN	   32u /* so that an object can be a parcel */
#define SLAB_BITMAP_WORDS  (SLAB_UNIT_SIZE / SLAB_OBJECT_MIN / 64)
#define SLAB_MAGAZINE_MAX  128u
#define SLAB_MAGAZINE_SIZE (UINT32_C(32) << 10) /* bytes of objects, about */

/* Spare units that are kept for good. */
#define SLAB_SPARE_KEPT 16u

struct slab_heap;

/* A unit with objects of one class. Its heap's, but for the first line, which anybody may read. */
struct slab {
	_Alignas(64) struct slab_heap *heap;
	uint32_t class;
	uint32_t object_size;
	uint32_t capacity; /* of the class's magazine */
	uint8_t *base;

	_Alignas(64) struct list partial; /* slab_heap.partial, while something is free */
	uint32_t n_objects, n_free;
	uint32_t reciprocal; /* of the object's size, in steps */
	uint32_t n_words;
	uint64_t free[SLAB_BITMAP_WORDS];
};

/* The first unit of a region. */
struct slab_region {
	struct list node;
	uint64_t free_units;  /* a bit each; never the first */
	uint64_t spare_units; /* those of them that have memory */
	struct slab slabs[SLAB_REGION_UNITS];
};

static_assert(sizeof(struct slab_region) <= SLAB_UNIT_SIZE, "it fits in its unit");

struct slab_units {
	struct list spare; /* regions with spare units; the one that got one last is first */
	struct list bare;  /* regions with other free units only */
	uint32_t n_used, n_spare;
	uint32_t n_spare_low; /* the fewest since the last upkeep */
	uint32_t n_regions;
};

/* Free objects at hand. Those of classes that are never used cost no memory: all is zero. */
struct slab_magazine {
	uint32_t count;
	void *objects[SLAB_MAGAZINE_MAX];
};

/*
 * Freed objects on their way to their owner: written into the first of them, so it needs no memory.
 * The others are not touched.
 */
struct slab_parcel {
	struct slab_parcel *next;
	uint32_t count;
	void *objects[];
};

#define SLAB_PARCEL_OBJECTS(object_size)                                                           \
	(((object_size) - (uint32_t)sizeof(struct slab_parcel)) / (uint32_t)sizeof(void *))

/* What a thread has gathered for one other heap: a chain of parcels, the newest first. */
struct slab_outgoing {
	struct slab_heap *heap;
	struct slab_parcel *newest, *oldest;
	uint32_t room;	    /* in the newest */
	uint32_t n_parcels; /* 0: nothing is gathered */
};

#define SLAB_OUTGOING	     16u
#define SLAB_PARCELS_AT_ONCE 32u

/*
 * A thread's; or nobody's, when the thread has ended, until another takes it over. Never freed, as
 * its objects may live on.
 */
struct slab_heap {
	_Alignas(CACHE_LINE_SIZE) _Atomic(struct slab_parcel *) inbox; /* the newest is on top */
	atomic_bool is_owned;
	atomic_bool is_at_rest; /* its owner waits for nothing: who pushes wakes it */
	void (*wake)(void *arg);
	void *wake_arg;
	struct slab_heap *next; /* of all heaps */
	uint32_t number;

	/* All below is the owning thread's. */
	_Alignas(CACHE_LINE_SIZE) bool in_turns;
	bool was_used;		  /* a magazine was filled or has spilt, or an upkeep found work */
	uint32_t outgoing_filled; /* a bit for each of outgoing[] */
	struct slab_parcel *returned; /* taken out of the inbox, and not yet looked through */
	struct slab_outgoing outgoing[SLAB_OUTGOING]; /* by heap number, modulo */
	struct slab_units units;
	struct list partial[SLAB_CLASSES];
	struct slab_magazine magazines[SLAB_CLASSES];
};

extern _Thread_local struct slab_heap *slab_own_heap; /* NULL: has none yet */

static inline struct slab *slab_of(void *object)
{
	uintptr_t address = (uintptr_t)object;
	struct slab_region *region =
		(struct slab_region *)(address & ~(uintptr_t)(SLAB_REGION_SIZE - 1));

	return &region->slabs[(address & (SLAB_REGION_SIZE - 1)) / SLAB_UNIT_SIZE];
}

/* slab.c */
void slab_put(struct slab_heap *heap, struct slab *slab, void *object);
void slab_empty_magazines(struct slab_heap *heap);

/* slab_heap.c */
struct slab_heap *slab_heap_claim(void); /* NULL when memory is out */
void slab_free_elsewhere(struct slab_heap *self, struct slab *slab, void *object);
bool slab_has_returned(const struct slab_heap *heap);
uint32_t slab_take_returned(struct slab_heap *heap);

/* slab_units.c */
void slab_units_init(struct slab_units *units);
struct slab *slab_unit_take(struct slab_heap *heap); /* base and heap are set; NULL: no memory */
void slab_unit_give_back(struct slab_heap *heap, struct slab *slab);
/* Up to `count` spare units lose their memory; a region of which nothing is used goes. */
void slab_units_release(struct slab_units *units, uint32_t count);

#endif
