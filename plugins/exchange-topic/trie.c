/* SPDX-License-Identifier: MIT */
#include "trie.h"

#include "pattern.h"

#include <string.h>

void trie_init(struct trie *trie, const struct shunt_host *host)
{
	struct table_seeds seeds;

	table_seeds_init(&seeds, host);
	trie->host = host;
	memset(&trie->root, 0, sizeof(trie->root));
	trie->root_content = NULL;
	pool_init(&trie->nodes, host, sizeof(struct node));
	pool_init(&trie->places, host, sizeof(struct place));
	table_init(&trie->top, host, &seeds);
	table_init(&trie->deep, host, &seeds);
	words_init(&trie->words, host, &seeds);
}

static void content_fini(void *context, uint32_t value, void *content)
{
	const struct trie *trie = context;

	if (value & NODE_CROWD)
		crowd_free(trie->host, content);
}

void trie_fini(struct trie *trie)
{
	content_fini(trie, trie->root.flags, trie->root_content);
	table_each(&trie->top, content_fini, trie);
	table_each(&trie->deep, content_fini, trie);
	pool_fini(&trie->nodes);
	pool_fini(&trie->places);
	table_fini(&trie->top);
	table_fini(&trie->deep);
	words_fini(&trie->words);
}

static struct node *node_at(struct trie *trie, uint32_t node)
{
	return node == NODE_ROOT ? &trie->root : trie_node(trie, node);
}

/* Changes the flags where they stand: in the record and in the edge. */
static void node_set_flags(struct trie *trie, uint32_t number, uint32_t flags)
{
	struct node *node = node_at(trie, number);
	uint32_t *value;

	if (node->flags == flags)
		return;
	node->flags = flags;
	if (number == NODE_ROOT)
		return;
	value = table_value(trie_edges(trie, node->depth), edge_key(node->parent, node->word));
	if (value)
		*value = number | flags;
}

/* Where the pointer to the node's binding or crowd stands. */
static void **node_content(struct trie *trie, uint32_t number)
{
	const struct node *node = node_at(trie, number);

	if (number == NODE_ROOT)
		return &trie->root_content;
	return table_content(trie_edges(trie, node->depth), edge_key(node->parent, node->word));
}

static uint32_t edge_flag(uint32_t word)
{
	if (word == WORD_STAR)
		return NODE_STAR;
	return word == WORD_HASH ? NODE_HASH : NODE_WORDS;
}

static unsigned child_depth(struct trie *trie, uint32_t parent)
{
	unsigned depth = node_at(trie, parent)->depth + 1u;

	return depth < TRIE_DEEP ? depth : TRIE_DEEP;
}

/* The table in which edges to nodes of this depth are. */
static struct table *edges_of(struct trie *trie, unsigned depth)
{
	return depth < TRIE_DEEP ? &trie->top : &trie->deep;
}

static uint32_t child_find(struct trie *trie, uint32_t parent, uint32_t word)
{
	const struct table *edges = trie_edges(trie, child_depth(trie, parent));

	return table_find(edges, edge_key(parent, word)).value & ~NODE_FLAGS;
}

/* The new child takes over the reference to the word. 0 when memory (or the numbers) ran out. */
static uint32_t child_create(struct trie *trie, uint32_t parent, uint32_t word)
{
	uint32_t number = pool_take(&trie->nodes);
	unsigned depth = child_depth(trie, parent);
	struct node *node;

	if (number == 0)
		return 0;
	if (table_insert(edges_of(trie, depth), edge_key(parent, word), number) < 0) {
		pool_give(&trie->nodes, number);
		return 0;
	}
	node = trie_node(trie, number);
	memset(node, 0, sizeof(*node));
	node->parent = parent;
	node->word = word;
	node->depth = depth & TRIE_DEEP;
	if (edge_flag(word) == NODE_WORDS)
		node_at(trie, parent)->words++;
	node_set_flags(trie, parent, node_at(trie, parent)->flags | edge_flag(word));
	return number;
}

static void child_destroy(struct trie *trie, uint32_t number)
{
	uint32_t parent = trie_node(trie, number)->parent;
	uint32_t word = trie_node(trie, number)->word;
	uint32_t flag = edge_flag(word);

	table_remove(edges_of(trie, trie_node(trie, number)->depth), edge_key(parent, word));
	pool_give(&trie->nodes, number);
	if (flag == NODE_WORDS) {
		words_give(&trie->words, word);
		if (--node_at(trie, parent)->words > 0)
			return;
	}
	node_set_flags(trie, parent, node_at(trie, parent)->flags & ~flag);
}

