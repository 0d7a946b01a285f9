/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_PENDING_H
#define KERNEL_PLUGIN_PENDING_H

/*
 * What plugins have been asked for and are to answer, once, from any thread: logins and calls, by
 * numbers that are never used again. Who takes one out by its number is the one who ends it.
 *
 * The table has a lock, as a plugin's thread wants to be told at once whether its answer still
 * matters. There are few of these, none for a message; it is held for a look-up.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"

struct plugin;

/* Part of what is pending, which is in place while it is in the table. */
struct pending_item {
	struct map_node node;
	uint64_t id;
	struct plugin *plugin;
};

struct pending {
	pthread_mutex_t lock;
	uint64_t last_id;
	struct map items;
};

void pending_init(struct pending *pending);
/* Nothing is left in it. */
void pending_fini(struct pending *pending);

/* Sets the item's number, which begins with 1. Any thread, as the others. */
void pending_add(struct pending *pending, struct pending_item *item, struct plugin *plugin);

/* NULL: it is not there (any more), or another plugin's. */
struct pending_item *pending_take(struct pending *pending, uint64_t id,
				  const struct plugin *plugin);

/* For more than one step: the item stays in the table. */
void pending_lock(struct pending *pending);
struct pending_item *pending_find(struct pending *pending, uint64_t id,
				  const struct plugin *plugin);
void pending_remove(struct pending *pending, struct pending_item *item);
/* Any of the plugin's; NULL: there is none. */
struct pending_item *pending_any_of(struct pending *pending, const struct plugin *plugin);
void pending_unlock(struct pending *pending);

#endif
