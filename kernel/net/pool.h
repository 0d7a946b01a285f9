/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_POOL_H
#define KERNEL_NET_POOL_H

/*
 * The memory that all transports of a loop share: where input is read into, and spare blocks and
 * pieces for output. It exists while a transport of the loop does.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "net/readers.h"

#define NET_BLOCK_SIZE	((size_t)16 * 1024)
#define NET_POOL_BLOCKS 64  /* spare blocks that are kept: 1 MiB */
#define NET_POOL_PIECES 256 /* and spare pieces */

/* Room for output. A block belongs to the output that took it, until it is put back. */
struct net_block {
	struct net_block *next;
	size_t size;
	uint8_t bytes[];
};

/* A run of output bytes, and what to let go once they are sent. */
struct net_piece {
	struct net_piece *next;
	const uint8_t *data;
	size_t size;
	struct net_block *blocks; /* put back when the piece is sent: it is the last in them */
	void (*release)(void *owner);
	void *owner;
};

struct net_pool;

struct net_pool *net_pool_ref(void); /* the loop's that calls */
struct net_readers *net_pool_readers(struct net_pool *pool);
void net_pool_unref(struct net_pool *pool);

/*
 * Input: `size` bytes to read into, with NET_HEADROOM free bytes before them. The same for every
 * caller.
 */
#define NET_HEADROOM   ((size_t)8 * 1024)
#define NET_CHUNK_SIZE ((size_t)256 * 1024)
uint8_t *net_pool_chunk(struct net_pool *pool);

/* A block of NET_BLOCK_SIZE. */
struct net_block *net_pool_get_block(struct net_pool *pool);
/* A block of another size, which may be anything; NULL when memory is out. */
struct net_block *net_pool_try_block(size_t size);
void net_pool_put_block(struct net_pool *pool, struct net_block *block);

struct net_piece *net_pool_get_piece(struct net_pool *pool);
void net_pool_put_piece(struct net_pool *pool, struct net_piece *piece);

#endif
