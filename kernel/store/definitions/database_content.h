/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_DEFINITIONS_DATABASE_CONTENT_H
#define KERNEL_STORE_DEFINITIONS_DATABASE_CONTENT_H

/*
 * What the database's file holds, and how it changes: groups of commits, the counters, the ids that
 * are reserved ahead. For the files database*.c only. Any thread: a lock is held during each
 * transaction, and while the file is read.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "store/definitions/database_file.h"
#include "store/definitions/database_request.h"

struct content {
	pthread_mutex_t lock;
	struct database_file file;
	uint64_t revision;

	/* next_id is never above id_bound, which is what the file says. */
	_Atomic uint64_t next_id;
	_Atomic uint64_t id_bound;
	_Atomic bool wants_ids; /* the next transaction reserves more */
};

/* Takes the file over, also on failure: content_fini() closes it. Reserves the first ids. */
int content_init_take(struct content *content, struct database_file file,
		      const struct database_meta *meta) MUST_USE;
void content_fini(struct content *content);

/*
 * Does the commits in one transaction and fills each one's result and revision. Returns 0, also if
 * some are refused, or why none could be done. NULL: only what else is to be written.
 */
int content_run_group(struct content *content, struct request *group);

struct content_number {
	const char *name; /* of the table meta */
	uint64_t value;
};
int content_set(struct content *content, const struct content_number *numbers,
		size_t n_numbers) MUST_USE;

int content_list(struct content *content, struct slice prefix,
		 void (*visit)(void *context, struct slice key, struct slice value,
			       uint64_t revision),
		 void *context) MUST_USE;

/* 0: there are not so many. *ret_is_asking: wants_ids was set by this call. Never waits. */
uint64_t content_take_ids(struct content *content, unsigned n, bool *ret_is_asking);

#endif
