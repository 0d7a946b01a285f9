/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_MAP_H
#define KERNEL_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * An intrusive hash map keyed by slices. Nodes and the keys' bytes belong to the caller and must
 * outlive their stay in the map; the map owns its tables only.
 *
 * It grows incrementally: for a time there are two tables, and every insertion moves some buckets
 * over, so that no operation takes long with a million nodes. Removing and finding never move
 * anything: so map_find() and iterating write nothing (any number of readers at once under the
 * caller's lock), and the node an iteration is at may be removed. Not safe against a writer by
 * itself.
 */
struct map_node {
	struct map_node *next;
	uint64_t hash;
	struct slice key;
};

struct map_table {
	struct map_node **buckets; /* NULL: no table */
	size_t size;		   /* power of two; 0: no table */
};

struct map {
	struct map_table tables[2]; /* [0] takes insertions; [1], if any, is being emptied */
	size_t moved;		    /* buckets of [1] that are empty for good */
	size_t count;
};

void map_init(struct map *map);

/* Releases the tables. Nodes that are still in are left alone. */
void map_fini(struct map *map);

/* NULL if absent. */
struct map_node *map_find(const struct map *map, struct slice key);

/* The same for several maps with one key: hash once, with slice_hash(key). */
struct map_node *map_find_hashed(const struct map *map, struct slice key, uint64_t hash);

/* The key must be absent (it is not looked for). */
void map_insert(struct map *map, struct map_node *node, struct slice key);

/* The node must be in the map. */
void map_remove(struct map *map, struct map_node *node);

static inline size_t map_count(const struct map *map)
{
	return map->count;
}

/*
 * Iteration, in no particular order:
 *
 *	struct map_cursor cursor;
 *	struct map_node *node;
 *	map_for_each(node, &map, &cursor) { ... }
 *
 * The current node may be removed and freed; other nodes must stay, and none may be inserted, until
 * the loop ends.
 */
struct map_cursor {
	struct map_node *next;
	size_t bucket;
	unsigned table;
};

struct map_node *map_first(const struct map *map, struct map_cursor *cursor);
struct map_node *map_next(const struct map *map, struct map_cursor *cursor);

#define map_for_each(node, map, cursor)                                                            \
	for ((node) = map_first((map), (cursor)); (node) != NULL;                                  \
	     (node) = map_next((map), (cursor)))

#endif
