/* SPDX-License-Identifier: MIT */
#include "net/pool.h"

#include "base/account.h"
#include "base/bug.h"
#include "base/mem.h"
#include "loop/loop.h"

struct net_pool {
	size_t refs;
	unsigned loop;
	uint8_t *chunk;
	struct net_block *blocks;
	struct net_piece *pieces;
	unsigned n_blocks;
	unsigned n_pieces;
	struct net_readers readers;
};

/*
 * By loop, as a loop's objects may be torn down by another thread in its name. Each loop touches
 * its own only.
 */
static struct net_pool *pools[LOOP_COUNT_MAX];

struct net_pool *net_pool_ref(void)
{
	unsigned index = loop_index(loop_self());

	if (!pools[index]) {
		pools[index] = mem_zalloc(sizeof(*pools[index]));
		pools[index]->loop = index;
		net_readers_init(&pools[index]->readers);
	}
	pools[index]->refs++;
	return pools[index];
}

void net_pool_unref(struct net_pool *pool)
{
	OWN(pool->loop);
	if (--pool->refs > 0)
		return;
	net_readers_fini(&pool->readers);
	while (pool->blocks) {
		struct net_block *block = pool->blocks;

		pool->blocks = block->next;
		mem_free(block);
	}
	while (pool->pieces) {
		struct net_piece *piece = pool->pieces;

		pool->pieces = piece->next;
		mem_free(piece);
	}
	mem_free(pool->chunk);
	pools[pool->loop] = NULL;
	mem_free(pool);
}

struct net_readers *net_pool_readers(struct net_pool *pool)
{
	return &pool->readers;
}

uint8_t *net_pool_chunk(struct net_pool *pool)
{
	if (!pool->chunk)
		pool->chunk = mem_alloc(NET_HEADROOM + NET_CHUNK_SIZE);
	return pool->chunk + NET_HEADROOM;
}

struct net_block *net_pool_get_block(struct net_pool *pool)
{
	struct net_block *block = pool->blocks;

	if (block) {
		pool->blocks = block->next;
		pool->n_blocks--;
	} else {
		block = mem_alloc(sizeof(*block) + NET_BLOCK_SIZE);
	}
	block->next = NULL;
	block->size = NET_BLOCK_SIZE;
	account_add(ACCOUNT_CONNECTION, (ptrdiff_t)NET_BLOCK_SIZE);
	return block;
}

struct net_block *net_pool_try_block(size_t size)
{
	struct net_block *block;

	if (size > SIZE_MAX - sizeof(*block))
		return NULL;
	block = mem_try_alloc(sizeof(*block) + size);
	if (!block)
		return NULL;
	block->next = NULL;
	block->size = size;
	account_add(ACCOUNT_CONNECTION, (ptrdiff_t)size);
	return block;
}

void net_pool_put_block(struct net_pool *pool, struct net_block *block)
{
	account_add(ACCOUNT_CONNECTION, -(ptrdiff_t)block->size);
	if (block->size != NET_BLOCK_SIZE || pool->n_blocks == NET_POOL_BLOCKS) {
		mem_free(block);
		return;
	}
	block->next = pool->blocks;
	pool->blocks = block;
	pool->n_blocks++;
}

struct net_piece *net_pool_get_piece(struct net_pool *pool)
{
	struct net_piece *piece = pool->pieces;

	if (piece) {
		pool->pieces = piece->next;
		pool->n_pieces--;
	} else {
		piece = mem_alloc(sizeof(*piece));
	}
	*piece = (struct net_piece){.next = NULL};
	return piece;
}

void net_pool_put_piece(struct net_pool *pool, struct net_piece *piece)
{
	if (pool->n_pieces == NET_POOL_PIECES) {
		mem_free(piece);
		return;
	}
	piece->next = pool->pieces;
	pool->pieces = piece;
	pool->n_pieces++;
}
