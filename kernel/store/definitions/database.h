/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_DEFINITIONS_DATABASE_H
#define KERNEL_STORE_DEFINITIONS_DATABASE_H

/*
 * The definitions, the counter of ids and what must be known of the logs, in one SQLite file. One
 * thread writes: it takes all commits that have gathered, from every loop, and makes one
 * transaction of them. What goes wrong with the file is a commit's result, never the end of the
 * process.
 *
 * The file is ours alone while it is open. It is opened before loops run and closed when they have
 * stopped. Functions that return int give 0 or a negative errno value; a damaged file is -EUCLEAN.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "store/store.h"

#define DATABASE_STORE_ID_SIZE 16

/* So many ids are reserved in the file ahead of their use. */
#define DATABASE_ID_BLOCK (UINT64_C(1) << 20)
/* Ids are below this, also those of the last block. */
#define DATABASE_ID_END (UINT64_C(1) << 63)

struct database;

/*
 * Opens the file, or creates it whole with a new store id. A file that is damaged or not ours
 * (-EUCLEAN) or of a later version of Shunt (-ENOTSUP) is left as it is. On failure ret_reason says
 * why in one line, to be put behind the path. n_loops: of the pool, which need not exist yet.
 */
int database_open(const char *path, unsigned n_loops, struct database **ret_database,
		  char *ret_reason, size_t reason_size) MUST_USE;

/*
 * All commits under way are done, and their done() called in the name of their loop, also those
 * that a done() makes; then the file is closed. Loops have stopped and their pool is still there;
 * without a pool there must have been no commits. `clean`: the file says so from then on, durably;
 * returns whether that could be written. NULL is fine.
 */
int database_close(struct database *database, bool clean) MUST_USE;

/*
 * What the file said when it was opened. Every id that was given out before is below next_id, and
 * those given out since are not. was_clean is true for a new file.
 */
struct database_state {
	uint8_t store_id[DATABASE_STORE_ID_SIZE]; /* random, made with the file */
	uint64_t log_generation;		  /* at first 0, as is the count */
	uint64_t log_count;
	uint64_t next_id;
	bool is_new;
	bool was_clean;
};
const struct database_state *database_state(const struct database *database);

/*
 * Durable on return, and waits for that. After a failure the next opening may find either, the old
 * or the new.
 */
int database_set_logs(struct database *database, uint64_t generation, uint64_t count) MUST_USE;
int database_set_clean(struct database *database, bool is_clean) MUST_USE;

/*
 * The definitions part of the store's door: see store.h for what these promise. A commit of a group
 * that cannot be written ends STORE_ERROR, or STORE_UNKNOWN if it may be found after a restart.
 * database_load: any thread, waits for the transaction under way; `visit` must call none of
 * these but database_commit, database_ids and the watches. -EUCLEAN: damage.
 */
void database_commit(struct database *database, struct store_commit *commit);
int database_load(struct database *database, struct slice prefix,
		  void (*visit)(void *context, struct slice key, struct slice value,
				uint64_t revision),
		  void *context) MUST_USE;
void database_watch(struct database *database, struct store_watch *watch);
void database_unwatch(struct database *database, struct store_watch *watch);

/*
 * Never waits for the file: 0 if what was reserved is used up before more could be, or for good.
 */
uint64_t database_ids(struct database *database, unsigned n);

#endif
