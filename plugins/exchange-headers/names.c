/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <string.h>

/*
 * Linear hashing: with n buckets, 2^k <= n < 2^(k+1), a name's bucket is the hash's lower k + 1
 * bits, or its lower k bits where that bucket does not exist yet. Bucket n comes to be by splitting
 * bucket n - 2^k, and goes by being merged into it.
 */

void names_init(struct names *names, const struct shunt_host *host)
{
	memset(names, 0, sizeof(*names));
	names->host = host;
}

static unsigned segment_of(uint32_t bucket)
{
	return 31u - (unsigned)__builtin_clz(bucket + (1u << NAMES_FIRST_BITS)) - NAMES_FIRST_BITS;
}

static struct name **bucket_at(const struct names *names, uint32_t bucket)
{
	unsigned segment = segment_of(bucket);

	return &names->segments[segment][bucket + (1u << NAMES_FIRST_BITS) -
					 (1u << (segment + NAMES_FIRST_BITS))];
}

static struct name **bucket_of(const struct names *names, uint64_t hash)
{
	uint32_t bucket = (uint32_t)hash & names->mask;

	return bucket_at(names, bucket < names->bucket_count ? bucket : bucket & names->mask >> 1);
}

static int segment_reserve(struct names *names, unsigned segment)
{
	size_t size = sizeof(struct name *) << (segment + NAMES_FIRST_BITS);

	if (segment >= NAMES_SEGMENTS)
		return -1;
	if (!names->segments[segment])
		names->segments[segment] = names->host->allocate(names->host, size);
	return names->segments[segment] ? 0 : -1;
}

/* Frees the segments from this one on. */
static void segments_free(struct names *names, unsigned first)
{
	for (unsigned i = first; i < NAMES_SEGMENTS; i++) {
		if (names->segments[i])
			names->host->free(names->host, names->segments[i]);
		names->segments[i] = NULL;
	}
}

/* Moves all names of a chain to the buckets that they belong to now. */
static void chain_distribute(struct names *names, struct name *chain)
{
	while (chain) {
		struct name *next = chain->next;
		struct name **bucket = bucket_of(names, chain->hash);

		chain->next = *bucket;
		*bucket = chain;
		chain = next;
	}
}

/* One bucket more. Without memory for it the chains get longer, that is all. */
static void grow(struct names *names)
{
	uint32_t bucket = names->bucket_count;
	struct name **split, *chain;

	if (segment_reserve(names, segment_of(bucket)) < 0)
		return;
	*bucket_at(names, bucket) = NULL;
	names->bucket_count++;
	if (bucket == 0)
		return;
	if (bucket > names->mask)
		names->mask = names->mask << 1 | 1;
	split = bucket_at(names, bucket & names->mask >> 1);
	chain = *split;
	*split = NULL;
	chain_distribute(names, chain);
}

/* One bucket less, of two or more. */
static void shrink(struct names *names)
{
	uint32_t bucket = --names->bucket_count;

	if (bucket == (names->mask >> 1) + 1)
		names->mask >>= 1;
	chain_distribute(names, *bucket_at(names, bucket));
	segments_free(names, segment_of(bucket) + 2);
}

/* There are no names: gives all memory back. */
static void clear(struct names *names)
{
	segments_free(names, 0);
	names->bucket_count = 0;
	names->mask = 0;
}

void names_fini(struct names *names)
{
	for (uint32_t i = 0; i < names->bucket_count; i++) {
		struct name *name = *bucket_at(names, i);

		while (name) {
			struct name *next = name->next;

			names->host->free(names->host, name);
			name = next;
		}
	}
	clear(names);
}

struct name *names_find(const struct names *names, struct shunt_bytes text)
{
	struct name *name;
	uint64_t hash;

	if (names->count == 0)
		return NULL;
	hash = names->host->hash(names->host, text.data, text.size);
	for (name = *bucket_of(names, hash); name; name = name->next)
		if (name->hash == hash && name->size == text.size &&
		    (text.size == 0 || memcmp(name->text, text.data, text.size) == 0))
			return name;
	return NULL;
}

struct name *names_create(struct names *names, struct shunt_bytes text, uint32_t slot)
{
	struct name *name = names->host->allocate(names->host, sizeof(*name) + text.size);
	struct name **bucket;

	if (!name)
		return NULL;
	if (names->count >= names->bucket_count)
		grow(names);
	if (names->bucket_count == 0) {
		names->host->free(names->host, name);
		return NULL;
	}
	name->hash = names->host->hash(names->host, text.data, text.size);
	name->references = 0;
	name->slot = slot;
	name->size = (uint8_t)text.size; /* a field's name is a short string */
	if (text.size > 0)
		memcpy(name->text, text.data, text.size);
	bucket = bucket_of(names, name->hash);
	name->next = *bucket;
	*bucket = name;
	names->count++;
	return name;
}

void names_destroy(struct names *names, struct name *name)
{
	struct name **link = bucket_of(names, name->hash);

	while (*link != name)
		link = &(*link)->next;
	*link = name->next;
	names->host->free(names->host, name);
	names->count--;
	if (names->count == 0)
		clear(names);
	else if (names->count < names->bucket_count / 2)
		shrink(names);
}
