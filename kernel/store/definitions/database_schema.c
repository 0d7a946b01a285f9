/* SPDX-License-Identifier: MIT */
#include "store/definitions/database_file.h"

/*
 * Making, checking and upgrading the file.
 *
 * A new file is made whole under another name and then renamed, so that a file of the right name
 * always is one of ours with its tables: nothing needs guessing when the process was killed midway.
 *
 * A file that is there is first read by hand, as SQLite would replay the journal of a file that is
 * not ours. Then it is opened in exclusive mode, so nobody else can change it and no shared memory
 * is needed, and without the right to move its write-ahead log into it, until all checks have
 * passed.
 */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"

#define APPLICATION_ID 1399352948 /* "Shnt" */
#define HEADER_SIZE    100
#define OFFSET_OF_ID   68 /* in the header, big endian */
#define MAGIC	       "SQLite format 3"

/* upgrades[i] brings the tables from version i to i + 1. Never changed, only added to. */
static const char *const upgrades[] = {
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value);"
	"CREATE TABLE definition(key BLOB PRIMARY KEY, value BLOB NOT NULL,"
	" revision INTEGER NOT NULL) WITHOUT ROWID;",
};
#define VERSION (sizeof(upgrades) / sizeof(upgrades[0]))

#define TEXT_OF(number) "" #number
#define TEXT(number)	TEXT_OF(number)
static const char set_application_id[] = "PRAGMA application_id = " TEXT(APPLICATION_ID);

static const char new_rows[] =
	"INSERT INTO meta(name, value) VALUES ('log_generation', 0), ('log_count', 0),"
	" ('next_id', 1), ('revision', 0), ('is_clean', 1), ('store_id', x'%s')";

/*
 * A transaction is on the disk when its COMMIT returns (FULL). The log that it was written to is
 * cut to the limit when it has been moved into the file.
 */
static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA cell_size_check = ON;"
			       "PRAGMA wal_autocheckpoint = 4000;"
			       "PRAGMA journal_size_limit = 16777216;"
			       "PRAGMA cache_size = -16384;";

struct opening {
	const char *path;
	struct database_file file;
	struct database_meta meta;
	char *reason;
	size_t reason_size;
};

static int refuse(const struct opening *o, int r, const char *reason)
{
	(void)snprintf(o->reason, o->reason_size, "%s", reason);
	return r;
}

static int refuse_errno(const struct opening *o, int r, const char *what)
{
	(void)snprintf(o->reason, o->reason_size, "%s: %s", what, strerror(-r));
	return r;
}

/* What SQLite says about its last failure. */
static int refuse_sqlite(const struct opening *o, int rc)
{
	int r = o->file.sqlite ? database_file_error(rc) : -ENOMEM;

	if (r == -EBUSY)
		return refuse(o, r, "in use by another process");
	(void)snprintf(o->reason, o->reason_size, "%s%s", r == -EUCLEAN ? "damaged: " : "",
		       o->file.sqlite ? sqlite3_errmsg(o->file.sqlite) : "out of memory");
	return r;
}

static int execute(struct opening *o, const char *text)
{
	int rc;

	errno = 0;
	rc = sqlite3_exec(o->file.sqlite, text, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : refuse_sqlite(o, rc);
}

static int allow_checkpoints(struct opening *o, bool is_allowed)
{
	int rc = sqlite3_db_config(o->file.sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
				   is_allowed ? 0 : 1, NULL);

	return rc == SQLITE_OK ? 0 : refuse_sqlite(o, rc);
}

static int connect_to(struct opening *o, const char *path)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int rc, r;

	errno = 0;
	rc = sqlite3_open_v2(path, &o->file.sqlite, flags, NULL);
	r = rc == SQLITE_OK ? allow_checkpoints(o, false) : refuse_sqlite(o, rc);
	return r == 0 ? execute(o, settings) : r;
}

/* ---- versions ---- */

static int upgrade_step(struct opening *o, size_t version)
{
	char text[64];
	int r = execute(o, upgrades[version]);

	if (r < 0)
		return r;
	(void)snprintf(text, sizeof(text), "PRAGMA user_version = %zu", version + 1);
	return execute(o, text);
}

