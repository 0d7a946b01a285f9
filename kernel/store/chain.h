/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_CHAIN_H
#define KERNEL_STORE_CHAIN_H

/* Lists of appends and of segments, by their `next`, first in, first out; `last` is valid while
 * there is a first. */

#include <stddef.h>

#include "store/segment.h"
#include "store/store.h"

struct chain {
	struct store_append *first, *last;
};

static inline void chain_add(struct chain *chain, struct store_append *append)
{
	append->next = NULL;
	if (chain->first)
		chain->last->next = append;
	else
		chain->first = append;
	chain->last = append;
}

static inline struct store_append *chain_pop(struct chain *chain)
{
	struct store_append *append = chain->first;

	if (append)
		chain->first = append->next;
	return append;
}

static inline void chain_move(struct chain *to, struct chain *from)
{
	if (!from->first)
		return;
	if (to->first)
		to->last->next = from->first;
	else
		to->first = from->first;
	to->last = from->last;
	from->first = NULL;
}

struct segment_chain {
	struct segment *first, *last;
};

static inline void segment_chain_add(struct segment_chain *chain, struct segment *segment)
{
	segment->next = NULL;
	if (chain->first)
		chain->last->next = segment;
	else
		chain->first = segment;
	chain->last = segment;
}

#endif
