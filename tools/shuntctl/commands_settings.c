/* SPDX-License-Identifier: MIT */
#include "command.h"

#define GROUP "Configuration and Environment"

extern const struct command commands_settings[];
const struct command commands_settings[] = {
	{
		.name = "environment",
		.group = GROUP,
		.usage = "",
		.summary = "Displays the configuration that is in force",
		.details = "Lines are as in a configuration file. Passwords are left out.\n\n"
			   "--formatter <json>\n\talternative formatter\n",
		.run = environment_run,
	},
	{
		.name = "reload",
		.group = GROUP,
		.usage = "[--timeout <timeout>]",
		.summary = "Reads the configuration again, and says what of it has changed",
		.details = "As the signal SIGHUP: log.*, vm_memory_high_watermark and disk_free_limit come into force, and the "
			   "log file is opened again.\n",
		.banner = "Reloading the configuration ...",
		.run = call_run,
	},
	{
		.name = "rotate_logs",
		.group = GROUP,
		.usage = "",
		.summary = "Opens the log file again, after it was renamed",
		.banner = "Opening the log file again ...",
		.run = call_run,
	},
	{
		.name = "set_disk_free_limit",
		.group = GROUP,
		.usage = "<disk_limit> | mem_relative <fraction>",
		.summary = "Sets the disk_free_limit setting",
		.details = "<disk_limit>\n\tNew limit as an absolute value with units, e.g. 1GB\n\n"
			   "mem_relative <fraction>\n\tNew limit as a fraction of total memory reported by the OS\n",
		.n_words_max = 9,
		.run = set_disk_run,
	},
	{
		.name = "set_log_level",
		.group = GROUP,
		.usage = "[<category>] <log_level>",
		.summary = "Sets log level in the running node",
		.details = "<category>\n\tonly of lines of this category: conn, queue, plugin and so on\n\n"
			   "<log_level>\n\tnew log level\n",
		.n_words_max = 2,
		.run = set_log_level_run,
	},
	{
		.name = "set_vm_memory_high_watermark",
		.group = GROUP,
		.usage = "<fraction> | absolute <value>",
		.summary = "Sets the vm_memory_high_watermark setting",
		.details = "<fraction>\n\tNew limit as a fraction of total memory reported by the OS\n\n"
			   "absolute <value>\n\tNew limit as an absolute value with units, e.g. 1GB\n",
		.n_words_max = 9,
		.run = set_memory_run,
	},
	{ .name = NULL },
};
