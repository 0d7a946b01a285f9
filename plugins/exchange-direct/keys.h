/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_DIRECT_KEYS_H
#define EXCHANGE_DIRECT_KEYS_H

/*
 * The routing keys of an exchange's bindings: a hash table, each key with the ring of its bindings.
 * The table grows and shrinks by one bucket at a time (linear hashing) and its segments never move,
 * so no bind() takes long, however many keys there are.
 */

#include <shunt/plugin.h>

#define KEYS_FIRST_BITS 4u
#define KEYS_SEGMENTS	28u

/* A binding in the ring of its key. Allocated by keys_add(), freed by keys_remove(). */
struct entry {
	const struct shunt_binding *binding;
	struct key *key;
	struct entry *previous, *next;
};

struct key {
	struct key *next; /* in its bucket */
	uint64_t hash;
	struct entry *first;		  /* never NULL */
	const struct shunt_binding *only; /* the binding, if there is exactly one; else NULL */
	size_t size;
	uint8_t text[];
};

struct keys {
	const struct shunt_host *host;
	struct key **segments[KEYS_SEGMENTS]; /* of buckets: 16, 32, 64, ... */
	uint32_t bucket_count;
	uint32_t mask; /* bucket_count - 1, rounded up to a power of two less one */
	size_t count;
};

void keys_init(struct keys *keys, const struct shunt_host *host);

/* Frees all keys and entries. */
void keys_fini(struct keys *keys);

/* Adds the binding under its routing key. NULL when memory is out: then nothing has changed. */
struct entry *keys_add(struct keys *keys, const struct shunt_binding *binding);
void keys_remove(struct keys *keys, struct entry *entry);

/* The key, or NULL. */
const struct key *keys_find(const struct keys *keys, struct shunt_bytes text);

#endif
