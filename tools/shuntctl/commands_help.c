/* SPDX-License-Identifier: MIT */
#include "command.h"

extern const struct command commands_help[];
const struct command commands_help[] = {
	{
		.name = "help",
		.group = "Help",
		.usage = "(<command> | [--list-commands])",
		.summary = "Displays usage information for a command",
		.details = "--list-commands\n\tonly output a list of commands\n",
		.n_words_max = 1,
		.options = OPTION_LIST_COMMANDS,
		.run = help_run,
	},
	{
		.name = "version",
		.group = "Help",
		.usage = "",
		.summary = "Displays the version of this program",
		.run = version_run,
	},
	{ .name = NULL },
};
