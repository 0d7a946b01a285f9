/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_POOL_H
#define EXCHANGE_TOPIC_POOL_H

/*
 * Records of one size, known by 32-bit numbers from 1: half as large as pointers, and without an
 * allocator's overhead. A record is at least four bytes, which link the free ones. All memory goes
 * back when the last record does.
 */

#include "array.h"

struct pool {
	struct array records;
	uint32_t fresh; /* numbers from here on were never used */
	uint32_t free;	/* the first of the free records; 0: none */
	uint32_t used;
};

void pool_init(struct pool *pool, const struct shunt_host *host, size_t record_size);
void pool_fini(struct pool *pool);

/* A record with undefined contents; 0 when memory is out. */
uint32_t pool_take(struct pool *pool);
void pool_give(struct pool *pool, uint32_t index);

static inline void *pool_at(const struct pool *pool, uint32_t index, size_t record_size)
{
	return array_at(&pool->records, index, record_size);
}

#endif
