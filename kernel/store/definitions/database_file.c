/* SPDX-License-Identifier: MIT */
#include "store/definitions/database_file.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>

static const char *const texts[N_STATEMENTS] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_SET] = "UPDATE meta SET value = ?2 WHERE name = ?1",
	[STATEMENT_FIND] = "SELECT revision FROM definition WHERE key = ?1",
	[STATEMENT_PUT] = "REPLACE INTO definition(key, value, revision) VALUES (?1, ?2, ?3)",
	[STATEMENT_DELETE] = "DELETE FROM definition WHERE key = ?1",
	[STATEMENT_LIST] =
		"SELECT key, value, revision FROM definition WHERE key >= ?1 ORDER BY key",
};

/* ---- errors ---- */

/*
 * SQLite keeps the system's error for some failures only, so it is taken from where the system has
 * put it, which is good for telling people: see step().
 */
static int of_system(int otherwise)
{
	return errno > 0 ? -errno : -otherwise;
}

int database_file_error(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_ERROR: /* our statements are right, so the tables are not */
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_MISMATCH:
	case SQLITE_CONSTRAINT:
		return -EUCLEAN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_TOOBIG:
		return -EMSGSIZE;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_IOERR:
		return rc == SQLITE_IOERR_NOMEM ? -ENOMEM : of_system(EIO);
	case SQLITE_CANTOPEN:
		return of_system(EIO);
	default:
		return -EIO;
	}
}

/*
 * Whether a COMMIT that failed so has certainly left no whole transaction in the file: a write was
 * cut short for want of room, and the record that ends the transaction is the last to be written.
 */
static bool is_certainly_undone(int rc, int error)
{
	return (rc & 0xff) == SQLITE_FULL ||
	       (rc == SQLITE_IOERR_WRITE && (error == -EFBIG || error == -EDQUOT));
}

/* ---- statements ---- */

int database_file_prepare(struct database_file *file)
{
	for (size_t i = 0; i < N_STATEMENTS; i++) {
		int rc = sqlite3_prepare_v3(file->sqlite, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					    &file->statements[i], NULL);

		if (rc != SQLITE_OK)
			return database_file_error(rc);
	}
	return 0;
}

void database_file_close(struct database_file *file)
{
	for (size_t i = 0; i < N_STATEMENTS; i++)
		(void)sqlite3_finalize(file->statements[i]);
	(void)sqlite3_close(file->sqlite);
	*file = (struct database_file){.sqlite = NULL};
}

/* Bytes of no length are not NULL to the tables. */
static void bind_slice(sqlite3_stmt *statement, int index, struct slice bytes)
{
	(void)sqlite3_bind_blob64(statement, index, bytes.size > 0 ? (const void *)bytes.data : "",
				  bytes.size, SQLITE_STATIC);
}

static void bind_number(sqlite3_stmt *statement, int index, uint64_t number)
{
	(void)sqlite3_bind_int64(statement, index, (sqlite3_int64)number);
}

static int step(sqlite3_stmt *statement)
{
	errno = 0;
	return sqlite3_step(statement);
}

/*
 * Makes a statement ready again. Its bindings point to bytes of somebody else, but are replaced
 * before it runs the next time.
 */
static int finish(sqlite3_stmt *statement, int rc)
{
	int r = database_file_error(rc);

	(void)sqlite3_reset(statement); /* the same failure again */
	return r;
}

static int run(struct database_file *file, enum database_statement which)
{
	sqlite3_stmt *statement = file->statements[which];

	return finish(statement, step(statement));
}

/* ---- transactions ---- */

int database_file_begin(struct database_file *file)
{
	return run(file, STATEMENT_BEGIN);
}

/* SQLite may have done so on its own when something failed. It ends also if it fails. */
void database_file_rollback(struct database_file *file)
{
	if (!sqlite3_get_autocommit(file->sqlite))
		(void)run(file, STATEMENT_ROLLBACK);
}

int database_file_commit(struct database_file *file, bool *ret_is_undecided)
{
	sqlite3_stmt *statement = file->statements[STATEMENT_COMMIT];
	int rc = step(statement);
	int r = finish(statement, rc);

	if (r < 0)
		database_file_rollback(file);
	*ret_is_undecided = r < 0 && !is_certainly_undone(rc, r);
	return r;
}

/* ---- rows ---- */

int database_file_set(struct database_file *file, const char *name, uint64_t value)
{
	sqlite3_stmt *statement = file->statements[STATEMENT_SET];

	(void)sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
	bind_number(statement, 2, value);
	return run(file, STATEMENT_SET);
}

int database_file_find(struct database_file *file, struct slice key, uint64_t *ret_revision)
{
	sqlite3_stmt *statement = file->statements[STATEMENT_FIND];
	uint64_t revision = 0;
	int rc, r;

	bind_slice(statement, 1, key);
	rc = step(statement);
	if (rc == SQLITE_ROW)
		revision = (uint64_t)sqlite3_column_int64(statement, 0);
	r = finish(statement, rc);
	if (r == 0)
		*ret_revision = revision;
	return r;
}

int database_file_put(struct database_file *file, struct slice key, struct slice value,
		      uint64_t revision)
{
	sqlite3_stmt *statement = file->statements[STATEMENT_PUT];

	bind_slice(statement, 1, key);
	bind_slice(statement, 2, value);
	bind_number(statement, 3, revision);
	return run(file, STATEMENT_PUT);
}

int database_file_delete(struct database_file *file, struct slice key)
{
	bind_slice(file->statements[STATEMENT_DELETE], 1, key);
	return run(file, STATEMENT_DELETE);
}

static struct slice column(sqlite3_stmt *statement, int index)
{
	const void *bytes = sqlite3_column_blob(statement, index);

	return slice_make(bytes ? bytes : "", (size_t)sqlite3_column_bytes(statement, index));
}

/* The rows with the prefix are neighbours, and the first of them is the first that is not less. */
int database_file_list(struct database_file *file, struct slice prefix,
		       void (*visit)(void *context, struct slice key, struct slice value,
				     uint64_t revision),
		       void *context)
{
	sqlite3_stmt *statement = file->statements[STATEMENT_LIST];
	int rc;

	bind_slice(statement, 1, prefix);
	while ((rc = step(statement)) == SQLITE_ROW) {
		struct slice key = column(statement, 0);

		if (!slice_starts_with(key, prefix))
			break;
		visit(context, key, column(statement, 1),
		      (uint64_t)sqlite3_column_int64(statement, 2));
	}
	return finish(statement, rc);
}
