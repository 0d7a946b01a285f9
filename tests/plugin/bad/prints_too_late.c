/* SPDX-License-Identifier: MIT */

/*
 * A command says good-bye when nobody listens.
 * found by commands: it called call_print after call_done
 */

#define GOOD_REGISTER bad_register
#include "good.h"

static void bad_run(void *plugin, const struct shunt_call *call)
{
	(void)plugin;
	struct shunt_bytes text = {(const uint8_t *)"good-bye", 8};

	good_host->call_done(good_host, call->id, NULL);
	good_host->call_print(good_host, call->id, text);
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
