/* SPDX-License-Identifier: MIT */
#include "match.h"

#include "pattern.h"

#include <string.h>

/*
 * Matching runs the trie as a nondeterministic automaton. A node's state is the set of positions in
 * the key, from 0 to the number of words, at which the node can be reached.
 *
 * Above every `#` a node's depth is its one position, so no sets are needed: step() takes the nodes
 * of one depth together, and begins to load all edges before it follows the first, for in a large
 * trie each is a cache miss.
 *
 * Below a `#` there may be many positions, and trying them one after the other is what makes
 * patterns with several `#` explode. walk() therefore takes all positions of a node at once, as
 * bits: by `*` every position moves on by one, by a word those move on at which the key has this
 * word, and by `#` all positions from the lowest one are reached. As the trie is a tree, every node
 * is visited once at most.
 */

#define SET_LIMBS ((KEY_WORDS_MAX + 1 + 63) / 64)
#define STATES	  16
#define BATCH	  64

/* Positions; bit p of limb p / 64. */
struct set {
	uint64_t limbs[SET_LIMBS];
};

/* A word of the key, and at which positions it stands. */
struct group {
	struct set positions;
	uint32_t word;
};

struct match {
	const struct trie *trie;
	struct shunt_sink *sink;
	unsigned count; /* of words */
	unsigned limbs; /* that are in use for this number of words */
	unsigned batched;
	unsigned grouped; /* 0: groups are not made yet */
	const struct shunt_binding *batch[BATCH];
	uint32_t words[KEY_WORDS_MAX];
	struct group groups[KEY_WORDS_MAX];
};

#ifdef EXCHANGE_TOPIC_COUNT_LOOKUPS
_Thread_local uint64_t match_lookups;
#define COUNT_LOOKUP() ((void)match_lookups++)
#else
#define COUNT_LOOKUP() ((void)0)
#endif

/* ---- Sets ---- */

static bool set_has(const struct set *set, unsigned position)
{
	return set->limbs[position / 64] >> position % 64 & 1;
}

/* *ret_set = the positions of both, each moved on by one. False if there are none. */
static bool set_advance(const struct match *match, const struct set *set, const struct set *other,
			struct set *ret_set)
{
	uint64_t carry = 0;
	uint64_t any = 0;

	for (unsigned i = 0; i < match->limbs; i++) {
		uint64_t limb = set->limbs[i] & other->limbs[i];

		ret_set->limbs[i] = limb << 1 | carry;
		any |= ret_set->limbs[i];
		carry = limb >> 63;
	}
	return any != 0;
}

/* The positions of a limb that are before this one. */
static uint64_t limb_before(unsigned limb, unsigned position)
{
	if (position <= limb * 64)
		return 0;
	return position >= limb * 64 + 64 ? UINT64_MAX : ((uint64_t)1 << position % 64) - 1;
}

/* The positions from `first` to `end - 1`. */
static void set_range(const struct match *match, unsigned first, unsigned end, struct set *ret_set)
{
	for (unsigned i = 0; i < match->limbs; i++)
		ret_set->limbs[i] = limb_before(i, end) & ~limb_before(i, first);
}

static unsigned set_lowest(const struct match *match, const struct set *set)
{
	for (unsigned i = 0; i < match->limbs; i++)
		if (set->limbs[i] != 0)
			return i * 64 + (unsigned)__builtin_ctzll(set->limbs[i]);
	return match->count;
}

/* ---- Results ---- */

static void flush(struct match *match)
{
	if (match->batched > 0)
		match->sink->emit(match->sink, match->batch, match->batched);
	match->batched = 0;
}

/* Large blocks go as they are, small ones are gathered. */
static void collect_many(struct match *match, const struct shunt_binding *const *bindings,
			 uint32_t count)
{
	if (count > BATCH / 4) {
		match->sink->emit(match->sink, bindings, count);
		return;
	}
	if (count > BATCH - match->batched)
		flush(match);
	for (uint32_t i = 0; i < count; i++)
		match->batch[match->batched++] = bindings[i];
}

/* A node that is reached: its number with its flags, 0: none; and its binding or its crowd. */
struct reached {
	uint32_t node;
	const void *content;
};

static void collect_crowd(struct match *match, struct reached reached)
{
	for (const struct crowd *block = reached.content; block; block = block->next)
		collect_many(match, block->bindings, block->count);
}

static inline void collect(struct match *match, struct reached reached)
{
	if (reached.node & NODE_CROWD) {
		collect_crowd(match, reached);
		return;
	}
	if (match->batched == BATCH)
		flush(match);
	match->batch[match->batched++] = reached.content;
}

/* ---- Below a `#` ---- */

static struct reached reach(struct table_entry edge)
{
	return (struct reached){edge.value, edge.content};
}

/* The node's child of this depth. */
static struct reached follow(const struct match *match, uint32_t node, uint32_t word,
			     unsigned depth)
{
	COUNT_LOOKUP();
	return reach(table_find(trie_edges(match->trie, depth), edge_key(node, word)));
}

static struct group *group_find(struct match *match, unsigned count, uint32_t word)
{
	for (unsigned i = 0; i < count; i++)
		if (match->groups[i].word == word)
			return &match->groups[i];
	return NULL;
}

/* Gathers the positions of each word that is in some pattern. */
static void group_words(struct match *match)
{
	for (unsigned i = 0; i < match->count; i++) {
		struct group *group;

		if (match->words[i] == 0)
			continue;
		group = group_find(match, match->grouped, match->words[i]);
		if (!group) {
			group = &match->groups[match->grouped++];
			group->word = match->words[i];
			memset(group->positions.limbs, 0, sizeof(group->positions.limbs));
		}
		group->positions.limbs[i / 64] |= (uint64_t)1 << i % 64;
	}
}

