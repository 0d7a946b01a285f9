/* SPDX-License-Identifier: MIT */

/*
 * Too few arguments end a command, and then it ends once more.
 * found by commands: it called call_done twice for one call
 */

#define GOOD_REGISTER bad_register
#include "good.h"

static void bad_run(void *plugin, const struct shunt_call *call)
{
	(void)plugin;
	if (call->argument_count < 1)
		good_host->call_done(good_host, call->id, "an argument is missing");
	good_host->call_done(good_host, call->id, NULL);
}

static const struct shunt_command bad_command = {
	.size = sizeof(bad_command),
	.name = "bad",
	.help = "does wrong",
	.run = bad_run,
};

static int bad_register(const struct shunt_host *host, struct shunt_error *error)
{
	return host->register_command(host, &bad_command, error);
}

#include "good_plugin.h"
