/* SPDX-License-Identifier: MIT */
/* A plugin that wants a function of the broker: linked without the check that would have refused
 * it. */
#include <shunt/plugin.h>

void bug_stop(void);

static int undefined_start(const struct shunt_host *host, void **ret_plugin,
			   struct shunt_error *error)
{
	(void)host;
	(void)ret_plugin;
	(void)error;
	bug_stop();
	return 0;
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "undefined",
	.version = "1",
	.licence = "MIT",
	.start = undefined_start,
};
