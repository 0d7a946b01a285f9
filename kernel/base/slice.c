/* SPDX-License-Identifier: MIT */
#include "base/slice.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "base/random.h"

/*
 * Drawn before main() and never changed: every map of the process hashes with it, and a peer who
 * chooses names cannot know it.
 */
static uint64_t hash_seed;

__attribute__((constructor)) static void draw_hash_seed(void)
{
	random_bytes(&hash_seed, sizeof(hash_seed));
}

int slice_compare(struct slice a, struct slice b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

	if (order != 0)
		return order;
	return (a.size > b.size) - (a.size < b.size);
}

void slice_copy_long(uint8_t *to, struct slice from)
{
	memcpy(to, from.data, from.size);
}

uint64_t slice_hash(struct slice s)
{
	return XXH3_64bits_withSeed(s.data, s.size, hash_seed);
}

uint64_t slice_stable_hash(struct slice s, uint64_t seed)
{
	return XXH3_64bits_withSeed(s.data, s.size, seed);
}

char *slice_strdup(struct slice s)
{
	char *copy = mem_alloc(s.size + 1);

	if (s.size > 0)
		memcpy(copy, s.data, s.size);
	copy[s.size] = '\0';
	return copy;
}

bool slice_names_secret(const char *name)
{
	static const char *const words[] = {"pass", "secret", "token", "cookie", "credential"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcasestr(name, words[i]) != NULL)
			return true;
	return false;
}
