/* SPDX-License-Identifier: MIT */
#include "database_stage.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "contract.h"
#include "fixture.h"
#include "store/engine.h"

#include "../unit.h"

/* ---- the folder and the file ---- */

static char folder[64];
char path[128];
char reason[256];

void make_folder(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/test_database.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/definitions.db", folder);
}

static void remove_file(const char *suffix)
{
	char *name = mem_printf("%s%s", path, suffix);

	(void)unlink(name);
	mem_free(name);
}

void remove_folder(void)
{
	remove_file("");
	remove_file("-wal");
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

struct file_bytes read_file(const char *suffix)
{
	struct file_bytes content = {NULL, 0};
	char *name = mem_printf("%s%s", path, suffix);
	FILE *file = fopen(name, "rb");
	struct stat status;

	mem_free(name);
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL_FATAL(fstat(fileno(file), &status), 0);
	content.size = (size_t)status.st_size;
	content.bytes = mem_alloc(content.size);
	CU_ASSERT_EQUAL(fread(content.bytes, 1, content.size, file), content.size);
	(void)fclose(file);
	return content;
}

void write_file(const char *suffix, const void *bytes, size_t size)
{
	char *name = mem_printf("%s%s", path, suffix);
	FILE *file = fopen(name, "wb");

	mem_free(name);
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(fwrite(bytes, 1, size, file), size);
	CU_ASSERT_EQUAL(fclose(file), 0);
}

void make_file(void)
{
	struct database *db;

	make_folder();
	CU_ASSERT_EQUAL_FATAL(database_open(path, 1, &db, reason, sizeof(reason)), 0);
	CU_ASSERT_EQUAL(database_close(db, true), 0);
}

void run_sql(const char *text)
{
	sqlite3 *sqlite = NULL;

	CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &sqlite), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_exec(sqlite, text, NULL, NULL, NULL), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_close(sqlite), SQLITE_OK);
}

/* ---- an engine: definitions in the database, logs in memory ---- */

struct engine {
	struct store store; /* first */
	struct store *memory;
	struct database *database;
};

static struct engine *the_engine;
static bool must_keep; /* the file, when the engine is destroyed */

static struct database *database_of(struct store *store)
{
	return container_of(store, struct engine, store)->database;
}

static void engine_commit(struct store *store, struct store_commit *commit)
{
	database_commit(database_of(store), commit);
}

static int engine_load(struct store *store, struct slice prefix,
		       void (*visit)(void *context, struct slice key, struct slice value,
				     uint64_t revision),
		       void *context)
{
	return database_load(database_of(store), prefix, visit, context);
}

static void engine_watch(struct store *store, struct store_watch *watch)
{
	database_watch(database_of(store), watch);
}

static void engine_unwatch(struct store *store, struct store_watch *watch)
{
	database_unwatch(database_of(store), watch);
}

static uint64_t engine_ids(struct store *store, unsigned n)
{
	return database_ids(database_of(store), n);
}

static void engine_destroy(struct store *store)
{
	struct engine *engine = container_of(store, struct engine, store);

	CU_ASSERT_EQUAL(database_close(engine->database, true), 0);
	store_destroy(engine->memory);
	mem_free(engine);
	the_engine = NULL;
	if (!must_keep)
		remove_folder();
}

static const struct store_engine_ops engine_ops = {
	.name = "database",
	.commit = engine_commit,
	.load = engine_load,
	.watch = engine_watch,
	.unwatch = engine_unwatch,
	.ids = engine_ids,
	.destroy = engine_destroy,
};

/* The logs are the memory engine's own: they know its functions. */
static struct store *open_engine(unsigned n_logs)
{
	struct engine *engine = mem_zalloc(sizeof(*engine));
	int r = database_open(path, n_logs, &engine->database, reason, sizeof(reason));

	if (r < 0)
		printf("(%s) ", reason);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	engine->memory = store_memory_create(n_logs);
	engine->store =
		(struct store){.ops = &engine_ops, .logs = engine->memory->logs, .n_logs = n_logs};
	the_engine = engine;
	return &engine->store;
}

static struct store *create_engine(unsigned n_logs)
{
	make_folder();
	return open_engine(n_logs);
}

void set_up(void)
{
	(void)signal(SIGXFSZ, SIG_IGN);
	contract_use(create_engine);
}

struct database *the_database(void)
{
	return the_engine->database;
}

void reopen(void)
{
	must_keep = true;
	stage_clear();
	must_keep = false;
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	the_store = open_engine(1);
}

/* ---- commits ---- */

unsigned n_done;

void done(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct committing *c = container_of(commit, struct committing, commit);

	CU_ASSERT_FALSE(c->is_done);
	c->result = result;
	c->revision = revision;
	c->order = n_done++;
	c->is_done = true;
}

void start(struct committing *c, const char *key, const char *value, uint64_t expected)
{
	*c = (struct committing){.change = {.key = slice_cstr(key),
					    .value = value ? slice_cstr(value) : SLICE_EMPTY,
					    .expected_revision = expected}};
	c->commit = (struct store_commit){.changes = &c->change, .n_changes = 1, .done = done};
	store_commit(the_store, &c->commit);
}

enum store_result put_one(const char *key, const char *value, uint64_t expected,
			  uint64_t *ret_revision)
{
	struct committing c;

	start(&c, key, value, expected);
	wait_for(&c.is_done);
	if (ret_revision)
		*ret_revision = c.revision;
	return c.result;
}

static void count(void *context, struct slice key, struct slice value, uint64_t revision)
{
	struct counted *counted = context;
	size_t used = strlen(counted->text);

	counted->n++;
	CU_ASSERT_TRUE(revision > 0);
	(void)snprintf(counted->text + used, sizeof(counted->text) - used,
		       SLICE_FMT "=" SLICE_FMT ";", SLICE_ARG(key), SLICE_ARG(value));
}

struct counted load(const char *prefix)
{
	struct counted counted = {.n = 0};

	CU_ASSERT_EQUAL(store_definitions_load(the_store, slice_cstr(prefix), count, &counted), 0);
	return counted;
}

struct counted load_after_kill(uint64_t *ret_next_id)
{
	struct file_bytes file = read_file(""), log = read_file("-wal");
	char folder_before[sizeof(folder)], path_before[sizeof(path)];
	struct counted counted = {.n = 0};
	struct database *db;

	memcpy(folder_before, folder, sizeof(folder));
	memcpy(path_before, path, sizeof(path));
	make_folder();
	write_file("", file.bytes, file.size);
	write_file("-wal", log.bytes, log.size);
	mem_free(file.bytes);
	mem_free(log.bytes);
	CU_ASSERT_EQUAL_FATAL(database_open(path, 1, &db, reason, sizeof(reason)), 0);
	CU_ASSERT_EQUAL(database_load(db, SLICE_EMPTY, count, &counted), 0);
	if (ret_next_id)
		*ret_next_id = database_state(db)->next_id;
	CU_ASSERT_EQUAL(database_close(db, true), 0);
	remove_folder();
	memcpy(folder, folder_before, sizeof(folder));
	memcpy(path, path_before, sizeof(path));
	return counted;
}