static void walk(struct match *match, struct reached reached, unsigned depth,
		 const struct set *set);

static void walk_words(struct match *match, uint32_t node, unsigned depth, const struct set *set)
{
	struct set next;

	if (match->grouped == 0)
		group_words(match);
	for (unsigned i = 0; i < match->grouped; i++) {
		struct reached child;

		if (!set_advance(match, set, &match->groups[i].positions, &next))
			continue;
		child = follow(match, node, match->groups[i].word, depth + 1);
		if (child.node != 0)
			walk(match, child, depth + 1, &next);
	}
}

/* By `#`, from the lowest position at which the node is reached. */
static void walk_hash(struct match *match, uint32_t node, unsigned depth, unsigned lowest)
{
	struct set set;

	set_range(match, lowest, match->count + 1, &set);
	walk(match, follow(match, node, WORD_HASH, depth + 1), depth + 1, &set);
}

static void walk_star(struct match *match, uint32_t node, unsigned depth, const struct set *set)
{
	struct set next;

	set_range(match, 0, match->count, &next);
	if (set_advance(match, set, &next, &next))
		walk(match, follow(match, node, WORD_STAR, depth + 1), depth + 1, &next);
}

static void walk(struct match *match, struct reached reached, unsigned depth, const struct set *set)
{
	uint32_t node = reached.node;

	if (node & NODE_BINDINGS && set_has(set, match->count))
		collect(match, reached);
	if (node & NODE_HASH)
		walk_hash(match, node, depth, set_lowest(match, set));
	if (node & NODE_STAR)
		walk_star(match, node, depth, set);
	if (node & NODE_WORDS)
		walk_words(match, node, depth, set);
}

/* ---- Above every `#` ---- */

/* An edge that is being looked for, while the line that it may be in is being loaded. */
struct probe {
	struct table_line *line;
	uint64_t key;
};

static inline struct probe probe_of(const struct table *edges, uint32_t node, uint32_t word)
{
	struct probe probe = {.key = edge_key(node, word)};

	probe.line = table_line(edges, probe.key);
	return probe;
}

/* The probes for the children of these nodes by this word and by `*`. Returns their number. */
static inline unsigned probe_children(const struct table *edges, const struct reached *nodes,
				      unsigned count, uint32_t word, struct probe *ret_probes)
{
	unsigned probes = 0;

	for (unsigned i = 0; i < count; i++) {
		if (nodes[i].node & NODE_WORDS && word != 0)
			ret_probes[probes++] = probe_of(edges, nodes[i].node, word);
		if (nodes[i].node & NODE_STAR)
			ret_probes[probes++] = probe_of(edges, nodes[i].node, WORD_STAR);
	}
	return probes;
}

/* Follows the probes. Returns how many nodes they lead to. */
static inline unsigned probes_follow(const struct table *edges, const struct probe *probes,
				     unsigned count, struct reached *ret_nodes)
{
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++) {
		ret_nodes[found] = reach(table_line_find(edges, probes[i].line, probes[i].key));
		COUNT_LOOKUP();
		found += ret_nodes[found].node != 0;
	}
	return found;
}

/* These nodes are reached at the key's end: load all crowds, then read them. */
static inline void finish(struct match *match, const struct reached *nodes, unsigned count)
{
	if (count > 1)
		for (unsigned i = 0; i < count; i++)
			if (nodes[i].node & NODE_CROWD)
				__builtin_prefetch(nodes[i].content);
	for (unsigned i = 0; i < count; i++)
		if (nodes[i].node & NODE_BINDINGS)
			collect(match, nodes[i]);
}

static void walk_hashes(struct match *match, unsigned position, const struct reached *nodes,
			unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (nodes[i].node & NODE_HASH)
			walk_hash(match, nodes[i].node, position, position);
}

static void step_rest(struct match *match, unsigned position, const struct reached *nodes,
		      unsigned count);

/* These nodes, at most STATES, are reached at this position, which is their depth. There is room
 * for twice as many; those that they lead to take their place. */
static void step(struct match *match, unsigned position, struct reached *nodes, unsigned count)
{
	struct probe probes[2 * STATES];

	for (; count > 0; position++) {
		const struct table *edges = trie_edges(match->trie, position + 1);
		unsigned probed = 0;
		uint32_t flags = 0;

		for (unsigned i = 0; i < count; i++)
			flags |= nodes[i].node;
		if (position < match->count)
			probed =
				probe_children(edges, nodes, count, match->words[position], probes);
		else
			finish(match, nodes, count);
		if (flags & NODE_HASH)
			walk_hashes(match, position, nodes, count);
		count = probes_follow(edges, probes, probed, nodes);
		if (count > STATES) {
			step_rest(match, position + 1, nodes + STATES, count - STATES);
			count = STATES;
		}
	}
}

static __attribute__((noinline)) void step_rest(struct match *match, unsigned position,
						const struct reached *nodes, unsigned count)
{
	struct reached room[2 * STATES];

	memcpy(room, nodes, count * sizeof(*nodes));
	step(match, position, room, count);
}

void match_key(const struct trie *trie, struct shunt_bytes key, struct shunt_sink *sink)
{
	struct reached nodes[2 * STATES];
	struct match match;

	nodes[0] = (struct reached){NODE_ROOT | trie->root.flags, trie->root_content};
	if (nodes[0].node == 0 || key.size > KEY_SIZE_MAX)
		return;
	match.trie = trie;
	match.sink = sink;
	match.count = words_find(&trie->words, key, match.words);
	match.limbs = match.count / 64 + 1;
	match.batched = 0;
	match.grouped = 0;
	step(&match, 0, nodes, 1);
	flush(&match);
}
