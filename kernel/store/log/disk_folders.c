/* SPDX-License-Identifier: MIT */
#include "store/disk_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/disk.h"
#include "store/log/recovery.h"
#include "store/log/rewrite.h"
#include "store/thread.h"

/*
 * Logs are in log-GENERATION-INDEX. When their number changes, those of the next generation are
 * written beside the old ones, then the database names them, in one transaction, and then the old
 * ones go. A crash before that leaves folders of a generation to come, one after it folders of the
 * last: both are removed at the next start, as long as those that the database names are all there.
 */

struct opening {
	const struct store_options *options;
	struct database *database;
	uint64_t generation;
	uint64_t count;
	char *reason;
	size_t size;
};

static int fail(const struct opening *o, int error, const char *path, const char *what)
{
	snprintf(o->reason, o->size, "path=\"%s\" reason=\"%s\"", path, what);
	return error;
}

static char *folder_path(const struct opening *o, uint64_t generation, uint64_t index)
{
	return mem_printf("%s/log-%" PRIu64 "-%" PRIu64, o->options->path, generation, index);
}

/* Only names that folder_path() gives. */
static bool read_name(const char *name, uint64_t *ret_generation, uint64_t *ret_index)
{
	char again[64];

	if (sscanf(name, "log-%" SCNu64 "-%" SCNu64, ret_generation, ret_index) != 2)
		return false;
	(void)snprintf(again, sizeof(again), "log-%" PRIu64 "-%" PRIu64, *ret_generation,
		       *ret_index);
	return strcmp(name, again) == 0;
}

/* ---- Removing ---- */

static int remove_file(void *context, const char *name)
{
	char *path = mem_printf("%s/%s", (const char *)context, name);
	int r = disk_unlink(path);

	mem_free(path);
	return r;
}

static int remove_folder(const char *path)
{
	int r = disk_list(path, remove_file, (void *)(uintptr_t)path);

	return r < 0 ? r : disk_remove_dir(path);
}

struct sweep {
	const struct opening *o;
	bool only_looks;
	bool has_found;
};

static int sweep_one(void *context, const char *name)
{
	struct sweep *sweep = context;
	uint64_t generation, index;
	char *path;
	int r;

	if (!read_name(name, &generation, &index))
		return 0;
	sweep->has_found = true;
	if (sweep->only_looks || (generation == sweep->o->generation && index < sweep->o->count))
		return 0;
	path = folder_path(sweep->o, generation, index);
	r = remove_folder(path);
	if (r < 0)
		r = fail(sweep->o, r, path, strerror(-r));
	mem_free(path);
	return r;
}

/* Folders that are not the database's. */
static int sweep(const struct opening *o)
{
	struct sweep context = {.o = o};

	return disk_list(o->options->path, sweep_one, &context);
}

/* An empty file is none: ours are never empty. */
static int look_at_database(const char *path)
{
	uint64_t size = 0;
	int fd;
	int r = disk_open(path, O_RDONLY, &fd);

	if (r < 0)
		return r;
	r = disk_size(fd, &size);
	(void)disk_close(fd);
	return r == 0 && size == 0 ? -ENOENT : r;
}

int disk_folders_check_database(const struct store_options *options, const char *database_path,
				char *ret_reason, size_t size)
{
	const struct opening o = {.options = options, .reason = ret_reason, .size = size};
	struct sweep context = {.o = &o, .only_looks = true};
	int r = look_at_database(database_path);

	if (r == 0)
		return 0;
	if (r != -ENOENT)
		return fail(&o, r, database_path, strerror(-r));
	r = disk_list(options->path, sweep_one, &context);
	if (r < 0)
		return fail(&o, r, options->path, strerror(-r));
	return context.has_found ? fail(&o, -EUCLEAN, database_path,
					"the database is missing or empty, and there are logs that "
					"belong to it")
				 : 0;
}

/* ---- Making ---- */

