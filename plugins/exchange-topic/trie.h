/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_TRIE_H
#define EXCHANGE_TOPIC_TRIE_H

/*
 * The patterns as a trie of words. Its edges, (node, word) -> node, stand in two hash tables for
 * the whole exchange: one for the first two words of patterns, which mostly are few and so stay in
 * the cache, and one for all others. An edge tells not only which node it leads to but also what is
 * there (NODE_* flags), and points at the node's binding if there is one, at a crowd if there are
 * more: so matching never touches a node's record, and looks for no edge that cannot be there.
 */

#include "crowd.h"
#include "words.h"

/* What is at a node; kept in its record and in the edge to it. */
#define NODE_BINDINGS 0x80000000u /* bindings end here */
#define NODE_WORDS    0x40000000u /* children by a word */
#define NODE_STAR     0x20000000u /* a child by `*` */
#define NODE_HASH     0x10000000u /* a child by `#` */
#define NODE_CROWD    0x08000000u /* more than one binding */
#define NODE_FLAGS    0xf8000000u

_Static_assert((ARRAY_MAX & NODE_FLAGS) == 0, "flags fit beside a node's number");

#define NODE_ROOT 0u

/* The numbers of wildcards, where a word's number stands. */
#define WORD_STAR 0xffffffffu
#define WORD_HASH 0xfffffffeu

#define TRIE_DEEP 3u

struct node {
	uint32_t flags;
	uint32_t parent;
	uint32_t word;
	uint32_t words : 30; /* the number of children by words */
	uint32_t depth : 2;  /* the number of words before, or TRIE_DEEP if there are more */
	uint32_t place;	     /* of the only binding, if there is just one */
};

struct trie {
	const struct shunt_host *host;
	struct node root;
	void *root_content;
	struct pool nodes;	/* struct node */
	struct pool places;	/* struct place */
	struct table top, deep; /* edge_key() -> node with flags */
	struct words words;
};

void trie_init(struct trie *trie, const struct shunt_host *host);
void trie_fini(struct trie *trie);

/* Adds a binding by its routing key. The number of its place, or 0 when memory is out: then nothing
 * has changed. */
uint32_t trie_add(struct trie *trie, const struct shunt_binding *binding);

void trie_remove(struct trie *trie, uint32_t place);

/* The key of the edge from a node, with or without flags, by a word. */
static inline uint64_t edge_key(uint32_t node, uint32_t word)
{
	return (uint64_t)(node & ~NODE_FLAGS) << 32 | word;
}

/* The table of edges to nodes of this depth. */
static inline const struct table *trie_edges(const struct trie *trie, unsigned depth)
{
	return depth < TRIE_DEEP ? &trie->top : &trie->deep;
}

static inline struct node *trie_node(const struct trie *trie, uint32_t node)
{
	return pool_at(&trie->nodes, node, sizeof(struct node));
}

static inline struct place *trie_place(const struct trie *trie, uint32_t place)
{
	return pool_at(&trie->places, place, sizeof(struct place));
}

#endif
