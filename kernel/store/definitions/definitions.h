/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_DEFINITIONS_DEFINITIONS_H
#define KERNEL_STORE_DEFINITIONS_DEFINITIONS_H

/*
 * Definitions in memory: values by key, each with the revision of the commit that wrote it, and who
 * watches them. One lock protects all, as definitions change rarely; every loop may call. Watchers
 * are told on their own loops, in the order of the revisions.
 */

#include "store/store.h"

struct definitions;

struct definitions *definitions_create(unsigned n_loops);
/* Loops have stopped. Notifications that are still under way are dropped. */
void definitions_destroy(struct definitions *d);

/* Does it, and fills the commit's result and revision; completing it is left to the caller. */
void definitions_commit(struct definitions *d, struct store_commit *commit);
int definitions_load(struct definitions *d, struct slice prefix,
		     void (*visit)(void *context, struct slice key, struct slice value,
				   uint64_t revision),
		     void *context) __attribute__((warn_unused_result));
void definitions_watch(struct definitions *d, struct store_watch *watch);
void definitions_unwatch(struct definitions *d, struct store_watch *watch);

#endif
