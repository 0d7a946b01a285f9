/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include "base/bug.h"
#include "base/mem.h"

/*
 * Growing: when there is a node for every bucket, a table of twice the size becomes tables[0], and
 * the one until now becomes tables[1], whose buckets are moved over by the following insertions,
 * MOVE_NODES nodes at a time (and a run of empty buckets). As a table doubles only after as many
 * insertions as it has buckets, the last move is over long before. The same way a map that has
 * become nearly empty shrinks, when something is inserted again; one that becomes quite empty drops
 * its tables at once.
 *
 * Cost of a step: the new table is zeroed memory of the kernel (mmap by calloc), its pages come as
 * they are used.
 */
enum {
	SIZE_MIN = 8,
	SHRINK_RATIO = 16, /* shrink with fewer than a node for so many buckets */
	MOVE_NODES = 4,
	MOVE_BUCKETS = 64, /* looked at, at most */
};

void map_init(struct map *map)
{
	*map = (struct map){0};
}

static void table_free(struct map_table *table)
{
	mem_free(table->buckets);
	*table = (struct map_table){0};
}

void map_fini(struct map *map)
{
	table_free(&map->tables[0]);
	table_free(&map->tables[1]);
	map_init(map);
}

static struct map_node **table_bucket(const struct map_table *table, uint64_t hash)
{
	return &table->buckets[hash & (table->size - 1)];
}

static struct map_node *table_find(const struct map_table *table, struct slice key, uint64_t hash)
{
	struct map_node *node;

	if (table->size == 0)
		return NULL;
	for (node = *table_bucket(table, hash); node; node = node->next) {
		if (node->hash == hash && slice_equal(node->key, key))
			return node;
	}
	return NULL;
}

struct map_node *map_find_hashed(const struct map *map, struct slice key, uint64_t hash)
{
	struct map_node *node = table_find(&map->tables[0], key, hash);

	return node ? node : table_find(&map->tables[1], key, hash);
}

struct map_node *map_find(const struct map *map, struct slice key)
{
	return map->count > 0 ? map_find_hashed(map, key, slice_hash(key)) : NULL;
}

static void table_insert(struct map_table *table, struct map_node *node)
{
	struct map_node **bucket = table_bucket(table, node->hash);

	node->next = *bucket;
	*bucket = node;
}

static void move_some(struct map *map)
{
	struct map_table *old = &map->tables[1];
	unsigned nodes = 0, buckets = 0;

	while (map->moved < old->size && nodes < MOVE_NODES && buckets < MOVE_BUCKETS) {
		struct map_node *node = old->buckets[map->moved], *next;

		old->buckets[map->moved] = NULL;
		for (; node; node = next) {
			next = node->next;
			table_insert(&map->tables[0], node);
			nodes++;
		}
		map->moved++;
		buckets++;
	}
	if (map->moved == old->size)
		table_free(old);
}

static void start_resize(struct map *map, size_t size)
{
	map->tables[1] = map->tables[0];
	map->moved = 0;
	map->tables[0].buckets = mem_zalloc(size * sizeof(struct map_node *));
	map->tables[0].size = size;
}

static void prepare_insert(struct map *map)
{
	size_t size = map->tables[0].size;

	if (map->tables[1].size > 0)
		move_some(map);
	else if (map->count >= size)
		start_resize(map, size > 0 ? size * 2 : SIZE_MIN);
	else if (size > SIZE_MIN && map->count < size / SHRINK_RATIO)
		start_resize(map, size / (SHRINK_RATIO / 4));
}

void map_insert(struct map *map, struct map_node *node, struct slice key)
{
	prepare_insert(map);
	node->key = key;
	node->hash = slice_hash(key);
	table_insert(&map->tables[0], node);
	map->count++;
}

static bool table_remove(struct map_table *table, struct map_node *node)
{
	struct map_node **link;

	if (table->size == 0)
		return false;
	for (link = table_bucket(table, node->hash); *link; link = &(*link)->next) {
		if (*link == node) {
			*link = node->next;
			node->next = NULL;
			return true;
		}
	}
	return false;
}

void map_remove(struct map *map, struct map_node *node)
{
	bool found = table_remove(&map->tables[0], node) || table_remove(&map->tables[1], node);

	bug_on(!found);
	map->count--;
	if (map->count == 0)
		map_fini(map);
}

/*
 * Finds the next bucket with a node, from cursor->bucket of cursor->table on; then cursor->next is
 * its first node.
 */
static void cursor_settle(const struct map *map, struct map_cursor *cursor)
{
	for (; cursor->table < 2; cursor->table++, cursor->bucket = 0) {
		const struct map_table *table = &map->tables[cursor->table];

		for (; cursor->bucket < table->size; cursor->bucket++) {
			cursor->next = table->buckets[cursor->bucket];
			if (cursor->next)
				return;
		}
	}
}

struct map_node *map_first(const struct map *map, struct map_cursor *cursor)
{
	*cursor = (struct map_cursor){0};
	cursor_settle(map, cursor);
	return map_next(map, cursor);
}

struct map_node *map_next(const struct map *map, struct map_cursor *cursor)
{
	struct map_node *node = cursor->next;

	if (!node)
		return NULL;
	cursor->next = node->next;
	if (!cursor->next) {
		cursor->bucket++;
		cursor_settle(map, cursor);
	}
	return node;
}
