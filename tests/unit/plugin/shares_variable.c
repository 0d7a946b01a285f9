/* SPDX-License-Identifier: MIT */
/* A plugin with a variable that is there once in a process, as g++ makes them of inline ones. */
#include <shunt/plugin.h>

/* not in C: clang would have it global, too */
__asm__(".pushsection .data\n"
	".type shared_count, %gnu_unique_object\n"
	".size shared_count, 4\n"
	"shared_count: .long 1\n"
	".popsection");

static int shares_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	(void)host;
	(void)error;
	*ret_plugin = NULL;
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
