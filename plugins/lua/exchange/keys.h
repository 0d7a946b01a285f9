/* SPDX-License-Identifier: MIT */
#ifndef LUA_KEYS_H
#define LUA_KEYS_H

/*
 * The routing keys of an exchange's bindings: a chained hash table, each key with the array of its
 * bindings. It grows in steps, so that no bind() moves all of it.
 */

#include <shunt/plugin.h>

struct entry;

struct key {
	struct key *next; /* of the same bucket */
	uint64_t hash;
	/* Two arrays in parallel; those of a key with one binding are `only` and `only_entry`. */
	const struct shunt_binding **bindings;
	struct entry **entries;
	uint32_t count, capacity;
	const struct shunt_binding *only;
	struct entry *only_entry;
	size_t size;
	uint8_t text[];
};

struct keys {
	const struct shunt_host *host;
	struct key **buckets, **old_buckets; /* old: those below `moved` are in the new ones */
	size_t size, old_size, moved;	     /* sizes are powers of two, or 0 */
	size_t count;
};

void keys_init(struct keys *keys, const struct shunt_host *host);
/* Frees all keys. */
void keys_fini(struct keys *keys);

/* NULL: there is none. */
struct key *keys_find(const struct keys *keys, struct shunt_bytes text);

/* The key, made when there is none, with room for one binding more. NULL: memory is out. */
struct key *keys_reserve(struct keys *keys, struct shunt_bytes text);

/* It has room. Sets the entry's place among the key's. */
void key_add(struct key *key, struct entry *entry);
/* Takes it out; and frees the key when it was the last one. */
void key_remove(struct keys *keys, struct key *key, const struct entry *entry);

#endif
