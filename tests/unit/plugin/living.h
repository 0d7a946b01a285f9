/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_PLUGIN_LIVING_H
#define TESTS_UNIT_PLUGIN_LIVING_H

/* Loops that the test turns by hand, an access, a folder for copies, and the plugin `actor`, which notes what it is
 * called for. */

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../first_user.h"
#include "../unit.h"
#include "access/access.h"
#include "actor.h"
#include "base/log.h"
#include "broker/topology/topology.h"
#include "loop/loop.h"
#include "plugin/command.h"
#include "plugin/plugin.h"
#include "store/store.h"

#define LOOPS	     2
#define LIMIT_S	     120 /* for what happens on another thread */
#define MODULE(name) PLUGIN_MODULES "/" name ".so"

static struct topology *topology;
static struct store *store;
static struct access *door;
static struct plugins *plugins;
static struct actor_notes notes;
static char notes_address[32], copies[64], reason[512];
static struct plugin_setting notes_setting = { "actor", "notes", notes_address, "-o", false };
static unsigned n_closed;

static inline void world_begin(void)
{
	static const char *const nobody[] = { NULL };
	static const struct access_config users = {
		.loopback_users = nobody
	};

	(void)alarm(LIMIT_S);
	log_set_level(LOG_LEVEL_ERROR);
	memset(&notes, 0, sizeof(notes));
	n_closed = 0;
	(void)snprintf(notes_address, sizeof(notes_address), "%llu", (unsigned long long)(uintptr_t)&notes);
	(void)snprintf(copies, sizeof(copies), "/tmp/shunt-copies-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(copies));
	CU_ASSERT_EQUAL_FATAL(plugin_files_prepare(copies, reason, sizeof(reason)), 0);
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(LOOPS), 0);
	topology = topology_create(LOOPS, "/");
	store = store_memory_create(LOOPS);
	door = access_create(&users);
	first_user_make(door, store, "guest", CHEAP_HASH_OF_GUEST);
	plugins = plugins_create(&(struct plugins_config){
		.topology = topology,
		.access = door,
		.directory = PLUGIN_MODULES,
		.copies = copies,
		.settings = &notes_setting,
		.n_settings = 1,
	});
}

static inline unsigned copies_count(void)
{
	DIR *dir = opendir(copies);
	struct dirent *entry;
	unsigned count = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	(void)closedir(dir);
	return count;
}

static inline void world_end(void)
{
	topology_destroy(topology);
	plugins_destroy(plugins);
	access_destroy(door);
	store_destroy(store);
	loop_pool_destroy();
	CU_ASSERT_EQUAL(copies_count(), 0);
	CU_ASSERT_EQUAL(rmdir(copies), 0);
	log_set_level(LOG_LEVEL_INFO);
	(void)alarm(0);
}

static inline struct plugin *open_staged(struct plugin *replaces)
{
	const struct plugin_open open = { .name_or_path = "actor", .replaces = replaces };
	struct plugin *plugin = NULL;

	if (plugins_open_staged(plugins, &open, &plugin, reason, sizeof(reason)) != 0)
		return NULL;
	return plugin;
}

static inline struct plugin *active(void)
{
	struct plugin *plugin = open_staged(NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(plugin);
	plugin_activate(plugin, NULL);
	return plugin;
}

static inline void closed(void *context)
{
	(void)context;
	n_closed++;
}

/* Turns the loops until it is so; the alarm ends what never comes. */
#define UNTIL(condition_)                                                                                              \
	do {                                                                                                           \
		loop_pool_drain();                                                                                     \
		while (!(condition_)) {                                                                                \
			loop_run_once(true);                                                                           \
			loop_pool_drain();                                                                             \
		}                                                                                                      \
	} while (0)

#define ASSERT_TEXT(actual_, expected_)                                                                                \
	do {                                                                                                           \
		const char *said_ = (actual_);                                                                         \
                                                                                                                       \
		CU_ASSERT_STRING_EQUAL(said_, (expected_));                                                            \
		if (strcmp(said_, (expected_)) != 0)                                                                   \
			(void)printf("\n    said: %s\n", said_);                                                       \
	} while (0)

#endif
