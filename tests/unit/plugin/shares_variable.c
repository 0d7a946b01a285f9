/* SPDX-License-Identifier: MIT */
/* A plugin with a variable that is there once in a process, as g++ makes them of inline ones. */
#include <shunt/plugin.h>

SHUNT_EXPORT extern int shared_count;
int shared_count = 1;
__asm__(".type shared_count, %gnu_unique_object");

static int shares_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	(void)host;
	(void)error;
	*ret_plugin = &shared_count;
	return 0;
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "shares-variable",
	.version = "1",
	.licence = "MIT",
	.description = "A variable for all versions",
	.start = shares_start,
};
