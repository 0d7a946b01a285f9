/* SPDX-License-Identifier: MIT */
#include "store/memory/node.h"

#include "base/account.h"
#include "base/bug.h"
#include "base/mem.h"

#define SLAB_NODES ((size_t)256)
#define SPARE_MAX                                                                                  \
	(4 * SLAB_NODES) /* with more than these, a slab that is all spare is given back */
#define SLABS_MIN ((size_t)8)

struct node_slab {
	size_t n_used;
	struct live_node nodes[SLAB_NODES];
};

void node_pool_init(struct node_pool *pool)
{
	*pool = (struct node_pool){.n_spare = 0};
	list_init(&pool->spare);
}

static void free_slab(struct node_slab *slab)
{
	account_add(ACCOUNT_OTHER, -(ptrdiff_t)sizeof(*slab));
	mem_free(slab);
}

void node_pool_fini(struct node_pool *pool)
{
	for (size_t i = 0; i < pool->n_slabs; i++)
		if (pool->slabs[i])
			free_slab(pool->slabs[i]);
	mem_free(pool->slabs);
}

static void grow(struct node_pool *pool)
{
	size_t n_slabs = pool->n_slabs ? pool->n_slabs * 2 : SLABS_MIN;

	bug_on(n_slabs > UINT32_MAX / SLAB_NODES);
	pool->slabs = mem_realloc(pool->slabs, n_slabs * sizeof(*pool->slabs));
	for (size_t i = pool->n_slabs; i < n_slabs; i++)
		pool->slabs[i] = NULL;
	pool->n_slabs = n_slabs;
}

static void add_slab(struct node_pool *pool)
{
	struct node_slab *slab;

	while (pool->lowest_free < pool->n_slabs && pool->slabs[pool->lowest_free])
		pool->lowest_free++;
	if (pool->lowest_free == pool->n_slabs)
		grow(pool);
	slab = mem_zalloc(sizeof(*slab));
	account_add(ACCOUNT_OTHER, (ptrdiff_t)sizeof(*slab));
	pool->slabs[pool->lowest_free] = slab;
	for (size_t i = 0; i < SLAB_NODES; i++) {
		slab->nodes[i].index = (uint32_t)(pool->lowest_free * SLAB_NODES + i);
		list_init(&slab->nodes[i].link);
		list_add_tail(&pool->spare, &slab->nodes[i].link);
	}
	pool->n_spare += SLAB_NODES;
}

static void remove_slab(struct node_pool *pool, size_t index)
{
	struct node_slab *slab = pool->slabs[index];

	for (size_t i = 0; i < SLAB_NODES; i++)
		list_remove(&slab->nodes[i].link);
	pool->n_spare -= SLAB_NODES;
	pool->slabs[index] = NULL;
	if (index < pool->lowest_free)
		pool->lowest_free = index;
	free_slab(slab);
}

struct live_node *node_get(struct node_pool *pool, enum live_kind kind)
{
	struct live_node *node;
	struct list *link;

	if (list_is_empty(&pool->spare))
		add_slab(pool);
	link = list_pop(&pool->spare);
	bug_on(!link);
	node = container_of(link, struct live_node, link);
	node->kind = kind;
	pool->n_spare--;
	pool->slabs[node->index / SLAB_NODES]->n_used++;
	return node;
}

void node_put(struct node_pool *pool, struct live_node *node)
{
	size_t index = node->index / SLAB_NODES;

	node->kind = LIVE_SPARE;
	list_add_head(&pool->spare, &node->link);
	pool->n_spare++;
	if (--pool->slabs[index]->n_used == 0 && pool->n_spare > SPARE_MAX)
		remove_slab(pool, index);
}
