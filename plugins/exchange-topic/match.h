/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_MATCH_H
#define EXCHANGE_TOPIC_MATCH_H

#include "trie.h"

/*
 * Puts all bindings whose pattern matches the key into the sink, each once. Visits each node of the
 * trie at most once, and looks for at most (words of the key + 3) edges from it, whatever the
 * patterns are. Uses about 15 KiB of stack, 230 KiB at most (a key of 256 words
 * against patterns as deep); allocates nothing and writes nothing.
 */
void match_key(const struct trie *trie, struct shunt_bytes key, struct shunt_sink *sink);

#ifdef EXCHANGE_TOPIC_COUNT_LOOKUPS
/* For tests: the edges that this thread's calls have looked for. */
extern _Thread_local uint64_t match_lookups;
#endif

#endif
