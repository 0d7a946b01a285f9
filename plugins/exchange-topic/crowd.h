/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_CROWD_H
#define EXCHANGE_TOPIC_CROWD_H

/*
 * Several bindings of one pattern: a list of blocks of dense arrays, of which only the first may
 * have room. A block doubles until it holds CROWD_BLOCK bindings; so nothing long is ever moved,
 * and most crowds are one block of few cache lines.
 */

#include "pool.h"

#define CROWD_BLOCK 1024u

/* What is known of a binding by number; the number is its cookie. It has a block if it is in a
 * crowd. */
struct place {
	struct crowd *block;
	uint32_t position; /* in the block */
	uint32_t node;
};

struct crowd {
	struct crowd *next;
	uint32_t count, capacity;
	const struct shunt_binding *bindings[]; /* behind them, as many uint32_t: their places */
};

/* Makes room for one more, perhaps in a new first block. 0, or -1 when memory is out: then nothing
 * has changed. */
int crowd_reserve(const struct shunt_host *host, struct pool *places, struct crowd **crowd);

/* Adds a binding; there is room for it. */
void crowd_add(struct pool *places, struct crowd *crowd, const struct shunt_binding *binding,
	       uint32_t place);

/* Takes a binding out. The crowd has two at least. */
void crowd_remove(const struct shunt_host *host, struct pool *places, struct crowd **crowd,
		  uint32_t place);

void crowd_free(const struct shunt_host *host, struct crowd *crowd);

/* The place of the binding at this position of the block. */
uint32_t crowd_place(const struct crowd *block, uint32_t position);

#endif
