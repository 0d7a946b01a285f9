/* SPDX-License-Identifier: MIT */
#include "command.h"

extern const struct command commands_nodes[];
const struct command commands_nodes[] = {
	{
		.name = "await_startup",
		.group = "Nodes",
		.usage = "[--timeout <timeout>]",
		.summary = "Waits for the broker to start, by default for 300 seconds",
		.run = await_startup_run,
	},
	{
		.name = "stop",
		.group = "Nodes",
		.usage = "[--idempotent] [<pidfile>]",
		.summary = "Stops the broker and waits until its process has ended",
		.details = "<pidfile>\n\taccepted and not needed: the control socket tells which process to wait for\n\n"
			   "--idempotent\n\treturn success if no broker is running\n",
		.n_words_max = 1,
		.options = OPTION_IDEMPOTENT,
		.run = stop_run,
	},
	{
		.name = "wait",
		.group = "Nodes",
		.usage = "[<pidfile>] [--pid|-P <pid>] [--timeout <timeout>]",
		.summary = "Waits until the broker serves, by default for 10 seconds",
		.details = "<pidfile>\n\tPID file path: waited for as well\n\n"
			   "--pid <pid>\n\toperating system PID to monitor: when that process has ended, so has the wait\n",
		.n_words_max = 1,
		.options = OPTION_PID,
		.run = wait_run,
	},
	{ .name = NULL },
};
