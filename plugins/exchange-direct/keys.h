/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_DIRECT_KEYS_H
#define EXCHANGE_DIRECT_KEYS_H

/*
 * The routing keys of an exchange's bindings: a hash table, each key with the ring of its bindings.
 * A bucket is a cache line of up to five keys and 32 bits of the hash of each, so that finding a
 * key usually costs two cache misses: the bucket and the key. The table grows and shrinks by one
 * bucket at a time (linear hashing), its segments never move, and none is larger than 256 KiB: so
 * no bind() or unbind() takes long, however many keys there are.
 */

#include <shunt/plugin.h>

#define KEYS_FIRST_BITS 4u  /* the segments have 16, 32, ... lines */
#define KEYS_LARGE_BITS 12u /* and no more than this */
#define KEYS_MAX	(1u << 30)
#define KEYS_LINE	5u

/* A binding in the ring of its key. Allocated by keys_add(), freed by keys_remove(). */
struct entry {
	const struct shunt_binding *binding;
	struct key *key;
	struct entry *previous, *next;
};

struct key {
	struct key *next;		  /* see struct keys_line */
	struct entry *first;		  /* never NULL */
	const struct shunt_binding *only; /* the binding, if there is exactly one; else NULL */
	uint32_t tag;			  /* the lower bits of the hash */
	uint32_t size;
	uint8_t text[];
};

struct keys_line {
	struct key *keys[KEYS_LINE]; /* the used ones first, the others NULL */
	uint32_t tags[KEYS_LINE];
	uint32_t more; /* keys behind the last one, by `next` */
};

_Static_assert(sizeof(struct keys_line) <= 64, "a bucket is a cache line");

struct keys {
	const struct shunt_host *host;
	uint64_t seeds[3]; /* secret, so that nobody can choose keys of one tag */
	struct keys_line **segments;
	uint32_t segment_count;
	uint32_t segment_capacity;
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
