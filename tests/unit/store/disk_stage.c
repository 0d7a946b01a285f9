/* SPDX-License-Identifier: MIT */
#include "disk_stage.h"

#include <CUnit/CUnit.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct disk_reports disk_reports;
static pthread_mutex_t reports_lock = PTHREAD_MUTEX_INITIALIZER;

static void keep_report(void *context, const struct store_report *report)
{
	(void)context;
	(void)pthread_mutex_lock(&reports_lock);
	disk_reports.n++;
	disk_reports.n_errors += report->is_error;
	disk_reports.offset = report->offset;
	disk_reports.size = report->size;
	snprintf(disk_reports.path, sizeof(disk_reports.path), "%s", report->path);
	snprintf(disk_reports.reason, sizeof(disk_reports.reason), "%s", report->reason);
	(void)pthread_mutex_unlock(&reports_lock);
}

struct store_options disk_options = {
	.sync = STORE_SYNC_ALWAYS,
	.segment_size = UINT64_C(64) << 10,
	.report = keep_report,
};

static char root[64];

static void run(const char *verb, const char *one, const char *two)
{
	char command[1200];

	snprintf(command, sizeof(command), "%s '%s' %s", verb, one, two);
	CU_ASSERT_EQUAL_FATAL(system(command), 0);
}

static void remove_root(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	if (system(command) != 0)
		fprintf(stderr, "cannot remove %s\n", root);
}

const char *disk_stage_path(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	if (root[0] == '\0') {
		snprintf(root, sizeof(root), "/tmp/shunt-store-XXXXXX");
		CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
		(void)atexit(remove_root);
	}
	snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
	return path;
}

void disk_stage_remove(const char *path)
{
	run("rm -rf", path, "");
}

void disk_stage_copy(const char *from, const char *to)
{
	disk_stage_remove(to);
	run("cp -r", from, to);
}

struct store *disk_stage_create(unsigned n_logs)
{
	struct store *store = NULL;
	char reason[512] = "";

	disk_options.path = disk_stage_path("contract");
	disk_options.n_logs = n_logs;
	disk_stage_remove(disk_options.path);
	CU_ASSERT_EQUAL_FATAL(mkdir(disk_options.path, 0700), 0);
	int r = store_disk_open(&disk_options, &store, reason, sizeof(reason));

	if (r < 0)
		fprintf(stderr, "store_disk_open: %d %s\n", r, reason);
	CU_ASSERT_EQUAL_FATAL(r, 0);
	return store;
}

const char *disk_stage_newest(const char *path, unsigned generation, unsigned log)
{
	static char newest[512];
	char folder[400], best[64] = "";
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/log-%u-%u", path, generation, log);
	dir = opendir(folder);
	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir)))
		if (strlen(entry->d_name) == 20 && strcmp(entry->d_name, best) > 0)
			snprintf(best, sizeof(best), "%.20s", entry->d_name);
	closedir(dir);
	CU_ASSERT_NOT_EQUAL_FATAL(best[0], '\0');
	snprintf(newest, sizeof(newest), "%s/%s", folder, best);
	return newest;
}
