/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_PATTERN_H
#define EXCHANGE_TOPIC_PATTERN_H

#include <shunt/plugin.h>

/* A key has at most 255 bytes, so 256 words. */
#define KEY_SIZE_MAX  255u
#define KEY_WORDS_MAX 256u

/*
 * The words of a key, which are separated by dots and may be empty; the empty key has none.
 * `ret_words` has room for KEY_WORDS_MAX, the key at most KEY_SIZE_MAX bytes. Returns their number.
 */
unsigned pattern_split(struct shunt_bytes key, struct shunt_bytes *ret_words);

/*
 * Brings a pattern into the form that all patterns of the same meaning share, and that is cheapest
 * to match: in a row of wildcards with a `#`, all `*` come first and one `#` last. Returns the
 * number of words left.
 */
unsigned pattern_normalise(struct shunt_bytes *words, unsigned count);

static inline bool pattern_is_star(struct shunt_bytes word)
{
	return word.size == 1 && word.data[0] == '*';
}

static inline bool pattern_is_hash(struct shunt_bytes word)
{
	return word.size == 1 && word.data[0] == '#';
}

#endif
