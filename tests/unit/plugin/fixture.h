/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_PLUGIN_FIXTURE_H
#define TESTS_UNIT_PLUGIN_FIXTURE_H

/*
 * A topology with its amq.* exchanges, plugins that can be loaded into it from the folder
 * PLUGIN_MODULES where the build puts them, and what is written to standard error.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../unit.h"
#include "broker/topology/exchange_type.h"
#include "broker/topology/topology.h"
#include "plugin/loader.h"
#include "probe.h"

#define MODULE(name) PLUGIN_MODULES "/" name ".so"

static struct topology *topology;
static struct plugins *plugins;
static struct plugin_setting settings[8];
static char reason[512];

/* ---- Standard error ---- */

static int captured_fds[2], captured_stderr;
static char captured_text[16384];

static inline void capture_begin(void)
{
	CU_ASSERT_EQUAL_FATAL(pipe2(captured_fds, O_NONBLOCK), 0);
	captured_stderr = dup(STDERR_FILENO);
	(void)dup2(captured_fds[1], STDERR_FILENO);
}

static inline const char *capture_end(void)
{
	ssize_t n = read(captured_fds[0], captured_text, sizeof(captured_text) - 1);

	captured_text[n > 0 ? n : 0] = '\0';
	(void)dup2(captured_stderr, STDERR_FILENO);
	(void)close(captured_stderr);
	(void)close(captured_fds[0]);
	(void)close(captured_fds[1]);
	return captured_text;
}

/* ---- Plugins ---- */

static inline void plugins_begin(size_t n_settings)
{
	topology = topology_create(1, "/");
	plugins = plugins_create(&(struct plugins_config){
		.topology = topology,
		.directory = PLUGIN_MODULES,
		.settings = settings,
		.n_settings = n_settings,
	});
	memset(reason, '?', sizeof(reason) - 1);
}

/* Instances go before the types, as when the broker ends. */
static inline const char *plugins_end(void)
{
	const char *said;

	topology_destroy(topology);
	capture_begin();
	plugins_destroy(plugins);
	said = capture_end();
	return said;
}

/* Without the line that says so. */
static inline int load(const char *name_or_path)
{
	int result;

	capture_begin();
	result = plugins_load(plugins, name_or_path, NULL, reason, sizeof(reason));
	(void)capture_end();
	return result;
}

/* Whether the object is in the process. */
static inline bool is_open(const char *path)
{
	void *object = dlopen(path, RTLD_NOW | RTLD_NOLOAD);

	if (object)
		(void)dlclose(object);
	return object != NULL;
}

/* What the probe exports, while it is loaded. */
static inline struct probe *probe_get(void)
{
	void *object = dlopen(MODULE("probe"), RTLD_NOW | RTLD_NOLOAD), *symbol;

	CU_ASSERT_PTR_NOT_NULL_FATAL(object);
	symbol = dlsym(object, PROBE_SYMBOL);
	(void)dlclose(object);
	CU_ASSERT_PTR_NOT_NULL_FATAL(symbol);
	return symbol;
}

static inline bool has_type(const char *name)
{
	return exchange_type_find(topology, slice_cstr(name)) != NULL;
}

#define ASSERT_TEXT(actual_, expected_)                                                            \
	do {                                                                                       \
		const char *said_ = (actual_);                                                     \
		const char *wanted_ = (expected_);                                                 \
                                                                                                   \
		CU_ASSERT_STRING_EQUAL(said_, wanted_);                                            \
		if (strcmp(said_, wanted_) != 0)                                                   \
			(void)printf("\n    said: %s\n", said_);                                   \
	} while (0)

#define ASSERT_LOADS(name_)                                                                        \
	do {                                                                                       \
		CU_ASSERT_EQUAL_FATAL(load(name_), 0);                                             \
	} while (0)

#define ASSERT_REFUSED(name_, why_)                                                                \
	do {                                                                                       \
		CU_ASSERT_EQUAL_FATAL(load(name_), -1);                                            \
		ASSERT_TEXT(reason, "cannot load plugin '" name_ "': " why_);                      \
	} while (0)

#endif
