/* SPDX-License-Identifier: MIT */
/*
 * A plugin with something wrong: Makefile.inc builds it several times, with another of these
 * defined each time. Nothing of it may run.
 */
#include <shunt/plugin.h>
#include <stdlib.h>

#ifndef BAD_MAGIC
#define BAD_MAGIC SHUNT_PLUGIN_MAGIC
#endif
#ifndef BAD_MAJOR
#define BAD_MAJOR SHUNT_ABI_MAJOR
#endif
#ifndef BAD_MINOR
#define BAD_MINOR SHUNT_ABI_MINOR
#endif
#ifndef BAD_SIZE
#define BAD_SIZE sizeof(struct shunt_plugin)
#endif
#ifndef BAD_NAME
#define BAD_NAME "bad"
#endif
#ifndef BAD_VERSION
#define BAD_VERSION "1"
#endif
#ifndef BAD_LICENCE
#define BAD_LICENCE "MIT"
#endif
#ifndef BAD_START
#define BAD_START bad_start
#endif
#ifndef BAD_DEFAULT
#define BAD_DEFAULT "1"
#endif

/* Where it is not the plugin's. */
int bad_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error);

int bad_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	(void)host;
	(void)ret_plugin;
	(void)error;
	abort();
}

static const struct shunt_option bad_options[] = {
	{"ratio", "a number", BAD_DEFAULT, 1, 10, SHUNT_OPTION_INTEGER},
	{NULL, NULL, NULL, 0, 0, SHUNT_OPTION_STRING},
};

SHUNT_PLUGIN = {
	.magic = BAD_MAGIC,
	.abi_major = BAD_MAJOR,
	.abi_minor = BAD_MINOR,
	.struct_size = BAD_SIZE,
	.name = BAD_NAME,
	.version = BAD_VERSION,
	.licence = BAD_LICENCE,
	.description = "for tests",
	.options = bad_options,
	.start = BAD_START,
};
