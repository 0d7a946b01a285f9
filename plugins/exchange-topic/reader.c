/* SPDX-License-Identifier: MIT */
#include "reader.h"

static uint64_t hash(struct shunt_bytes text, const struct table_seeds *seeds)
{
	uint64_t hash = seeds->plus;
	uint32_t start = 0;

	for (; text.size - start >= 8; start += 8)
		hash = reader_fold(hash ^ reader_load(text.data + start), seeds->low);
	if (start < text.size)
		hash = reader_fold(hash ^ reader_bytes(text, start), seeds->low);
	return reader_fold(hash ^ text.size, seeds->high);
}

uint32_t reader_long_word(struct shunt_bytes key, uint32_t start, const struct table_seeds *seeds,
			  struct reader_word *ret_word)
{
	uint32_t end = start;
	uint64_t dots;

	while (end < key.size && (dots = reader_dots(reader_bytes(key, end))) == 0)
		end += 8;
	if (end < key.size)
		end += (uint32_t)__builtin_ctzll(dots) / 8;
	ret_word->start = start;
	ret_word->size = end - start;
	ret_word->is_short = false;
	ret_word->key = hash((struct shunt_bytes){key.data + start, end - start}, seeds);
	return end;
}
