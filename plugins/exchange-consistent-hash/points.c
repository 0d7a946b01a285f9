/* SPDX-License-Identifier: MIT */
#include "points.h"

#include <string.h>

/* ---- The table: as the one of exchange-direct's keys, of n buckets, 2^k <= n < 2^(k+1) ---- */

void points_init(struct points *points, const struct shunt_host *host)
{
	memset(points, 0, sizeof(*points));
	points->host = host;
}

static unsigned segment_of(uint32_t bucket)
{
	return 31u - (unsigned)__builtin_clz(bucket + (1u << POINTS_FIRST_BITS)) -
	       POINTS_FIRST_BITS;
}

static struct point **bucket_at(const struct points *points, uint32_t bucket)
{
	unsigned segment = segment_of(bucket);

	return &points->segments[segment][bucket + (1u << POINTS_FIRST_BITS) -
					  (1u << (segment + POINTS_FIRST_BITS))];
}

static struct point **bucket_of(const struct points *points, uint32_t position)
{
	uint32_t bucket = position & points->mask;

	return bucket_at(points,
			 bucket < points->bucket_count ? bucket : bucket & points->mask >> 1);
}

static int segment_reserve(struct points *points, unsigned segment)
{
	size_t size = sizeof(struct point *) << (segment + POINTS_FIRST_BITS);

	if (segment >= POINTS_SEGMENTS)
		return -1;
	if (!points->segments[segment])
		points->segments[segment] = points->host->allocate(points->host, size);
	return points->segments[segment] ? 0 : -1;
}

static void segments_free(struct points *points, unsigned first)
{
	for (unsigned i = first; i < POINTS_SEGMENTS; i++) {
		points->host->free(points->host, points->segments[i]);
		points->segments[i] = NULL;
	}
}

void points_fini(struct points *points)
{
	segments_free(points, 0);
	points->bucket_count = 0;
	points->mask = 0;
	points->count = 0;
}

int points_reserve(struct points *points)
{
	if (points->bucket_count > 0)
		return 0;
	if (segment_reserve(points, 0) < 0)
		return -1;
	*bucket_at(points, 0) = NULL;
	points->bucket_count = 1;
	return 0;
}

static void chain_distribute(struct points *points, struct point *chain)
{
	while (chain) {
		struct point *next = chain->next;
		struct point **bucket = bucket_of(points, chain->position);

		chain->next = *bucket;
		*bucket = chain;
		chain = next;
	}
}

/* Splits a bucket. Without memory for it the chains get longer, that is all. */
static void grow(struct points *points)
{
	uint32_t bucket = points->bucket_count;
	struct point **split, *chain;

	if (segment_reserve(points, segment_of(bucket)) < 0)
		return;
	*bucket_at(points, bucket) = NULL;
	points->bucket_count++;
	if (bucket > points->mask)
		points->mask = points->mask << 1 | 1;
	split = bucket_at(points, bucket & points->mask >> 1);
	chain = *split;
	*split = NULL;
	chain_distribute(points, chain);
}

/* Merges the last bucket into the one it was split from, and frees segments that are far from
 * being needed. */
static void shrink(struct points *points)
{
	uint32_t bucket = --points->bucket_count;

	if (bucket == (points->mask >> 1) + 1)
		points->mask >>= 1;
	chain_distribute(points, *bucket_at(points, bucket));
	segments_free(points, segment_of(points->bucket_count) + 2);
}

void points_add(struct points *points, struct point *point)
{
	struct point **bucket;

	if (points->count >= points->bucket_count)
		grow(points);
	bucket = bucket_of(points, point->position);
	point->next = *bucket;
	*bucket = point;
	points->count++;
}

void points_remove(struct points *points, struct point *point)
{
	struct point **link = bucket_of(points, point->position);

	while (*link != point)
		link = &(*link)->next;
	*link = point->next;
	points->count--;
	if (points->count == 0)
		points_fini(points);
	else if (points->count < points->bucket_count / 2)
		shrink(points);
}

/* ---- Searching ---- */

static const struct owner *owner_of(const struct point *point)
{
	const struct point *first = point - point->index;

	/* by way of void: the compiler sees no alignment in an address of bytes */
	return (const void *)((const char *)first - offsetof(struct owner, points));
}

static bool is_nearer(uint64_t distance, uint64_t other)
{
	uint64_t differ = distance ^ other;

	return (other & differ & (0 - differ)) != 0;
}

static int compare_bytes(struct shunt_bytes bytes, struct shunt_bytes other)
{
	size_t size = bytes.size < other.size ? bytes.size : other.size;
	int order = size > 0 ? memcmp(bytes.data, other.data, size) : 0;

	return order != 0 ? order : (bytes.size > other.size) - (bytes.size < other.size);
}

/* Any order will do that does not depend on when the bindings came. The id is for those that are
 * alike in everything: which of them it is makes no difference, but it stays the same one. */
static bool precedes(const struct owner *owner, const struct owner *other)
{
	const struct shunt_binding *a = owner->binding, *b = other->binding;
	int order;

	if (owner->seed != other->seed)
		return owner->seed < other->seed;
	if (a->destination_is_exchange != b->destination_is_exchange)
		return b->destination_is_exchange;
	order = compare_bytes(a->destination, b->destination);
	if (order == 0)
		order = compare_bytes(a->routing_key, b->routing_key);
	if (order == 0)
		order = compare_bytes(a->arguments, b->arguments);
	return order != 0 ? order < 0 : a->id < b->id;
}

static void consider(const struct point *point, uint64_t distance, struct nearest *nearest)
{
	const struct owner *owner;

	if (!nearest->owner || is_nearer(distance, nearest->distance)) {
		nearest->owner = owner_of(point);
		nearest->distance = distance;
	} else if (distance == nearest->distance) {
		owner = owner_of(point);
		if (precedes(owner, nearest->owner))
			nearest->owner = owner;
	}
}

/* Whether one of the points has all bits of the mask in common with the number. */
static bool search_chain(const struct point *point, uint32_t number, uint32_t mask, unsigned shift,
			 struct nearest *nearest)
{
	bool found = false;

	for (; point; point = point->next) {
		uint32_t distance = number ^ point->position;

		consider(point, (uint64_t)distance << shift, nearest);
		found |= (distance & mask) == 0;
	}
	return found;
}

/* All points that have them in common: those of one bucket or more. */
static bool search_bits(const struct points *points, uint32_t number, uint32_t mask, unsigned shift,
			struct nearest *nearest)
{
	bool found = false;

	for (uint32_t i = number & mask; i < points->bucket_count; i += mask + 1)
		found |= search_chain(*bucket_at(points, i), number, mask, shift, nearest);
	return found;
}

/*
 * A point that has some lower bits in common with a number is nearer than any that has not. Each
 * number's own bucket has all points with as many bits in common as the mask has, so if there is
 * such a point, the nearest is among them. If there is none, which is rare, then those with one
 * bit less in common, and so on.
 */
void points_search(const struct points *points, const uint32_t *numbers, size_t count,
		   unsigned shift, struct nearest *nearest)
{
	uint32_t mask = points->mask;
	bool found = points->count == 0;

	for (size_t i = 0; i < count && points->count > 0; i++)
		found |= search_chain(*bucket_of(points, numbers[i]), numbers[i], mask, shift,
				      nearest);
	while (!found) {
		mask >>= 1;
		for (size_t i = 0; i < count; i++)
			found |= search_bits(points, numbers[i], mask, shift, nearest);
	}
}
