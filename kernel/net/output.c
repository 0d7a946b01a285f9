/* SPDX-License-Identifier: MIT */
#include "net/output.h"

#include <errno.h>
#include <string.h>

#include "base/bug.h"
#include "net/pool.h"

/* Where the pointers of an output without a block point: no room, and no arithmetic on NULL. */
static uint8_t nowhere[1];

static void forget_block(struct net_output *o)
{
	o->open = NULL;
	o->next = nowhere;
	o->end = nowhere;
	o->mark = nowhere;
}

void net_output_init(struct net_output *o, struct net_pool *pool)
{
	*o = (struct net_output){.pool = pool};
	forget_block(o);
}

static struct net_piece *add_piece(struct net_output *o, const uint8_t *data, size_t size)
{
	struct net_piece *piece = net_pool_get_piece(o->pool);

	piece->data = data;
	piece->size = size;
	if (o->last)
		o->last->next = piece;
	else
		o->first = piece;
	o->last = piece;
	o->sealed += size;
	return piece;
}

/*
 * Makes what was filled since the last time part of a piece: of the last one, if that lies right
 * before it. (A piece that is not ours cannot lie there: a block's header is between.)
 */
static void seal(struct net_output *o)
{
	size_t size = (size_t)(o->next - o->mark);

	if (size == 0)
		return;
	if (o->last && !o->last->release && o->last->data + o->last->size == o->mark) {
		o->last->size += size;
		o->sealed += size;
	} else {
		(void)add_piece(o, o->mark, size);
	}
	o->mark = o->next;
}

/* The last piece is behind all of the block's: when it is sent, the block is free. */
static void close_block(struct net_output *o)
{
	seal(o);
	if (!o->open)
		return;
	if (o->last) {
		o->open->next = o->last->blocks;
		o->last->blocks = o->open;
	} else {
		net_pool_put_block(o->pool, o->open);
	}
	forget_block(o);
}

int net_output_make_room(struct net_output *o, size_t size)
{
	struct net_block *block;

	if (size <= (size_t)(o->end - o->next))
		return 0;
	if (size <= NET_BLOCK_SIZE) {
		close_block(o);
		block = net_pool_get_block(o->pool);
	} else {
		block = net_pool_try_block(size);
		if (!block)
			return -ENOMEM;
		close_block(o);
	}
	o->open = block;
	o->next = block->bytes;
	o->mark = block->bytes;
	o->end = block->bytes + block->size;
	return 0;
}

void net_output_copy(struct net_output *o, struct slice bytes)
{
	while (bytes.size > 0) {
		size_t room = (size_t)(o->end - o->next);
		size_t size = bytes.size < room ? bytes.size : room;

		if (size == 0) {
			bug_on(net_output_make_room(o, NET_BLOCK_SIZE) < 0);
			continue;
		}
		memcpy(o->next, bytes.data, size);
		o->next += size;
		bytes = slice_make(bytes.data + size, bytes.size - size);
	}
}

void net_output_share(struct net_output *o, struct slice bytes, void (*release)(void *owner),
		      void *owner)
{
	struct net_piece *piece;

	bug_on(!release);
	seal(o);
	piece = add_piece(o, bytes.data, bytes.size);
	piece->release = release;
	piece->owner = owner;
}

static void drop_first(struct net_output *o)
{
	struct net_piece *piece = o->first;

	o->first = piece->next;
	if (!o->first)
		o->last = NULL;
	o->sealed -= piece->size;
	while (piece->blocks) {
		struct net_block *block = piece->blocks;

		piece->blocks = block->next;
		net_pool_put_block(o->pool, block);
	}
	if (piece->release)
		piece->release(piece->owner);
	net_pool_put_piece(o->pool, piece);
}

static void release_idle_block(struct net_output *o)
{
	if (!o->first && o->next == o->mark)
		close_block(o);
}

void net_output_drop(struct net_output *o)
{
	o->mark = o->next;
	while (o->first)
		drop_first(o);
	release_idle_block(o);
}

int net_output_gather(struct net_output *o, struct iovec *iov, int max)
{
	const struct net_piece *piece;
	int n = 0;

	seal(o);
	for (piece = o->first; piece && n < max; piece = piece->next, n++) {
		/* writev(2) does not write there, but its type cannot say so. */
		iov[n].iov_base = (void *)(uintptr_t)piece->data;
		iov[n].iov_len = piece->size;
	}
	return n;
}

void net_output_sent(struct net_output *o, size_t size)
{
	while (o->first && size >= o->first->size) {
		size -= o->first->size;
		drop_first(o);
	}
	bug_on(size > 0 && !o->first);
	if (size > 0) {
		o->first->data += size;
		o->first->size -= size;
		o->sealed -= size;
	}
	release_idle_block(o);
}
