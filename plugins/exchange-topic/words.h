/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_WORDS_H
#define EXCHANGE_TOPIC_WORDS_H

/*
 * The words of all patterns, each once, counted and numbered from 1. The trie works with these
 * numbers: a word of a routing key is compared as text once, and a word that no pattern contains
 * matches nothing but wildcards.
 */

#include "pattern.h"
#include "reader.h"

/* It is the only word of that key, and short: the key says all. */
#define WORD_SHORT 0x80000000u

_Static_assert((ARRAY_MAX & WORD_SHORT) == 0, "the flag fits beside a word's number");

struct words {
	const struct shunt_host *host;
	struct table index; /* the reader's key -> the first word of that key, with WORD_SHORT */
	struct pool pool;   /* struct word */
};

void words_init(struct words *words, const struct shunt_host *host,
		const struct table_seeds *seeds);
void words_fini(struct words *words);

/* The word's number, with one reference more; makes it if need be. 0 when memory is out. */
uint32_t words_take(struct words *words, const uint8_t *text, size_t size);

/* Drops a reference. */
void words_give(struct words *words, uint32_t word);

/*
 * The number of each word of a key of at most KEY_SIZE_MAX bytes, 0 if there is no such word.
 * Several are looked up side by side, so that cache misses overlap. `ret_numbers` has room for
 * KEY_WORDS_MAX. Returns how many words there are.
 */
unsigned words_find(const struct words *words, struct shunt_bytes key, uint32_t *ret_numbers);

#endif
