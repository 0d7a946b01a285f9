/* SPDX-License-Identifier: MIT */
#include "store/disk_store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "store/log/disk_log.h"
#include "store/engine.h"

/*
 * The engine on disk: a database for the definitions, a log for each loop. They keep a common order
 * by what the broker does: a queue's definition is committed before anything of it is appended, and
 * is deleted before its number in the log is given up.
 */

struct disk_store {
	struct store store; /* first */
	struct store_options options;
	char *path;
	struct database *database;
	bool was_clean;
	_Atomic uint64_t n_epochs;
};

static struct disk_store *store_of(const struct store *store)
{
	return container_of((struct store *)(uintptr_t)store, struct disk_store, store);
}

static struct disk_log *log_of(struct store *store, unsigned i)
{
	return container_of(store->logs[i], struct disk_log, log);
}

/* ---- Definitions ---- */

static void commit(struct store *store, struct store_commit *store_commit)
{
	database_commit(store_of(store)->database, store_commit);
}

static int load(struct store *store, struct slice prefix,
		void (*visit)(void *context, struct slice key, struct slice value,
			      uint64_t revision),
		void *context)
{
	return database_load(store_of(store)->database, prefix, visit, context);
}

static void watch(struct store *store, struct store_watch *store_watch)
{
	database_watch(store_of(store)->database, store_watch);
}

static void unwatch(struct store *store, struct store_watch *store_watch)
{
	database_unwatch(store_of(store)->database, store_watch);
}

static uint64_t ids(struct store *store, unsigned n)
{
	return database_ids(store_of(store)->database, n);
}

static bool is_clean(const struct store *store)
{
	return store_of(store)->was_clean;
}

/* ---- Life ---- */

struct finishing {
	struct disk_log *log;
	int result;
};

static void finish_log(void *argument)
{
	struct finishing *finishing = argument;

	finishing->result = disk_log_finish(finishing->log);
}

static void destroy_log(void *argument)
{
	disk_log_destroy(argument);
}

static void report_unclean(const struct disk_store *s)
{
	const struct store_report report = {
		.is_error = true,
		.path = s->path,
		.reason = "the store has not come to a clean end; the next start reads it as "
			  "after a crash"};

	if (s->options.report)
		s->options.report(s->options.context, &report);
}

static void destroy(struct store *store)
{
	struct disk_store *s = store_of(store);
	bool clean = true;

	for (unsigned i = 0; i < store->n_logs; i++) {
		struct finishing finishing = {.log = log_of(store, i)};

		loop_pool_visit(i, finish_log, &finishing);
		clean &= finishing.result == 0;
	}
	/* As long as nobody has led a log, what it was before is still so. */
	bool leaves_clean = clean && (s->was_clean || atomic_load(&s->n_epochs) > 0);
	if (database_close(s->database, leaves_clean) < 0 || !clean)
		report_unclean(s);
	/* What the ends of commits have asked for. */
	for (unsigned i = 0; i < store->n_logs; i++) {
		struct finishing finishing = {.log = log_of(store, i)};

		loop_pool_visit(i, finish_log, &finishing);
		loop_pool_visit(i, destroy_log, log_of(store, i));
	}
	mem_free(store->logs);
	mem_free(s->path);
	mem_free(s);
}

static const struct store_engine_ops disk_ops = {
	.name = "disk",
	.append = disk_log_append,
	.read = disk_log_read,
	.recover = disk_log_recover,
	.barrier = disk_log_barrier,
	.compact = disk_log_compact,
	.lead = disk_log_lead,
	.release = disk_log_release,
	.stats = disk_log_stats,
	.commit = commit,
	.load = load,
	.watch = watch,
	.unwatch = unwatch,
	.ids = ids,
	.is_clean = is_clean,
	.destroy = destroy,
};

struct creating {
	struct disk_store *store;
	struct disk_found *found;
	unsigned index;
	int result;
};

static void create_log(void *argument)
{
	struct creating *c = argument;
	struct disk_log *log;

	c->result =
		disk_log_create(&c->store->store, c->index, &c->store->options, &c->store->n_epochs,
				&c->found->folder, &c->found->ledger, &c->found->before, &log);
	if (c->result == 0)
		c->store->store.logs[c->store->store.n_logs++] = &log->log;
}

static int create_logs(struct disk_store *s, struct disk_found *found, char *ret_reason,
		       size_t size)
{
	int r = 0;

	s->store.logs = mem_zalloc(s->options.n_logs * sizeof(*s->store.logs));
	for (unsigned i = 0; i < s->options.n_logs; i++) {
		struct creating creating = {.store = s, .found = &found[i], .index = i};

		if (r == 0)
			loop_pool_visit(i, create_log, &creating);
		if (r < 0 || creating.result < 0)
			disk_found_fini(&found[i]);
		r = r < 0 ? r : creating.result;
	}
	mem_free(found);
	if (r < 0)
		snprintf(ret_reason, size, "path=\"%s\" reason=\"no thread: %s\"", s->path,
			 strerror(-r));
	return r;
}

static int open_database(struct disk_store *s, char *ret_reason, size_t size)
{
	char *path = mem_printf("%s/definitions.db", s->path);
	char reason[256] = "";
	int r = disk_folders_check_database(&s->options, path, ret_reason, size);

	if (r == 0) {
		r = database_open(path, s->options.n_logs, &s->database, reason, sizeof(reason));
		if (r < 0)
			snprintf(ret_reason, size, "path=\"%s\" reason=\"%s\"", path, reason);
	}
	mem_free(path);
	return r;
}

static int open_all(struct disk_store *s, char *ret_reason, size_t size)
{
	struct disk_found *found = NULL;
	int r = open_database(s, ret_reason, size);

	if (r < 0)
		return r;
	s->was_clean = database_state(s->database)->was_clean;
	r = disk_folders_open(&s->options, s->database, &found, ret_reason, size);
	if (r < 0)
		return r;
	/* Until the end says otherwise. */
	r = database_set_clean(s->database, false);
	if (r < 0)
		snprintf(ret_reason, size,
			 "path=\"%s\" reason=\"the database cannot be written: %s\"", s->path,
			 strerror(-r));
	if (r == 0)
		return create_logs(s, found, ret_reason, size);
	for (unsigned i = 0; i < s->options.n_logs; i++)
		disk_found_fini(&found[i]);
	mem_free(found);
	return r;
}

/* What was found stays as it was: also whether it was clean. */
static void give_up(struct disk_store *s)
{
	for (unsigned i = 0; i < s->store.n_logs; i++) {
		struct finishing finishing = {.log = log_of(&s->store, i)};

		loop_pool_visit(i, finish_log, &finishing);
		loop_pool_visit(i, destroy_log, log_of(&s->store, i));
	}
	if (s->database)
		(void)!database_close(s->database, s->was_clean); /* told already */
	mem_free(s->store.logs);
	mem_free(s->path);
	mem_free(s);
}

int store_disk_open(const struct store_options *options, struct store **ret_store, char *ret_reason,
		    size_t reason_size)
{
	struct disk_store *s = mem_zalloc(sizeof(*s));
	int r;

	s->store.ops = &disk_ops;
	s->options = *options;
	s->path = mem_strdup(options->path);
	s->options.path = s->path;
	atomic_init(&s->n_epochs, 0);
	r = open_all(s, ret_reason, reason_size);
	if (r < 0) {
		give_up(s);
		return r;
	}
	*ret_store = &s->store;
	return 0;
}
