/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include <string.h>

unsigned pattern_split(struct shunt_bytes key, struct shunt_bytes *ret_words)
{
	const uint8_t *p = key.data;
	const uint8_t *end = key.data + key.size;
	unsigned count = 0;

	if (key.size == 0)
		return 0;
	for (;;) {
		const uint8_t *dot = memchr(p, '.', (size_t)(end - p));

		ret_words[count].data = p;
		ret_words[count].size = (size_t)((dot ? dot : end) - p);
		count++;
		if (!dot)
			return count;
		p = dot + 1;
	}
}

/* Writes over what it has read: a row never gets longer. */
unsigned pattern_normalise(struct shunt_bytes *words, unsigned count)
{
	struct shunt_bytes hash = {0};
	unsigned kept = 0;

	for (unsigned i = 0; i < count; i++) {
		if (pattern_is_hash(words[i])) {
			hash = words[i];
			continue;
		}
		if (hash.size > 0 && !pattern_is_star(words[i])) {
			struct shunt_bytes word = words[i];

			words[kept++] = hash;
			words[kept++] = word;
			hash.size = 0;
			continue;
		}
		words[kept++] = words[i];
	}
	if (hash.size > 0)
		words[kept++] = hash;
	return kept;
}
