/* SPDX-License-Identifier: MIT */
#include "command.h"

#define GROUP "Definitions"

extern const struct command commands_definitions[];
const struct command commands_definitions[] = {
	{
		.name = "export_definitions",
		.group = GROUP,
		.usage = "<file_path | \"-\"> [--format <json>] [--timeout <timeout>]",
		.summary = "Exports definitions in JSON, for a RabbitMQ or another Shunt to import.",
		.details = "<file>\n\tLocal file path to export to. Pass a dash (-) for stdout.\n\n"
			   "--format\n\toutput format to use: json\n",
		.parameters = "file",
		.options = OPTION_FORMAT,
		.run = export_run,
	},
	{
		.name = "import_definitions",
		.group = GROUP,
		.usage = "[<file_path | \"-\">] [--vhost <vhost>] [--format <json>] [--skip-if-unchanged] "
			 "[--skip-unsupported] [--timeout <timeout>]",
		.summary = "Imports definitions in JSON, as a RabbitMQ or a Shunt exports them: all of them, or none.",
		.details = "[file]\n\tLocal file path to import from. If omitted will be read from standard input\n\n"
			   "--vhost\n\twhere what names no virtual host goes: for a file of a single one\n\n"
			   "--format\n\tinput format to use: json\n\n"
			   "--skip-if-unchanged\n\tdo nothing if the file is the one that was imported so the last time\n\n"
			   "--skip-unsupported\n\tleave out queues with arguments that this broker does not implement yet, "
			   "and say which, instead of refusing the file\n",
		.parameters = "file?",
		.options = OPTION_FORMAT | OPTION_SKIP_IF_UNCHANGED | OPTION_SKIP_UNSUPPORTED,
		.run = import_run,
	},
	{ .name = NULL },
};
