/* SPDX-License-Identifier: MIT */
#include "command.h"

extern const struct command commands_nodes[];
const struct command commands_nodes[] = {
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
	{ .name = NULL },
};
