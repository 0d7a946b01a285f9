/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_DEFINITIONS_DATABASE_FILE_H
#define KERNEL_STORE_DEFINITIONS_DATABASE_FILE_H

/*
 * The SQLite file of kernel/store/definitions/database.c: its schema, its statements and its errors. For the
 * files database*.c only. One thread at a time. Functions that return int give 0 or a negative
 * errno value; after a failure within a transaction only database_file_rollback() makes sense.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/slice.h"
#include "store/definitions/database.h"

struct sqlite3;
struct sqlite3_stmt;

enum database_statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_SET,
	STATEMENT_FIND,
	STATEMENT_PUT,
	STATEMENT_DELETE,
	STATEMENT_LIST,
	N_STATEMENTS,
};

struct database_file {
	struct sqlite3 *sqlite;
	struct sqlite3_stmt *statements[N_STATEMENTS];
};

/* ---- database_schema.c ---- */

/* What a file says about itself, read when it is opened. */
struct database_meta {
	struct database_state state;
	uint64_t revision;
};

int database_file_open(const char *path, struct database_file *ret_file,
		       struct database_meta *ret_meta, char *ret_reason,
		       size_t reason_size) MUST_USE;

/* ---- database_file.c ---- */

/* Of a result code of SQLite's; errno is 0 or what the system said meanwhile. */
int database_file_error(int rc);
int database_file_prepare(struct database_file *file) MUST_USE;
/* Also of one that is half open. */
void database_file_close(struct database_file *file);

int database_file_begin(struct database_file *file) MUST_USE;
/*
 * On failure the transaction is rolled back. *ret_is_undecided: it may be on the disk all the same,
 * and come back after a crash, until another one has been written over it.
 */
int database_file_commit(struct database_file *file, bool *ret_is_undecided) MUST_USE;
/* Whether there is a transaction or not. */
void database_file_rollback(struct database_file *file);

/* Within a transaction: a number of the table meta. */
int database_file_set(struct database_file *file, const char *name, uint64_t value) MUST_USE;

/* Within a transaction. The revision is 0 for a key that is not there. */
int database_file_find(struct database_file *file, struct slice key,
		       uint64_t *ret_revision) MUST_USE;
int database_file_put(struct database_file *file, struct slice key, struct slice value,
		      uint64_t revision) MUST_USE;
int database_file_delete(struct database_file *file, struct slice key) MUST_USE;

/* In the order of the keys. */
int database_file_list(struct database_file *file, struct slice prefix,
		       void (*visit)(void *context, struct slice key, struct slice value,
				     uint64_t revision),
		       void *context) MUST_USE;

#endif
