/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_ACCOUNTS_DRAFT_H
#define KERNEL_ACCESS_ACCOUNTS_DRAFT_H

/* The inside of a draft: for the files that make it and put it in force. */

#include "access/accounts_state.h"
#include "base/buffer.h"
#include "base/map.h"

struct touched {
	struct map_node node; /* by name */
	char *name;
	struct account *old; /* the directory's; NULL: none */
	struct account *new; /* NULL: there is to be none */
};

struct draft {
	struct accounts *accounts;
	struct map by_name;
	struct touched **items;
	size_t n, capacity, n_encoded;
	struct buffer bytes;   /* keys and values, which changes point into */
	struct buffer changes; /* struct change */
	struct store_change *store_changes;
};

#endif
