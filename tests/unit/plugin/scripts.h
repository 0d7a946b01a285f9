/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_PLUGIN_SCRIPTS_H
#define TESTS_UNIT_PLUGIN_SCRIPTS_H

/* Loops that the test turns by hand, a broker, a folder with scripts in the language of the plugin `lines`. */

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/topology/exchange_type.h"
#include "conn/hooks/hooks.h"
#include "lines.h"
#include "loop/loop.h"
#include "plugin/change.h"
#include "plugin/plugin.h"
#include "plugin/script.h"
#include "store/store.h"

#define LOOPS	     2
#define LIMIT_S	     120 /* for what happens on another thread */
#define SETTINGS_MAX 8
#define MODULE(name) PLUGIN_MODULES "/" name ".so"

static struct store *store;
static struct broker *broker;
static struct hooks hooks;
static struct plugins *plugins;
static struct plugin_changes *changes;
static struct lines_notes notes;
static char notes_address[32], folder[64], path[128], reason[1024], expected[1024];
static struct plugin_setting settings[SETTINGS_MAX] = { { "lines", "notes", notes_address, "-o", false } };
static size_t n_settings = 1;

static inline void world_begin(void)
{
	(void)alarm(LIMIT_S);
	log_set_level(LOG_LEVEL_ERROR);
	memset(&notes, 0, sizeof(notes));
	CU_ASSERT_EQUAL_FATAL(sem_init(&notes.gate, 0, 0), 0);
	CU_ASSERT_EQUAL_FATAL(sem_init(&notes.at_gate, 0, 0), 0);
	(void)snprintf(notes_address, sizeof(notes_address), "%llu", (unsigned long long)(uintptr_t)&notes);
	(void)snprintf(folder, sizeof(folder), "/tmp/shunt-scripts-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(LOOPS), 0);
	store = store_memory_create(LOOPS);
	broker = broker_create(LOOPS, store, "/");
	hooks_init(&hooks);
	plugins = plugins_create(&(struct plugins_config){
		.topology = broker->topology,
		.hooks = &hooks,
		.directory = PLUGIN_MODULES,
		.scripts = folder,
		.settings = settings,
		.n_settings = n_settings,
	});
	changes = plugin_changes_create(plugins, broker);
}

static inline int remove_one(const char *name, const struct stat *status, int what, struct FTW *where)
{
	(void)status;
	(void)what;
	(void)where;
	return remove(name);
}

/* Whatever was opened has been closed, and scripts before their language. */
static inline void world_end(void)
{
	loop_pool_stop();
	broker_destroy(broker);
	plugins_destroy(plugins);
	plugin_changes_destroy(changes);
	hooks_fini(&hooks);
	store_destroy(store);
	loop_pool_destroy();
	CU_ASSERT_EQUAL(notes.n_opened, notes.n_closed);
	CU_ASSERT_EQUAL(notes.n_begun, notes.n_ended);
	CU_ASSERT_EQUAL(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	(void)sem_destroy(&notes.gate);
	(void)sem_destroy(&notes.at_gate);
	n_settings = 1;
	log_set_level(LOG_LEVEL_INFO);
	(void)alarm(0);
}

static inline void set(const char *script, const char *key, const char *value)
{
	CU_ASSERT_FATAL(n_settings < SETTINGS_MAX);
	settings[n_settings++] = (struct plugin_setting){ script, key, value, "shunt.conf:7", true };
}

/* In the folder; the path is in `path` as well. */
static inline const char *write_script(const char *name, const char *text)
{
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_TRUE_FATAL(fputs(text, file) >= 0);
	CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
	return path;
}

static inline int load_script(const char *name_or_path)
{
	memset(reason, '?', sizeof(reason) - 1);
	return plugins_load_script(plugins, name_or_path, "shunt.conf:3", reason, sizeof(reason));
}

static inline bool has_type(const char *name)
{
	return exchange_type_find(broker->topology, slice_cstr(name)) != NULL;
}

static inline const char *version_of(const char *name)
{
	const struct plugin *plugin = plugins_find(plugins, name);

	return plugin ? plugin->self.version : "(not loaded)";
}

/* Turns the loops until it is so; the alarm ends what never comes. */
#define UNTIL(condition_)                                \
	do {                                             \
		loop_pool_drain();                       \
		while (!(condition_)) {                  \
			loop_run_once(true);             \
			loop_pool_drain();               \
		}                                        \
	} while (0)

#define ASSERT_TEXT(actual_, expected_)                          \
	do {                                                     \
		const char *said_ = (actual_);                   \
                                                                 \
		CU_ASSERT_STRING_EQUAL(said_, (expected_));      \
		if (strcmp(said_, (expected_)) != 0)             \
			(void)printf("\n    said: %s\n", said_); \
	} while (0)

/* The reason, with the folder in the place of %s. */
#define ASSERT_REASON(...)                                                 \
	do {                                                               \
		(void)snprintf(expected, sizeof(expected), __VA_ARGS__);   \
		ASSERT_TEXT(reason, expected);                             \
	} while (0)

#endif
