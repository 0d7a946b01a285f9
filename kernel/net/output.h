/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_OUTPUT_H
#define KERNEL_NET_OUTPUT_H

/*
 * The bytes that wait to be sent over one connection, in order: runs in blocks of the loop's pool,
 * and runs that belong to somebody else. Whoever embeds it gathers them for writev(2) and says how
 * many were sent. While empty it holds no memory.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/slice.h"

struct net_block;
struct net_piece;
struct net_pool;

struct net_output {
	uint8_t *next; /* the free room of the open block */
	uint8_t *end;  /* and its end */
	uint8_t *mark; /* what lies between here and next is in no piece yet */
	size_t sealed; /* bytes in pieces */
	struct net_piece *first;
	struct net_piece *last;
	struct net_block *open;
	struct net_pool *pool;
};

void net_output_init(struct net_output *o, struct net_pool *pool);
/* Drops what was not sent: afterwards it is empty, and may be used again. */
void net_output_drop(struct net_output *o);

static inline size_t net_output_size(const struct net_output *o)
{
	return o->sealed + (size_t)(o->next - o->mark);
}

/*
 * Makes contiguous room for size bytes at o->next, which moves; the caller advances o->next over
 * what it has filled. Returns 0, or -ENOMEM for more than NET_BLOCK_SIZE when memory is out.
 */
int net_output_make_room(struct net_output *o, size_t size) __attribute__((warn_unused_result));
void net_output_copy(struct net_output *o, struct slice bytes);
/* release(owner) is called when the bytes are sent or dropped. */
void net_output_share(struct net_output *o, struct slice bytes, void (*release)(void *owner),
		      void *owner);

/* Describes the first bytes, in at most max vectors; returns how many there are. */
int net_output_gather(struct net_output *o, struct iovec *iov, int max);
void net_output_sent(struct net_output *o, size_t size);

#endif
