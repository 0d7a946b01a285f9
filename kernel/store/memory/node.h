/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_MEMORY_NODE_H
#define KERNEL_STORE_MEMORY_NODE_H

/*
 * The nodes that live records are kept in (store/memory/live.h), from slabs: a node does not move while in
 * use. Slabs that are all spare are given back, but for some.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "store/store.h"

enum live_kind {
	LIVE_SPARE,
	LIVE_BODY,
	LIVE_ENTRY,
};

struct live_queue;

struct live_node {
	struct list link; /* the user's while in use */
	enum live_kind kind;
	uint32_t index;
	union {
		struct {
			struct store_body bytes;
			size_t n_entries; /* and one for an append under way */
			bool is_transient;
		} body;
		struct {
			struct live_queue *queue;
			struct live_node *body;
			uint64_t seq;
			uint64_t expires_ms;
			unsigned deliveries;
		} entry;
	};
};

struct node_slab;

struct node_pool {
	struct list spare;
	size_t n_spare;
	struct node_slab **slabs; /* n_slabs, some NULL */
	size_t n_slabs;
	size_t lowest_free; /* none before it is NULL */
};

void node_pool_init(struct node_pool *pool);
/* Also the nodes that are in use. */
void node_pool_fini(struct node_pool *pool);

/* Its link is not on a list. */
struct live_node *node_get(struct node_pool *pool, enum live_kind kind);
/* Its link is not on a list any more. */
void node_put(struct node_pool *pool, struct live_node *node);
#endif