/* Removes the node, and then its ancestors, as long as they are of no use. */
static void prune(struct trie *trie, uint32_t node)
{
	while (node != NODE_ROOT && trie_node(trie, node)->flags == 0) {
		uint32_t parent = trie_node(trie, node)->parent;

		child_destroy(trie, node);
		node = parent;
	}
}

/* The child by this word of a pattern, made if need be; 0 when memory is out. */
static uint32_t child_get(struct trie *trie, uint32_t parent, struct shunt_bytes text)
{
	uint32_t word, node;

	if (pattern_is_star(text))
		word = WORD_STAR;
	else if (pattern_is_hash(text))
		word = WORD_HASH;
	else
		word = words_take(&trie->words, text.data, text.size);
	if (word == 0)
		return 0;
	node = child_find(trie, parent, word);
	if (node == 0) {
		node = child_create(trie, parent, word);
		if (node != 0)
			return node;
	}
	if (edge_flag(word) == NODE_WORDS)
		words_give(&trie->words, word);
	return node;
}

/* The node of the pattern, made if need be. */
static int path_get(struct trie *trie, struct shunt_bytes key, uint32_t *ret_node)
{
	struct shunt_bytes words[KEY_WORDS_MAX];
	unsigned count;
	uint32_t node = NODE_ROOT;

	if (key.size > KEY_SIZE_MAX)
		return -1;
	count = pattern_normalise(words, pattern_split(key, words));
	for (unsigned i = 0; i < count; i++) {
		uint32_t child = child_get(trie, node, words[i]);

		if (child == 0) {
			prune(trie, node);
			return -1;
		}
		node = child;
	}
	*ret_node = node;
	return 0;
}

/* Adds a binding to the node's. -1 when memory is out: then nothing has changed. */
static int node_add(struct trie *trie, uint32_t number, const struct shunt_binding *binding,
		    uint32_t place)
{
	struct node *node = node_at(trie, number);
	void **content = node_content(trie, number);
	struct crowd *crowd = node->flags & NODE_CROWD ? *content : NULL;

	if (!(node->flags & NODE_BINDINGS)) {
		*content = (void *)(uintptr_t)binding;
		node->place = place;
		node_set_flags(trie, number, node->flags | NODE_BINDINGS);
		return 0;
	}
	if (crowd_reserve(trie->host, &trie->places, &crowd) < 0)
		return -1;
	if (!(node->flags & NODE_CROWD))
		crowd_add(&trie->places, crowd, *content, node->place);
	crowd_add(&trie->places, crowd, binding, place);
	*content = crowd;
	node_set_flags(trie, number, node->flags | NODE_CROWD);
	return 0;
}

static void node_drop(struct trie *trie, uint32_t number, uint32_t place)
{
	struct node *node = node_at(trie, number);
	void **content = node_content(trie, number);
	struct crowd *crowd;

	if (!(node->flags & NODE_CROWD)) {
		*content = NULL;
		node_set_flags(trie, number, node->flags & ~NODE_BINDINGS);
		return;
	}
	crowd = *content;
	crowd_remove(trie->host, &trie->places, &crowd, place);
	*content = crowd;
	if (crowd->count > 1 || crowd->next)
		return;
	node->place = crowd_place(crowd, 0);
	*content = (void *)(uintptr_t)crowd->bindings[0];
	crowd_free(trie->host, crowd);
	node_set_flags(trie, number, node->flags & ~NODE_CROWD);
}

uint32_t trie_add(struct trie *trie, const struct shunt_binding *binding)
{
	uint32_t place = pool_take(&trie->places);
	uint32_t node;

	if (place == 0)
		return 0;
	if (path_get(trie, binding->routing_key, &node) < 0)
		goto err;
	trie_place(trie, place)->node = node;
	if (node_add(trie, node, binding, place) < 0)
		goto err;
	return place;

err:
	pool_give(&trie->places, place);
	return 0;
}

void trie_remove(struct trie *trie, uint32_t place)
{
	uint32_t node = trie_place(trie, place)->node;

	node_drop(trie, node, place);
	pool_give(&trie->places, place);
	prune(trie, node);
}
