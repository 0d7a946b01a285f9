/* SPDX-License-Identifier: MIT */
#include "format_stage.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "contract.h"
#include "disk_stage.h"

#include "../unit.h"

static char data[256];
struct image the_image;

static int try_open(unsigned n_logs, struct store **ret)
{
	char reason[512] = "";

	disk_options.path = data;
	disk_options.n_logs = n_logs;
	disk_reports = (struct disk_reports){.n = 0};
	return store_disk_open(&disk_options, ret, reason, sizeof(reason));
}

static struct store *open_data(unsigned n_logs)
{
	struct store *store = NULL;

	CU_ASSERT_EQUAL_FATAL(try_open(n_logs, &store), 0);
	return store;
}

const char *format_path(const char *name)
{
	static char path[600];

	snprintf(path, sizeof(path), "%s/%s", data, name);
	return path;
}

const char *format_segment(unsigned generation, unsigned log, unsigned serial)
{
	char name[64];

	snprintf(name, sizeof(name), "log-%u-%u/%016x.log", generation, log, serial);
	return format_path(name);
}

static void set_identity(void)
{
	static const char text[] = "UPDATE meta SET value = x'000102030405060708090a0b0c0d0e0f'"
				   " WHERE name = 'store_id';"
				   "UPDATE meta SET value = 100 WHERE name = 'next_id';"
				   /* of what ended in good order more is known than images say */
				   "UPDATE meta SET value = 0 WHERE name = 'is_clean'";
	sqlite3 *sqlite = NULL;

	CU_ASSERT_EQUAL_FATAL(sqlite3_open(format_path("definitions.db"), &sqlite), SQLITE_OK);
	CU_ASSERT_EQUAL_FATAL(sqlite3_exec(sqlite, text, NULL, NULL, NULL), SQLITE_OK);
	CU_ASSERT_EQUAL_FATAL(sqlite3_close(sqlite), SQLITE_OK);
}

void format_begin(void)
{
	snprintf(data, sizeof(data), "%s", disk_stage_path("format"));
	disk_stage_remove(data);
	CU_ASSERT_EQUAL_FATAL(mkdir(data, 0700), 0);
	contract_use(open_data);
	stage_set(1);
	stage_clear();
	set_identity();
}

void format_refused(int expected)
{
	struct store *store = NULL;

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	CU_ASSERT_EQUAL(try_open(1, &store), expected);
	loop_pool_destroy();
}

const struct replay *format_start(void)
{
	stage_set(1);
	stage_lead();
	return recover();
}

void format_first(void)
{
	const struct payload open = {.size = 24};

	image_begin(&the_image, 1, 0, 1);
	(void)image_add(&the_image, T_OPEN, 0, &open);
}

void format_add_open(uint64_t serial, uint64_t end, uint64_t synced)
{
	struct payload open = {.size = 0};

	put_u64(&open, serial);
	put_u64(&open, end);
	put_u64(&open, synced);
	(void)image_add(&the_image, T_OPEN, 0, &open);
}
