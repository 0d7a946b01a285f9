/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_DEFINITIONS_DATABASE_REQUEST_H
#define KERNEL_STORE_DEFINITIONS_DATABASE_REQUEST_H

/* A commit on its way through the database. For the files database*.c only. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "store/definitions/watchers.h"

struct change {
	struct news news;
	uint64_t expected_revision;
};

/* In one allocation; counted, as watchers look at its changes. */
struct request {
	struct news_owner owner;
	struct request *next;
	struct store_commit *commit;
	enum store_result result;
	uint64_t revision; /* 0: not done */
	bool has_failed;   /* could not be copied */
	size_t n_changes;
	struct change changes[]; /* then the bytes */
};

/* First in, first out. */
struct request_chain {
	struct request *first;
	struct request *last;
};

/*
 * Copies the changes. Never NULL: one that could not be copied still takes its turn, to say so. One
 * reference, for news_owner_unref().
 */
struct request *database_request_create(struct store_commit *commit);

void database_request_chain_add(struct request_chain *chain, struct request *request);
/* The first of all, which are chained by `next`; the chain is empty then. */
struct request *database_request_chain_take(struct request_chain *chain);

#endif
