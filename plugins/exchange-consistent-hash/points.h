/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_CONSISTENT_HASH_POINTS_H
#define EXCHANGE_CONSISTENT_HASH_POINTS_H

/*
 * Points, which are found by nearness. A point is a number of 32 bits. Of two pairs of numbers the
 * one is nearer whose lowest bit that differs is the higher one; if that is the same bit, the next
 * one decides, and so on: the pair is nearer whose exclusive or has a 0 at the lowest bit at which
 * the two exclusive ors differ.
 *
 * A hash table by the lower bits, which grows and shrinks by one bucket at a time (linear hashing);
 * its segments never move, so no bind() takes long.
 */

#include <shunt/plugin.h>

#define POINTS_FIRST_BITS 4u
#define POINTS_SEGMENTS	  27u

struct point {
	struct point *next; /* in its bucket */
	uint32_t position;
	uint32_t index; /* in its owner's array */
};

/* A binding with its points. It belongs to the ring. */
struct owner {
	struct owner *previous, *next; /* in the ring; NULL: none */
	const struct shunt_binding *binding;
	uint64_t seed; /* of where its points are */
	uint32_t level;
	uint32_t count;
	struct point points[];
};

struct points {
	const struct shunt_host *host;
	struct point **segments[POINTS_SEGMENTS]; /* of buckets: 16, 32, 64, ... */
	uint32_t bucket_count;
	uint32_t mask; /* bucket_count - 1, rounded up to a power of two less one */
	size_t count;
};

/* The point that is nearest to any of several numbers, so far. */
struct nearest {
	uint64_t distance;	   /* an exclusive or, shifted */
	const struct owner *owner; /* NULL: none yet */
};

void points_init(struct points *points, const struct shunt_host *host);

/* Gives the table's memory back; the points are their owners'. */
void points_fini(struct points *points);

/* Memory for a first point; -1 when it is out. What is added later needs none, only is slower to
 * find without. */
int points_reserve(struct points *points);

void points_add(struct points *points, struct point *point);
void points_remove(struct points *points, struct point *point);

/*
 * Looks for the point that is nearest to one of the numbers, which is the same whatever the table
 * has gone through, and improves on *nearest with it, if it is nearer than that. Distances are
 * shifted to the left by `shift` (at most 31), which makes them smaller. Of points that are equally
 * near, the one of the owner that precedes.
 */
void points_search(const struct points *points, const uint32_t *numbers, size_t count,
		   unsigned shift, struct nearest *nearest);

#endif