static int make_folders(const struct opening *o, uint64_t generation, uint64_t count)
{
	int r = 0;

	for (uint64_t i = 0; i < count && r == 0; i++) {
		char *path = folder_path(o, generation, i);

		r = disk_make_dir(path);
		/* An earlier try. */
		if (r == -EEXIST && (r = remove_folder(path)) == 0)
			r = disk_make_dir(path);
		if (r < 0)
			r = fail(o, r, path, strerror(-r));
		mem_free(path);
	}
	if (r == 0) {
		r = disk_sync_dir(o->options->path);
		if (r < 0)
			r = fail(o, r, o->options->path, strerror(-r));
	}
	return r;
}

static int name_logs(struct opening *o, uint64_t generation, uint64_t count)
{
	int r = database_set_logs(o->database, generation, count);

	if (r < 0)
		return fail(o, r, o->options->path, "the database cannot be written");
	o->generation = generation;
	o->count = count;
	return 0;
}

static int find_any(void *context, const char *name)
{
	(void)context, (void)name;
	return -EUCLEAN;
}

/* In a folder of a log there is something. */
static int check_empty(void *context, const char *name)
{
	const struct opening *o = context;
	uint64_t generation, index;
	char *path;
	int r;

	if (!read_name(name, &generation, &index))
		return 0;
	path = folder_path(o, generation, index);
	r = disk_list(path, find_any, NULL);
	if (r < 0)
		r = fail(o, r, path,
			 r == -EUCLEAN ? "the database knows nothing of this log" : strerror(-r));
	mem_free(path);
	return r;
}

/* An earlier try may have left empty folders. */
static int begin_anew(struct opening *o)
{
	int r = disk_list(o->options->path, check_empty, o);

	if (r == 0)
		r = make_folders(o, 1, o->options->n_logs);
	return r < 0 ? r : name_logs(o, 1, o->options->n_logs);
}

/* ---- Reading ---- */

static struct segment_folder folder_of(const struct opening *o, uint64_t generation, uint64_t index)
{
	struct segment_folder folder = {
		.path = folder_path(o, generation, index),
		.generation = (uint32_t)generation,
		.log = (uint32_t)index,
		.segment_size = o->options->segment_size,
	};

	memcpy(folder.store_id, database_state(o->database)->store_id, SEGMENT_ID_SIZE);
	return folder;
}

void disk_found_fini(struct disk_found *found)
{
	segment_folder_fini(&found->folder);
	ledger_fini(&found->ledger);
}

static void free_found(struct disk_found *found, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		disk_found_fini(&found[i]);
	mem_free(found);
}

/* One thread for each log, some at a time: each has a segment in memory. */
#define READERS_MAX 8u

struct reading {
	const struct opening *o;
	struct recovery_options recovery;
	struct disk_found *found;
	pthread_t thread;
	bool has_thread;
	int result;
	char reason[512];
};

static void *read_log(void *argument)
{
	struct reading *reading = argument;

	reading->result =
		recovery_run(&reading->found->folder, &reading->recovery, &reading->found->ledger,
			     &reading->found->before, reading->reason, sizeof(reading->reason));
	return NULL;
}

static void begin_reading(struct reading *reading)
{
	reading->has_thread = thread_start(&reading->thread, read_log, reading) == 0;
	if (!reading->has_thread)
		(void)read_log(reading);
}

/* *r: the first failure stays. */
static void wait_for(struct reading *reading, int *r)
{
	if (reading->has_thread)
		(void)pthread_join(reading->thread, NULL);
	if (reading->result == 0 || *r < 0)
		return;
	*r = reading->result;
	snprintf(reading->o->reason, reading->o->size, "%s", reading->reason);
}