/* All steps or none. Closing the file is what rolls back. */
static int upgrade(struct opening *o, size_t version, const char *more)
{
	int r = execute(o, "BEGIN IMMEDIATE");

	for (; r == 0 && version < VERSION; version++)
		r = upgrade_step(o, version);
	if (r == 0 && more)
		r = execute(o, more);
	return r == 0 ? execute(o, "COMMIT") : r;
}

static int get_version(struct opening *o, size_t *ret_version)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(o->file.sqlite, "PRAGMA user_version", -1, &statement, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(statement);
		if (rc == SQLITE_ROW)
			*ret_version = (size_t)sqlite3_column_int(statement, 0);
		(void)sqlite3_finalize(statement);
	}
	return rc == SQLITE_ROW ? 0 : refuse_sqlite(o, rc);
}

/* A version below zero, which nobody writes, comes as a very large one. */
static int check_version(struct opening *o)
{
	size_t version = 0;
	int r = get_version(o, &version);

	if (r < 0)
		return r;
	if (version == 0)
		return refuse(o, -EUCLEAN, "damaged: it has no version");
	if (version > VERSION) {
		(void)snprintf(o->reason, o->reason_size,
			       "written by a later version of Shunt (schema %zu, known is %zu)",
			       version, VERSION);
		return -ENOTSUP;
	}
	return version < VERSION ? upgrade(o, version, NULL) : 0;
}

/* ---- meta ---- */

static bool take_number(sqlite3_stmt *row, uint64_t *ret_number)
{
	if (sqlite3_column_type(row, 1) != SQLITE_INTEGER || sqlite3_column_int64(row, 1) < 0)
		return false;
	*ret_number = (uint64_t)sqlite3_column_int64(row, 1);
	return true;
}

static bool take_store_id(sqlite3_stmt *row, uint8_t *ret_id)
{
	const void *bytes = sqlite3_column_blob(row, 1);

	if (!bytes || sqlite3_column_bytes(row, 1) != DATABASE_STORE_ID_SIZE)
		return false;
	memcpy(ret_id, bytes, DATABASE_STORE_ID_SIZE);
	return true;
}

/* The rows come in the order of these names. */
static const char meta_query[] =
	"SELECT name, value FROM meta WHERE name IN ('is_clean', 'log_count', 'log_generation',"
	" 'next_id', 'revision', 'store_id') ORDER BY name";

static bool take_rows(sqlite3_stmt *rows, struct database_meta *ret_meta)
{
	struct database_state *state = &ret_meta->state;
	uint64_t is_clean = 0, *const numbers[] = {&is_clean, &state->log_count,
						   &state->log_generation, &state->next_id,
						   &ret_meta->revision};
	const size_t n_numbers = sizeof(numbers) / sizeof(numbers[0]);

	for (size_t i = 0; i <= n_numbers; i++) {
		if (sqlite3_step(rows) != SQLITE_ROW)
			return false;
		if (i < n_numbers ? !take_number(rows, numbers[i])
				  : !take_store_id(rows, state->store_id))
			return false;
	}
	state->was_clean = is_clean != 0;
	return state->next_id > 0;
}

static int read_meta(struct opening *o)
{
	sqlite3_stmt *rows;
	bool is_whole;
	int rc = sqlite3_prepare_v2(o->file.sqlite, meta_query, -1, &rows, NULL);

	if (rc != SQLITE_OK)
		return refuse_sqlite(o, rc);
	is_whole = take_rows(rows, &o->meta);
	rc = sqlite3_finalize(rows);
	if (rc != SQLITE_OK)
		return refuse_sqlite(o, rc);
	return is_whole ? 0
			: refuse(o, -EUCLEAN, "damaged: something is missing in its table meta");
}

/* ---- a file that is there ---- */

static int check_header(struct opening *o)
{
	uint8_t header[HEADER_SIZE];
	const uint8_t *id = header + OFFSET_OF_ID;
	int fd = open(o->path, O_RDWR | O_CLOEXEC);
	ssize_t size;
	int error;

	if (fd < 0)
		return refuse_errno(o, -errno, "cannot be opened");
	size = pread(fd, header, sizeof(header), 0);
	error = errno;
	(void)close(fd);
	if (size < 0)
		return refuse_errno(o, -error, "cannot be read");
	if (size < HEADER_SIZE || memcmp(header, MAGIC, sizeof(MAGIC)) != 0)
		return refuse(o, -EUCLEAN, "damaged, or not a database");
	if (((uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3]) !=
	    APPLICATION_ID)
		return refuse(o, -EUCLEAN, "a database of another program");
	return 0;
}

