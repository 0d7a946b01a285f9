/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <stdio.h>

#include "../unit.h"
#include "base/list.h"
#include "base/mem.h"

#define MANY 200000

struct item {
	struct map_node node;
	unsigned number;
	bool seen;
	char name[24];
};

static struct item *make_items(unsigned count)
{
	struct item *items = mem_zalloc(count * sizeof(struct item));

	for (unsigned i = 0; i < count; i++) {
		items[i].number = i;
		(void)snprintf(items[i].name, sizeof(items[i].name), "queue-%u", i);
	}
	return items;
}

static void insert(struct map *map, struct item *item)
{
	map_insert(map, &item->node, slice_cstr(item->name));
}

static struct item *find(const struct map *map, const char *name)
{
	struct map_node *node = map_find(map, slice_cstr(name));

	return node ? container_of(node, struct item, node) : NULL;
}

static void find_missing(void)
{
	struct map map;
	struct item *items = make_items(1);

	map_init(&map);
	CU_ASSERT_PTR_NULL(find(&map, "queue-0"));
	insert(&map, items);
	CU_ASSERT_PTR_NULL(find(&map, "queue-"));
	CU_ASSERT_PTR_NULL(find(&map, ""));
	CU_ASSERT_PTR_EQUAL(find(&map, "queue-0"), items);
	CU_ASSERT_PTR_EQUAL(map_find_hashed(&map, SLICE_LITERAL("queue-0"),
					    slice_hash(SLICE_LITERAL("queue-0"))),
			    &items->node);
	map_remove(&map, &items->node);
	CU_ASSERT_PTR_NULL(find(&map, "queue-0"));
	CU_ASSERT_EQUAL(map_count(&map), 0);
	map_fini(&map);
	mem_free(items);
}

static void empty_key(void)
{
	struct map map;
	struct item item = { 0 };

	map_init(&map);
	insert(&map, &item);
	CU_ASSERT_PTR_EQUAL(find(&map, ""), &item);
	map_fini(&map);
}

/* Every node is found at any time, also while two tables hold them. */
static void grow(void)
{
	struct map map;
	struct item *items = make_items(MANY);
	unsigned wrong = 0, two_tables = 0;

	map_init(&map);
	for (unsigned i = 0; i < MANY; i++) {
		insert(&map, &items[i]);
		two_tables += map.tables[1].size > 0;
		wrong += find(&map, items[i].name) != &items[i];
		wrong += find(&map, items[i / 2].name) != &items[i / 2];
		wrong += find(&map, items[i * 7919u % (i + 1)].name) == NULL;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(two_tables > 1000);
	CU_ASSERT_EQUAL(map_count(&map), MANY);
	for (unsigned i = 0; i < MANY; i++) {
		wrong += find(&map, items[i].name) != &items[i];
		map_remove(&map, &items[i].node);
		wrong += find(&map, items[i].name) != NULL;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(map_count(&map), 0);
	CU_ASSERT_EQUAL(map.tables[0].size, 0);
	map_fini(&map);
	mem_free(items);
}

/* How many nodes change their table by one insertion. */
static void growing_is_incremental(void)
{
	struct map map;
	struct item *items = make_items(MANY);
	size_t most = 0;

	map_init(&map);
	for (unsigned i = 0; i < MANY; i++) {
		size_t moved = map.tables[1].size > 0 ? map.moved : 0;

		insert(&map, &items[i]);
		if (map.tables[1].size > 0 && map.moved > moved && map.moved - moved > most)
			most = map.moved - moved;
	}
	CU_ASSERT_TRUE(most > 0);
	CU_ASSERT_TRUE(most <= 64);
	map_fini(&map);
	mem_free(items);
}

static void shrinks_when_used_again(void)
{
	struct map map;
	struct item *items = make_items(MANY);
	unsigned wrong = 0;

	map_init(&map);
	for (unsigned i = 0; i < MANY; i++)
		insert(&map, &items[i]);
	size_t full = map.tables[0].size;
	for (unsigned i = 100; i < MANY; i++)
		map_remove(&map, &items[i].node);
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 100; i < 200; i++)
			insert(&map, &items[i]);
		for (unsigned i = 0; i < 200; i++)
			wrong += find(&map, items[i].name) != &items[i];
		for (unsigned i = 100; i < 200; i++)
			map_remove(&map, &items[i].node);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(map_count(&map), 100);
	CU_ASSERT_TRUE(map.tables[0].size <= full / 64);
	CU_ASSERT_EQUAL(map.tables[1].size, 0);
	map_fini(&map);
	mem_free(items);
}

/* With exactly `count` nodes in, which puts some maps in the middle of growing. */
static void iterate_and_remove(unsigned count, struct item *items)
{
	struct map map;
	struct map_cursor cursor;
	struct map_node *node;
	unsigned seen = 0, twice = 0, left = 0;

	map_init(&map);
	for (unsigned i = 0; i < count; i++) {
		items[i].seen = false;
		insert(&map, &items[i]);
	}
	map_for_each(node, &map, &cursor)
	{
		struct item *item = container_of(node, struct item, node);

		twice += item->seen;
		item->seen = true;
		seen++;
		if (item->number % 3 != 0)
			map_remove(&map, node);
	}
	map_for_each(node, &map, &cursor)
	{
		left++;
		map_remove(&map, node);
		node->next = NULL;
		node->key = SLICE_EMPTY;
	}
	CU_ASSERT_EQUAL(seen, count);
	CU_ASSERT_EQUAL(twice, 0);
	CU_ASSERT_EQUAL(left, (count + 2) / 3);
	CU_ASSERT_EQUAL(map_count(&map), 0);
	map_fini(&map);
}

static void iteration_with_removal(void)
{
	struct item *items = make_items(MANY);

	for (unsigned count = 0; count < 200; count++)
		iterate_and_remove(count, items);
	iterate_and_remove(131072 + 100, items); /* just began to grow */
	iterate_and_remove(MANY, items);
	mem_free(items);
}

static void iteration_may_free_the_current(void)
{
	struct map map;
	struct map_cursor cursor;
	struct map_node *node;
	unsigned freed = 0;

	map_init(&map);
	for (unsigned i = 0; i < 1000; i++) {
		struct item *item = mem_zalloc(sizeof(*item));

		(void)snprintf(item->name, sizeof(item->name), "%u", i);
		insert(&map, item);
	}
	map_for_each(node, &map, &cursor)
	{
		map_remove(&map, node);
		mem_free(container_of(node, struct item, node));
		freed++;
	}
	CU_ASSERT_EQUAL(freed, 1000);
	map_fini(&map);
}

UNIT_MAIN("map", UNIT_TEST(find_missing), UNIT_TEST(empty_key), UNIT_TEST(grow),
	  UNIT_TEST(growing_is_incremental), UNIT_TEST(shrinks_when_used_again),
	  UNIT_TEST(iteration_with_removal), UNIT_TEST(iteration_may_free_the_current))
