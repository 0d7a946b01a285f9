/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_CHAIN_H
#define KERNEL_BASE_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * First in, first out: structures linked by a `next` of their own. A chain is anything with a
 * `first` and a `last`, for example CHAIN(struct letter); empty when first is NULL, and only then
 * last means nothing, so zero is an empty chain.
 */
#define CHAIN(type)                                                                                \
	struct {                                                                                   \
		type *first, *last;                                                                \
	}

#define chain_add(chain, item)                                                                     \
	do {                                                                                       \
		(item)->next = NULL;                                                               \
		if ((chain)->first)                                                                \
			(chain)->last->next = (item);                                              \
		else                                                                               \
			(chain)->first = (item);                                                   \
		(chain)->last = (item);                                                            \
	} while (0)

/* Takes out the first; there must be one. */
#define chain_drop_first(chain) ((void)((chain)->first = (chain)->first->next))

/* All of `from` goes behind `to`. */
#define chain_move(to, from)                                                                       \
	do {                                                                                       \
		if ((from)->first) {                                                               \
			if ((to)->first)                                                           \
				(to)->last->next = (from)->first;                                  \
			else                                                                       \
				(to)->first = (from)->first;                                       \
			(to)->last = (from)->last;                                                 \
			(from)->first = NULL;                                                      \
		}                                                                                  \
	} while (0)

/*
 * Empties the chain, and runs the statement behind it for each item, which may be gone afterwards.
 */
#define chain_take_each(item, following, chain)                                                    \
	for ((item) = (chain)->first, (chain)->first = NULL;                                       \
	     (item) && ((following) = (item)->next, true); (item) = (following))

#endif
