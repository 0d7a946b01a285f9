/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_READER_H
#define EXCHANGE_TOPIC_READER_H

/*
 * Reads words of a key, eight bytes at a time, and gives each a 64-bit key to look it up by: a word
 * of up to eight bytes is its own, so that it need not be compared as text; others are hashed.
 * (Short words that end in a NUL byte are hashed too: their number would be that of a shorter one.)
 */

#include "table.h"

#include <string.h>

#define READER_SHORT 8u

struct reader_word {
	uint64_t key;
	uint32_t start, size;
	bool is_short; /* the key is the word */
};

/* Not to be guessed by who chooses words: see table_seeds_init(). */
static inline uint64_t reader_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Its first byte is the lowest. */
static inline uint64_t reader_load(const uint8_t *p)
{
	uint64_t bytes;

	memcpy(&bytes, p, sizeof(bytes));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	bytes = __builtin_bswap64(bytes);
#endif
	return bytes;
}

/* The lowest bit that is set is the highest one of the first byte that is a dot. */
static inline uint64_t reader_dots(uint64_t bytes)
{
	uint64_t x = bytes ^ 0x2e2e2e2e2e2e2e2eu;

	return (x - 0x0101010101010101u) & ~x & 0x8080808080808080u;
}

/*
 * Eight bytes of a key, from `start` on; those behind its end are a dot and then anything. Reads
 * them as they are, or the key's last eight: a copy would have to be stored before it is read.
 */
static inline uint64_t reader_bytes(struct shunt_bytes key, uint32_t start)
{
	uint32_t left = (uint32_t)key.size - start;
	uint8_t room[8] = {0};
	uint64_t bytes;

	if (left >= 8)
		return reader_load(key.data + start);
	if (key.size >= 8) {
		bytes = reader_load(key.data + key.size - 8) >> (63 - left * 8) >> 1;
	} else {
		memcpy(room, key.data + start, left);
		bytes = reader_load(room);
	}
	return bytes | (uint64_t)'.' << left * 8;
}

/* A word that is not short. Returns where its dot stands. */
uint32_t reader_long_word(struct shunt_bytes key, uint32_t start, const struct table_seeds *seeds,
			  struct reader_word *ret_word);

static inline bool reader_is_end(struct shunt_bytes key, uint32_t position)
{
	return position == key.size || key.data[position] == '.';
}

/* The word that begins at `start`. Returns where its dot stands, or the key's end. */
static inline uint32_t reader_word(struct shunt_bytes key, uint32_t start,
				   const struct table_seeds *seeds, struct reader_word *ret_word)
{
	uint64_t bytes = reader_bytes(key, start);
	uint64_t dots = reader_dots(bytes);
	unsigned bits;

	if (dots != 0) {
		bits = (unsigned)__builtin_ctzll(dots) & 56u;
		bytes &= ((uint64_t)1 << bits) - 1;
	} else if (reader_is_end(key, start + READER_SHORT)) {
		bits = 64;
	} else {
		return reader_long_word(key, start, seeds, ret_word);
	}
	/* its last byte */
	if (__builtin_expect(bits > 0 && bytes >> (bits - 8) == 0, 0))
		return reader_long_word(key, start, seeds, ret_word);
	ret_word->key = bytes;
	ret_word->start = start;
	ret_word->size = bits / 8;
	ret_word->is_short = true;
	return start + bits / 8;
}

#endif
