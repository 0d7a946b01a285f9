/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_WORDS_H
#define EXCHANGE_TOPIC_WORDS_H

/*
 * The words of all patterns, each once, counted and numbered from 1. The trie works with these
 * numbers: a word of a routing key is compared as text once, and a word that no pattern contains
 * matches nothing but wildcards.
 */

#include "table.h"

struct words {
	const struct shunt_host *host;
	struct table index; /* hash -> the first word of that hash */
	struct pool pool;   /* struct word */
};

void words_init(struct words *words, const struct shunt_host *host, uint64_t seed);
void words_fini(struct words *words);

/* The word's number, with one reference more; makes it if need be. 0 when memory is out. */
uint32_t words_take(struct words *words, const uint8_t *text, size_t size);

/* Drops a reference. */
void words_give(struct words *words, uint32_t word);

/* The number of each word, 0 if there is no such word. All are looked up side by side, so that
 * cache misses overlap. */
void words_find(const struct words *words, const struct shunt_bytes *texts, unsigned count,
		uint32_t *ret_numbers);

#endif
