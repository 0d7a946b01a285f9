/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include "siphash.h"

#include <string.h>

#define STEP 0x9e3779b97f4a7c15u /* 2^64 / golden ratio */

void ring_init(struct ring *ring, const struct shunt_host *host)
{
	memset(ring, 0, sizeof(*ring));
	ring->host = host;
}

/* Bijective; each bit of the result depends on each of x. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* ---- Owners ---- */

/* Clients choose these bytes, and the seed must not be for them to choose: of one seed are all
 * points. */
static uint64_t seed_of(const struct shunt_binding *binding)
{
	uint64_t seed = siphash(binding->destination_is_exchange, 0, binding->destination);

	seed = siphash(seed, 0, binding->routing_key);
	return siphash(seed, 0, binding->arguments);
}

static struct owner *owner_create(const struct shunt_host *host,
				  const struct shunt_binding *binding, uint32_t weight)
{
	uint32_t level = 31u - (uint32_t)__builtin_clz(weight);
	uint32_t count = (uint32_t)((uint64_t)RING_POINTS * weight >> level);
	struct owner *owner =
		host->allocate(host, sizeof(*owner) + count * sizeof(owner->points[0]));

	if (!owner)
		return NULL;
	owner->binding = binding;
	owner->seed = seed_of(binding);
	owner->level = level;
	owner->count = count;
	for (uint32_t i = 0; i < count; i++) {
		owner->points[i].position = (uint32_t)mix(owner->seed + i * STEP);
		owner->points[i].index = i;
	}
	return owner;
}

static void list_insert(struct ring *ring, struct owner *owner)
{
	owner->previous = NULL;
	owner->next = ring->owners;
	if (owner->next)
		owner->next->previous = owner;
	ring->owners = owner;
}

static void list_remove(struct ring *ring, const struct owner *owner)
{
	if (owner->previous)
		owner->previous->next = owner->next;
	else
		ring->owners = owner->next;
	if (owner->next)
		owner->next->previous = owner->previous;
}

/* ---- Levels ---- */

static struct points *level_create(const struct shunt_host *host)
{
	struct points *points = host->allocate(host, sizeof(*points));

	if (!points)
		return NULL;
	points_init(points, host);
	if (points_reserve(points) < 0) {
		host->free(host, points);
		return NULL;
	}
	return points;
}

static int level_reserve(struct ring *ring, uint32_t level)
{
	if (ring->levels[level])
		return 0;
	ring->levels[level] = level_create(ring->host);
	if (!ring->levels[level])
		return -1;
	ring->used |= 1u << level;
	return 0;
}

static void level_destroy(struct ring *ring, uint32_t level)
{
	points_fini(ring->levels[level]);
	ring->host->free(ring->host, ring->levels[level]);
	ring->levels[level] = NULL;
	ring->used &= ~(1u << level);
}

struct owner *ring_add(struct ring *ring, const struct shunt_binding *binding, uint32_t weight)
{
	struct owner *owner = owner_create(ring->host, binding, weight);

	if (!owner)
		return NULL;
	if (level_reserve(ring, owner->level) < 0) {
		ring->host->free(ring->host, owner);
		return NULL;
	}
	for (uint32_t i = 0; i < owner->count; i++)
		points_add(ring->levels[owner->level], &owner->points[i]);
	list_insert(ring, owner);
	return owner;
}

void ring_remove(struct ring *ring, struct owner *owner)
{
	struct points *points = ring->levels[owner->level];

	for (uint32_t i = 0; i < owner->count; i++)
		points_remove(points, &owner->points[i]);
	if (points->count == 0)
		level_destroy(ring, owner->level);
	list_remove(ring, owner);
	ring->host->free(ring->host, owner);
}

void ring_fini(struct ring *ring)
{
	for (uint32_t used = ring->used; used != 0; used &= used - 1)
		level_destroy(ring, (uint32_t)__builtin_ctz(used));
	while (ring->owners) {
		struct owner *owner = ring->owners;

		ring->owners = owner->next;
		ring->host->free(ring->host, owner);
	}
}

/* ---- Hashes ---- */

const struct shunt_binding *ring_find(const struct ring *ring, uint64_t hash)
{
	struct nearest nearest = {0, NULL};
	uint32_t probes[RING_PROBES];

	for (uint32_t i = 0; i < RING_PROBES; i += 2) {
		uint64_t mixed = mix(hash + i * STEP);

		probes[i] = (uint32_t)mixed;
		probes[i + 1] = (uint32_t)(mixed >> 32);
	}
	for (uint32_t used = ring->used; used != 0; used &= used - 1) {
		unsigned level = (unsigned)__builtin_ctz(used);

		points_search(ring->levels[level], probes, RING_PROBES, level, &nearest);
	}
	return nearest.owner ? nearest.owner->binding : NULL;
}
