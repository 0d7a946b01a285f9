/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_FANOUT_SEATS_H
#define EXCHANGE_FANOUT_SEATS_H

/*
 * A dense array of bindings in blocks: all blocks but the last are full, so that route() hands over
 * whole blocks as they are, and no bind() moves more than one block.
 */

#include <shunt/plugin.h>

#define BLOCK_SIZE ((size_t)4096)

/* Where a binding is. It moves when another binding goes; this is what stays. */
struct seat {
	size_t position;
};

struct block {
	const struct shunt_binding **bindings;
	struct seat **seats;
};

struct seats {
	const struct shunt_host *host;
	struct block *blocks;
	size_t blocks_capacity;
	size_t last_capacity; /* of the block that the last binding is in */
	size_t count;
};

void seats_init(struct seats *seats, const struct shunt_host *host);
void seats_fini(struct seats *seats);

/* NULL when memory is out: then nothing has changed. The seat belongs to `seats`. */
struct seat *seats_add(struct seats *seats, const struct shunt_binding *binding);
void seats_remove(struct seats *seats, struct seat *seat);

#endif
