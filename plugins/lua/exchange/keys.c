/* SPDX-License-Identifier: MIT */
#include "exchange/keys.h"

#include <stdbool.h>
#include <string.h>

#include "exchange/bindings.h"

#define FIRST_SIZE	8u
#define MOVED_AT_A_TIME 8u /* old buckets; all are moved long before the new ones are too few */

void keys_init(struct keys *keys, const struct shunt_host *host)
{
	*keys = (struct keys){.host = host};
}

static void key_free(struct keys *keys, struct key *key)
{
	if (key->capacity > 1) {
		keys->host->free(keys->host, key->bindings);
		keys->host->free(keys->host, key->entries);
	}
	keys->host->free(keys->host, key);
}

static void free_chains(struct keys *keys, struct key **buckets, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		struct key *next;

		for (struct key *key = buckets[i]; key; key = next) {
			next = key->next;
			key_free(keys, key);
		}
	}
}

/* While the old buckets are being moved, half of the new ones are not set yet. */
void keys_fini(struct keys *keys)
{
	if (keys->old_buckets) {
		free_chains(keys, keys->old_buckets, keys->moved, keys->old_size);
		free_chains(keys, keys->buckets, 0, keys->moved);
		free_chains(keys, keys->buckets, keys->old_size, keys->old_size + keys->moved);
	} else {
		free_chains(keys, keys->buckets, 0, keys->size);
	}
	keys->host->free(keys->host, keys->old_buckets);
	keys->host->free(keys->host, keys->buckets);
	keys_init(keys, keys->host);
}

/* ---- Buckets ---- */

static struct key **bucket_of(const struct keys *keys, uint64_t hash)
{
	if (keys->old_buckets && (hash & (keys->old_size - 1)) >= keys->moved)
		return &keys->old_buckets[hash & (keys->old_size - 1)];
	return &keys->buckets[hash & (keys->size - 1)];
}

static void put(struct key **bucket, struct key *key)
{
	key->next = *bucket;
	*bucket = key;
}

/* Some old buckets, each to its two new ones. */
static void move_some(struct keys *keys)
{
	for (unsigned i = 0; i < MOVED_AT_A_TIME && keys->old_buckets; i++) {
		struct key *key = keys->old_buckets[keys->moved], *next;

		keys->buckets[keys->moved] = NULL;
		keys->buckets[keys->moved + keys->old_size] = NULL;
		for (; key; key = next) {
			next = key->next;
			put(&keys->buckets[key->hash & (keys->size - 1)], key);
		}
		if (++keys->moved == keys->old_size) {
			keys->host->free(keys->host, keys->old_buckets);
			keys->old_buckets = NULL;
		}
	}
}

/* Twice as many buckets. Without memory for them the chains get longer, that is all; but there must
 * be some. */
static int grow(struct keys *keys)
{
	size_t size = keys->size > 0 ? keys->size * 2 : FIRST_SIZE;
	struct key **buckets;

	if (keys->old_buckets)
		return 0;
	buckets = keys->host->allocate(keys->host, size * sizeof(struct key *));
	if (!buckets)
		return keys->size > 0 ? 0 : -1;
	if (keys->size == 0) {
		memset(buckets, 0, size * sizeof(struct key *));
	} else {
		keys->old_buckets = keys->buckets;
		keys->old_size = keys->size;
		keys->moved = 0;
	}
	keys->buckets = buckets;
	keys->size = size;
	return 0;
}

/* ---- Keys ---- */

static struct key *find_hashed(const struct keys *keys, uint64_t hash, struct shunt_bytes text)
{
	for (struct key *key = *bucket_of(keys, hash); key; key = key->next)
		if (key->hash == hash && key->size == text.size &&
		    (text.size == 0 || memcmp(key->text, text.data, text.size) == 0))
			return key;
	return NULL;
}

struct key *keys_find(const struct keys *keys, struct shunt_bytes text)
{
	if (keys->count == 0)
		return NULL;
	return find_hashed(keys, keys->host->hash(keys->host, text.data, text.size), text);
}

static struct key *key_create(struct keys *keys, uint64_t hash, struct shunt_bytes text)
{
	struct key *key = keys->host->allocate(keys->host, sizeof(*key) + text.size);

	if (!key)
		return NULL;
	*key = (struct key){.hash = hash, .size = text.size, .capacity = 1};
	key->bindings = &key->only;
	key->entries = &key->only_entry;
	if (text.size > 0)
		memcpy(key->text, text.data, text.size);
	put(bucket_of(keys, hash), key);
	keys->count++;
	return key;
}

/* Room for one binding more. */
static int key_grow(const struct keys *keys, struct key *key)
{
	const struct shunt_host *host = keys->host;
	uint32_t capacity = key->capacity * 2;
	bool is_first = key->capacity == 1;
	const struct shunt_binding **bindings;
	struct entry **entries;

	if (key->count < key->capacity)
		return 0;
	bindings = host->reallocate(host, is_first ? NULL : (void *)key->bindings,
				    capacity * sizeof(*bindings));
	if (!bindings)
		return -1;
	if (is_first)
		bindings[0] = key->only;
	entries = host->reallocate(host, is_first ? NULL : key->entries,
				   capacity * sizeof(struct entry *));
	if (!entries && is_first) {
		host->free(host, bindings);
		return -1;
	}
	key->bindings = bindings;
	if (!entries)
		return -1;
	if (is_first)
		entries[0] = key->only_entry;
	key->entries = entries;
	key->capacity = capacity;
	return 0;
}

struct key *keys_reserve(struct keys *keys, struct shunt_bytes text)
{
	uint64_t hash = keys->host->hash(keys->host, text.data, text.size);
	struct key *key = keys->count > 0 ? find_hashed(keys, hash, text) : NULL;

	if (key)
		return key_grow(keys, key) == 0 ? key : NULL;
	if (keys->count >= keys->size && grow(keys) != 0)
		return NULL;
	move_some(keys);
	key = key_create(keys, hash, text);
	if (!key && keys->count == 0)
		keys_fini(keys);
	return key;
}

void key_add(struct key *key, struct entry *entry)
{
	entry->key_place = key->count;
	key->bindings[key->count] = entry->binding;
	key->entries[key->count] = entry;
	key->count++;
}

static void drop_empty(struct keys *keys, struct key *key)
{
	struct key **link;

	if (key->count > 0)
		return;
	move_some(keys);
	link = bucket_of(keys, key->hash);
	while (*link != key)
		link = &(*link)->next;
	*link = key->next;
	key_free(keys, key);
	if (--keys->count == 0)
		keys_fini(keys);
}

void key_remove(struct keys *keys, struct key *key, const struct entry *entry)
{
	uint32_t place = entry->key_place;

	key->count--;
	key->bindings[place] = key->bindings[key->count];
	key->entries[place] = key->entries[key->count];
	key->entries[place]->key_place = place;
	drop_empty(keys, key);
}
