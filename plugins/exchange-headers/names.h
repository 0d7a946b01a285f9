/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_HEADERS_NAMES_H
#define EXCHANGE_HEADERS_NAMES_H

/*
 * The names that bindings ask for, each once, counted. A name has a slot, by whose number every
 * loop keeps what the message at hand has under this name. The hash table grows and shrinks by one
 * bucket at a time (linear hashing).
 */

#include <shunt/plugin.h>

#define NAMES_FIRST_BITS 3u
#define NAMES_SEGMENTS	 28u

struct name {
	struct name *next; /* in its bucket */
	uint64_t hash;
	size_t references;
	uint32_t slot;
	uint8_t size;
	uint8_t text[];
};

struct names {
	const struct shunt_host *host;
	struct name **segments[NAMES_SEGMENTS]; /* of buckets: 8, 16, 32, ... */
	uint32_t bucket_count;
	uint32_t mask; /* bucket_count - 1, rounded up to a power of two less one */
	size_t count;
};

void names_init(struct names *names, const struct shunt_host *host);

/* Frees all names. */
void names_fini(struct names *names);

/* NULL if there is no such name. */
struct name *names_find(const struct names *names, struct shunt_bytes text);

/* Makes a name that is not there, without references. NULL when memory is out. */
struct name *names_create(struct names *names, struct shunt_bytes text, uint32_t slot);
void names_destroy(struct names *names, struct name *name);

#endif
