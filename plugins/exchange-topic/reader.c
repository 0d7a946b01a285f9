/* SPDX-License-Identifier: MIT */
#include "reader.h"

static uint64_t hash(const uint8_t *text, uint32_t size, const struct table_seeds *seeds)
{
	uint64_t hash = seeds->plus;
	uint32_t left = size;

	for (; left >= 8; left -= 8, text += 8)
		hash = reader_fold(hash ^ reader_load(text), seeds->low);
	if (left > 0)
		hash = reader_fold(hash ^ (reader_load(text) & (((uint64_t)1 << left * 8) - 1)),
				   seeds->low);
	return reader_fold(hash ^ size, seeds->high);
}

uint32_t reader_long_word(const uint8_t *text, uint32_t start, const struct table_seeds *seeds,
			  struct reader_word *ret_word)
{
	uint32_t end = start;
	uint64_t dots;

	while ((dots = reader_dots(reader_load(text + end))) == 0)
		end += 8;
	end += (uint32_t)__builtin_ctzll(dots) / 8;
	ret_word->start = start;
	ret_word->size = end - start;
	ret_word->is_short = false;
	ret_word->key = hash(text + start, end - start, seeds);
	return end;
}
