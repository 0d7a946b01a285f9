/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <string.h>

void pool_init(struct pool *pool, const struct shunt_host *host, size_t record_size)
{
	array_init(&pool->records, host, record_size);
	pool->fresh = 1;
	pool->free = 0;
	pool->used = 0;
}

void pool_fini(struct pool *pool)
{
	array_fini(&pool->records);
}

uint32_t pool_take(struct pool *pool)
{
	uint32_t index = pool->free;

	if (index != 0) {
		memcpy(&pool->free, pool_at(pool, index, pool->records.record_size),
		       sizeof(pool->free));
	} else {
		if (array_reserve(&pool->records, pool->fresh) < 0)
			return 0;
		index = pool->fresh++;
	}
	pool->used++;
	return index;
}

void pool_give(struct pool *pool, uint32_t index)
{
	if (--pool->used == 0) {
		array_fini(&pool->records);
		pool->fresh = 1;
		pool->free = 0;
		return;
	}
	memcpy(pool_at(pool, index, pool->records.record_size), &pool->free, sizeof(pool->free));
	pool->free = index;
}
