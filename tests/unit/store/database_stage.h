/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_STORE_DATABASE_STAGE_H
#define TESTS_UNIT_STORE_DATABASE_STAGE_H

/*
 * The stage for tests of kernel/store/definitions/database.h: a folder with the file, and an engine behind the
 * store's door that has its definitions in the database and its logs in memory, to be used with
 * stage_set() of fixture.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/definitions/database.h"
#include "store/store.h"

/* ---- the folder and the file ---- */

extern char path[128]; /* of the file */
extern char reason[256];

void make_folder(void);
/* Fails if there is more in it than a database and its log. */
void remove_folder(void);
/* A folder with a database that was closed. */
void make_file(void);
/* By another program, as it were. */
void run_sql(const char *text);

struct file_bytes {
	uint8_t *bytes; /* mem_free() */
	size_t size;
};
struct file_bytes read_file(const char *suffix);
void write_file(const char *suffix, const void *bytes, size_t size);

/* ---- the engine ---- */

/* The test program's first test. */
void set_up(void);
/* As the end of the process and a new start; one loop. */
void reopen(void);
struct database *the_database(void);

/* ---- definitions ---- */

struct committing {
	struct store_commit commit;
	struct store_change change;
	enum store_result result;
	uint64_t revision;
	unsigned order; /* of completion */
	bool is_done;
};
extern unsigned n_done;

void done(struct store_commit *commit, enum store_result result, uint64_t revision);
/* A commit of one change; value NULL is a deletion. */
void start(struct committing *c, const char *key, const char *value, uint64_t expected);
enum store_result put_one(const char *key, const char *value, uint64_t expected,
			  uint64_t *ret_revision);

struct counted {
	size_t n;
	char text[200]; /* of the first few: "key=value;" */
};
struct counted load(const char *prefix);
/* What would be there after a kill at this moment: loaded from a copy of the files. */
struct counted load_after_kill(uint64_t *ret_next_id);

#endif