static int open_present(struct opening *o)
{
	int r = check_header(o);

	if (r == 0)
		r = connect_to(o, o->path);
	if (r == 0)
		r = check_version(o);
	if (r == 0)
		r = read_meta(o);
	if (r == 0) {
		r = database_file_prepare(&o->file);
		if (r < 0)
			(void)refuse_sqlite(o, sqlite3_extended_errcode(o->file.sqlite));
	}
	/* Of no effect unless somebody has set it otherwise. */
	if (r == 0)
		r = execute(o, "PRAGMA journal_mode = WAL");
	if (r == 0)
		r = allow_checkpoints(o, true);
	return r;
}

/* ---- a new file ---- */

static int create_empty(const struct opening *o, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	if (fd < 0)
		return refuse_errno(o, -errno, "cannot be created");
	(void)close(fd);
	return 0;
}

static int fill(struct opening *o, const char *path)
{
	uint8_t id[DATABASE_STORE_ID_SIZE];
	char text[sizeof(new_rows) + 2 * sizeof(id)], hex[2 * sizeof(id) + 1];
	int r = connect_to(o, path);

	if (r < 0)
		return r;
	random_bytes(id, sizeof(id));
	for (size_t i = 0; i < sizeof(id); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", id[i]);
	(void)snprintf(text, sizeof(text), new_rows, hex);
	r = execute(o, set_application_id);
	if (r == 0)
		r = upgrade(o, 0, text);
	if (r == 0)
		r = execute(o, "PRAGMA journal_mode = WAL");
	return r == 0 ? allow_checkpoints(o, true) : r;
}

static int sync_folder(const struct opening *o)
{
	char *copy = mem_strdup(o->path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	mem_free(copy);
	if (fd < 0 || fsync(fd) != 0)
		r = refuse_errno(o, -errno, "its folder cannot be written");
	if (fd >= 0)
		(void)close(fd);
	return r;
}

static void remove_with_suffix(const char *path, const char *suffix)
{
	char *name = mem_printf("%s%s", path, suffix);

	(void)unlink(name);
	mem_free(name);
}

static int create(struct opening *o)
{
	char *path = mem_printf("%s.new", o->path);
	int r;

	/* What is left of an earlier try would be taken for a part of this one. */
	remove_with_suffix(path, "-journal");
	remove_with_suffix(path, "-wal");
	r = create_empty(o, path);
	if (r == 0) {
		r = fill(o, path);
		database_file_close(&o->file);
	}
	if (r == 0 && rename(path, o->path) != 0)
		r = refuse_errno(o, -errno, "cannot be created");
	if (r < 0) {
		remove_with_suffix(path, "");
		remove_with_suffix(path, "-journal");
		remove_with_suffix(path, "-wal");
	}
	mem_free(path);
	return r == 0 ? sync_folder(o) : r;
}

/* A log without its file belongs to something that was lost, or is about to be put back. */
static int check_nothing_is_left(struct opening *o)
{
	static const char *const suffixes[] = {"-wal", "-journal"};
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++) {
		char *name = mem_printf("%s%s", o->path, suffixes[i]);
		struct stat status;

		if (stat(name, &status) == 0 && status.st_size > 0) {
			(void)snprintf(o->reason, o->reason_size,
				       "missing or empty, but its %s file is there", suffixes[i]);
			r = -EUCLEAN;
		}
		mem_free(name);
	}
	return r;
}

static int open_or_create(struct opening *o)
{
	struct stat status;
	bool is_there = stat(o->path, &status) == 0;
	int r = 0;

	if (!is_there && errno != ENOENT)
		return refuse_errno(o, -errno, "cannot be opened");
	if (is_there && status.st_size > 0)
		return open_present(o);
	r = check_nothing_is_left(o);
	if (r == 0)
		r = create(o);
	if (r == 0)
		r = open_present(o);
	o->meta.state.is_new = true;
	return r;
}

int database_file_open(const char *path, struct database_file *ret_file,
		       struct database_meta *ret_meta, char *ret_reason, size_t reason_size)
{
	struct opening o = {.path = path, .reason = ret_reason, .reason_size = reason_size};
	int r = open_or_create(&o);

	if (r < 0) {
		database_file_close(&o.file);
		return r;
	}
	*ret_file = o.file;
	*ret_meta = o.meta;
	return 0;
}
