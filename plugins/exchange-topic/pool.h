/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_POOL_H
#define EXCHANGE_TOPIC_POOL_H

/*
 * Records of one size, known by 32-bit numbers from 1: half as large as pointers, and without an
 * allocator's overhead. A record is at least four bytes, which link the free ones. A segment whose
 * last record goes is given back; one such is kept, as long as there are many records.
 */

#include "array.h"

struct pool {
	struct array records;
	uint32_t used;
	uint32_t open;	/* the first of the segments with room */
	uint32_t spare; /* a segment without records */
};

void pool_init(struct pool *pool, const struct shunt_host *host, size_t record_size);
void pool_fini(struct pool *pool);

/* A record with undefined contents; 0 when memory is out. */
uint32_t pool_take(struct pool *pool);
void pool_give(struct pool *pool, uint32_t index);

/* The first record after this one that was used at some time; 0: there is none. For ends: those
 * that are not in use begin with the number of another one, or with ARRAY_MAX. */
uint32_t pool_next(const struct pool *pool, uint32_t index);

static inline void *pool_at(const struct pool *pool, uint32_t index, size_t record_size)
{
	return array_at(&pool->records, index, record_size);
}

#endif
