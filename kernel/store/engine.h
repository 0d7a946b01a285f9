/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_ENGINE_H
#define KERNEL_STORE_ENGINE_H

/*
 * What stands behind the store's door. An engine embeds struct store and struct store_log in its
 * own, fills them in its create function, and keeps the contract of store.h; the door has checked
 * the calling loop and what only a mistake of ours could get wrong, and has filled `next` (NULL),
 * `log` and `loop` of the operations.
 */

#include "store/store.h"

struct store_engine_ops {
	const char *name;

	void (*append)(struct store_log *log, uint64_t epoch, struct store_append *append);
	void (*read)(struct store_log *log, struct store_read *read);
	void (*recover)(struct store_log *log, struct store_recovery *recovery);
	void (*barrier)(struct store_log *log, struct store_barrier *barrier);
	void (*compact)(struct store_log *log);
	void (*lead)(struct store_log *log, struct store_lead *lead);
	void (*release)(struct store_log *log);
	void (*stats)(const struct store_log *log, struct store_log_stats *ret_stats);

	void (*commit)(struct store *store, struct store_commit *commit);
	int (*load)(struct store *store, struct slice prefix,
		    void (*visit)(void *context, struct slice key, struct slice value,
				  uint64_t revision),
		    void *context);
	void (*watch)(struct store *store, struct store_watch *watch);
	void (*unwatch)(struct store *store, struct store_watch *watch);
	uint64_t (*ids)(struct store *store, unsigned n);
	bool (*is_clean)(const struct store *store);
	void (*destroy)(struct store *store);
};

/* One per loop. */
struct store_log {
	struct store *store;
	unsigned loop;
};

struct store {
	const struct store_engine_ops *ops;
	struct store_log **logs; /* n_logs, by loop */
	unsigned n_logs;
};

/* It has a queue and numbers, and no body. */
static inline bool store_is_range(const struct store_record *record)
{
	return record->type != STORE_PUBLISH && record->type != STORE_ENQUEUE;
}

#endif
