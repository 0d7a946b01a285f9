/* SPDX-License-Identifier: MIT */
#include <stdint.h>

#include "command.h"

extern const struct command commands_help[];
const struct command commands_help[] = {
	{
		.name = "autocomplete",
		.group = "Help",
		.usage = "[prefix]",
		.summary = "Provides command name autocomplete variants",
		.details = "-- <word> ...\n\tof a whole command line up to the cursor: what can come next\n",
		.n_words_max = SIZE_MAX,
		.run = complete_run,
	},
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
