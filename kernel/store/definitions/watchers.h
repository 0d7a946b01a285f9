/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_DEFINITIONS_WATCHERS_H
#define KERNEL_STORE_DEFINITIONS_WATCHERS_H

/*
 * Who watches definitions, and what each loop's watchers have not been told yet. The engine that
 * changes definitions announces every change, in the order of the revisions; the watchers are told
 * on their own loops in that order. A change is shared and not copied, so that announcing a large
 * value cannot fail.
 *
 * Announcing: any thread. Adding and removing: the watch's loop.
 */

#include <stdatomic.h>
#include <stdint.h>

#include "store/store.h"

/* The allocation that news lie in: counted, and destroyed on whichever thread drops the last. */
struct news_owner {
	_Atomic unsigned refs;
	void (*destroy)(struct news_owner *owner);
};

/* A change. Immutable from its announcement on; valid as long as somebody holds its owner. */
struct news {
	struct slice key;
	struct slice value; /* data NULL: a deletion */
	uint64_t revision;
	struct news_owner *owner;
};

/* One reference, the caller's. */
void news_owner_init(struct news_owner *owner, void (*destroy)(struct news_owner *owner));
void news_owner_unref(struct news_owner *owner);

struct watchers;

struct watchers *watchers_create(unsigned n_loops);
/* Loops have stopped. What has not been told is dropped. NULL is fine. */
void watchers_destroy(struct watchers *watchers);

/* They are told of what is announced from now on. */
void watchers_add(struct watchers *watchers, struct store_watch *watch);
void watchers_remove(struct watchers *watchers, struct store_watch *watch);

/*
 * Announcing: between begin and end, during which nobody else can announce, begin or stop to watch,
 * or be told. So a commit that is completed in between is not told to those who begin to watch when
 * they know of it, and nobody is told of it before.
 */
void watchers_begin(struct watchers *watchers);
void watchers_announce(struct watchers *watchers, const struct news *news);
void watchers_end(struct watchers *watchers);

#endif