static int read_logs(const struct opening *o, struct disk_found **ret_found)
{
	struct disk_found *found = mem_zalloc(o->count * sizeof(*found));
	struct reading *readings = mem_zalloc(o->count * sizeof(*readings));
	char *damaged = mem_printf("%s/damaged", o->options->path);
	int r = 0;

	for (uint64_t i = 0; i < o->count; i++) {
		if (i >= READERS_MAX)
			wait_for(&readings[i - READERS_MAX], &r);
		found[i].folder = folder_of(o, o->generation, i);
		ledger_init(&found[i].ledger);
		readings[i] = (struct reading){
			.o = o,
			.found = &found[i],
			.recovery = {.next_id = database_state(o->database)->next_id,
				     .was_clean = database_state(o->database)->was_clean,
				     .damaged_path = damaged,
				     .report = o->options->report,
				     .context = o->options->context},
		};
		begin_reading(&readings[i]);
	}
	for (uint64_t i = o->count > READERS_MAX ? o->count - READERS_MAX : 0; i < o->count; i++)
		wait_for(&readings[i], &r);
	mem_free(damaged);
	mem_free(readings);
	if (r < 0)
		free_found(found, o->count);
	else
		*ret_found = found;
	return r;
}

/* The logs that the database names. A missing one is no log without messages, but a loss. */
static int check_folders(const struct opening *o)
{
	int r = 0;

	for (uint64_t i = 0; i < o->count && r == 0; i++) {
		char *path = folder_path(o, o->generation, i);
		int fd;

		r = disk_open(path, O_RDONLY | O_DIRECTORY, &fd);
		if (r == 0)
			(void)disk_close(fd);
		else
			r = fail(o, r, path, r == -ENOENT ? "the log is missing" : strerror(-r));
		mem_free(path);
	}
	return r;
}

/* ---- Another number of logs ---- */

static int write_anew(struct opening *o, struct disk_found *found, struct segment_folder *folders)
{
	struct rewrite *rewrite = rewrite_create(folders, o->options->n_logs);
	int r = 0;

	for (uint64_t i = 0; i < o->count && r == 0; i++)
		r = rewrite_log(rewrite, &found[i].folder, &found[i].ledger);
	if (r == 0)
		r = rewrite_finish(rewrite);
	rewrite_destroy(rewrite);
	return r < 0 ? fail(o, r, o->options->path, strerror(-r)) : 0;
}

static int write_into(struct opening *o, struct disk_found *found)
{
	unsigned n = o->options->n_logs;
	struct segment_folder *folders = mem_zalloc(n * sizeof(*folders));
	int r = make_folders(o, o->generation + 1, n);

	for (unsigned i = 0; i < n; i++)
		folders[i] = folder_of(o, o->generation + 1, i);
	if (r == 0)
		r = write_anew(o, found, folders);
	for (unsigned i = 0; i < n; i++)
		segment_folder_fini(&folders[i]);
	mem_free(folders);
	return r;
}

static int change_count(struct opening *o)
{
	struct disk_found *found = NULL;
	uint64_t old_count = o->count;
	int r = read_logs(o, &found);

	if (r < 0)
		return r;
	r = write_into(o, found);
	free_found(found, old_count);
	return r < 0 ? r : name_logs(o, o->generation + 1, o->options->n_logs);
}

int disk_folders_open(const struct store_options *options, struct database *database,
		      struct disk_found **ret_found, char *ret_reason, size_t size)
{
	const struct database_state *state = database_state(database);
	struct opening o = {
		.options = options,
		.database = database,
		.generation = state->log_generation,
		.count = state->log_count,
		.reason = ret_reason,
		.size = size,
	};
	struct disk_found *found = NULL;
	int r = o.generation == 0 ? begin_anew(&o) : check_folders(&o);

	if (r == 0 && o.count != options->n_logs)
		r = change_count(&o);
	if (r == 0)
		r = read_logs(&o, &found);
	if (r < 0)
		return r;
	r = sweep(&o); /* not before what stays has been read */
	if (r < 0)
		free_found(found, o.count);
	else
		*ret_found = found;
	return r;
}
