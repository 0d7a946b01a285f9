/* SPDX-License-Identifier: MIT */
#include "keys.h"

#include <string.h>

/*
 * Linear hashing: with n buckets, 2^k <= n < 2^(k+1), a key's bucket is the hash's lower k + 1
 * bits, or its lower k bits where that bucket does not exist yet. Bucket n comes to be by splitting
 * bucket n - 2^k, and goes by being merged into it.
 */

void keys_init(struct keys *keys, const struct shunt_host *host)
{
	memset(keys, 0, sizeof(*keys));
	keys->host = host;
}

static unsigned segment_of(uint32_t bucket)
{
	return 31u - (unsigned)__builtin_clz(bucket + (1u << KEYS_FIRST_BITS)) - KEYS_FIRST_BITS;
}

static struct key **bucket_at(const struct keys *keys, uint32_t bucket)
{
	unsigned segment = segment_of(bucket);

	return &keys->segments[segment][bucket + (1u << KEYS_FIRST_BITS) -
					(1u << (segment + KEYS_FIRST_BITS))];
}

static struct key **bucket_of(const struct keys *keys, uint64_t hash)
{
	uint32_t bucket = (uint32_t)hash & keys->mask;

	return bucket_at(keys, bucket < keys->bucket_count ? bucket : bucket & keys->mask >> 1);
}

static int segment_reserve(struct keys *keys, unsigned segment)
{
	size_t size = sizeof(struct key *) << (segment + KEYS_FIRST_BITS);

	if (segment >= KEYS_SEGMENTS)
		return -1;
	if (!keys->segments[segment])
		keys->segments[segment] = keys->host->allocate(keys->host, size);
	return keys->segments[segment] ? 0 : -1;
}

static void segment_free(struct keys *keys, unsigned segment)
{
	if (keys->segments[segment])
		keys->host->free(keys->host, keys->segments[segment]);
	keys->segments[segment] = NULL;
}

/* Frees the segments that the table is far from needing. */
static void segments_trim(struct keys *keys)
{
	for (unsigned i = KEYS_SEGMENTS; i-- > segment_of(keys->bucket_count) + 2;)
		segment_free(keys, i);
}

/* Moves all keys of a chain to the buckets that they belong to now. */
static void chain_distribute(struct keys *keys, struct key *chain)
{
	while (chain) {
		struct key *next = chain->next;
		struct key **bucket = bucket_of(keys, chain->hash);

		chain->next = *bucket;
		*bucket = chain;
		chain = next;
	}
}

/* One bucket more. Without memory for it the chains get longer, that is all. */
static void grow(struct keys *keys)
{
	uint32_t bucket = keys->bucket_count;
	struct key **split, *chain;

	if (segment_reserve(keys, segment_of(bucket)) < 0)
		return;
	*bucket_at(keys, bucket) = NULL;
	keys->bucket_count++;
	if (bucket == 0)
		return;
	if (bucket > keys->mask)
		keys->mask = keys->mask << 1 | 1;
	split = bucket_at(keys, bucket & keys->mask >> 1);
	chain = *split;
	*split = NULL;
	chain_distribute(keys, chain);
}

/* One bucket less, of two or more. */
static void shrink(struct keys *keys)
{
	uint32_t bucket = --keys->bucket_count;

	if (bucket == (keys->mask >> 1) + 1)
		keys->mask >>= 1;
	chain_distribute(keys, *bucket_at(keys, bucket));
	segments_trim(keys);
}

/* There are no keys: gives all memory back. */
static void clear(struct keys *keys)
{
	for (unsigned i = 0; i < KEYS_SEGMENTS; i++)
		segment_free(keys, i);
	keys->bucket_count = 0;
	keys->mask = 0;
}

static struct key *find_hashed(const struct keys *keys, uint64_t hash, struct shunt_bytes text)
{
	struct key *key;

	if (keys->count == 0)
		return NULL;
	for (key = *bucket_of(keys, hash); key; key = key->next)
		if (key->hash == hash && key->size == text.size &&
		    (text.size == 0 || memcmp(key->text, text.data, text.size) == 0))
			return key;
	return NULL;
}

const struct key *keys_find(const struct keys *keys, struct shunt_bytes text)
{
	if (keys->count == 0)
		return NULL;
	return find_hashed(keys, keys->host->hash(keys->host, text.data, text.size), text);
}

static struct key *key_create(struct keys *keys, uint64_t hash, struct shunt_bytes text)
{
	struct key *key, **bucket;

	if (keys->count >= keys->bucket_count)
		grow(keys);
	if (keys->bucket_count == 0)
		return NULL;
	key = keys->host->allocate(keys->host, sizeof(*key) + text.size);
	if (!key) {
		if (keys->count == 0)
			clear(keys);
		return NULL;
	}
	key->hash = hash;
	key->first = NULL;
	key->only = NULL;
	key->size = text.size;
	if (text.size > 0)
		memcpy(key->text, text.data, text.size);
	bucket = bucket_of(keys, hash);
	key->next = *bucket;
	*bucket = key;
	keys->count++;
	return key;
}

static void key_destroy(struct keys *keys, struct key *key)
{
	struct key **link = bucket_of(keys, key->hash);

	while (*link != key)
		link = &(*link)->next;
	*link = key->next;
	keys->host->free(keys->host, key);
	keys->count--;
	if (keys->count == 0)
		clear(keys);
	else if (keys->count < keys->bucket_count / 2)
		shrink(keys);
}

/* The new binding goes to the ring's end. */
static void ring_insert(struct key *key, struct entry *entry)
{
	entry->key = key;
	if (!key->first) {
		entry->previous = entry->next = entry;
		key->first = entry;
		key->only = entry->binding;
		return;
	}
	entry->next = key->first;
	entry->previous = key->first->previous;
	entry->previous->next = entry;
	key->first->previous = entry;
	key->only = NULL;
}

struct entry *keys_add(struct keys *keys, const struct shunt_binding *binding)
{
	uint64_t hash =
		keys->host->hash(keys->host, binding->routing_key.data, binding->routing_key.size);
	struct entry *entry = keys->host->allocate(keys->host, sizeof(*entry));
	struct key *key = find_hashed(keys, hash, binding->routing_key);

	if (!entry)
		return NULL;
	if (!key)
		key = key_create(keys, hash, binding->routing_key);
	if (!key) {
		keys->host->free(keys->host, entry);
		return NULL;
	}
	entry->binding = binding;
	ring_insert(key, entry);
	return entry;
}

void keys_remove(struct keys *keys, struct entry *entry)
{
	struct key *key = entry->key;

	if (entry->next == entry) {
		key_destroy(keys, key);
	} else {
		entry->previous->next = entry->next;
		entry->next->previous = entry->previous;
		key->first = entry->next;
		key->only = key->first->next == key->first ? key->first->binding : NULL;
	}
	keys->host->free(keys->host, entry);
}

static void key_free_all(struct keys *keys, struct key *key)
{
	struct entry *entry = key->first;

	entry->previous->next = NULL;
	while (entry) {
		struct entry *next = entry->next;

		keys->host->free(keys->host, entry);
		entry = next;
	}
	keys->host->free(keys->host, key);
}

void keys_fini(struct keys *keys)
{
	for (uint32_t i = 0; i < keys->bucket_count; i++) {
		struct key *key = *bucket_at(keys, i);

		while (key) {
			struct key *next = key->next;

			key_free_all(keys, key);
			key = next;
		}
	}
	clear(keys);
}
