/* SPDX-License-Identifier: MIT */
#include "command.h"

#define GROUP "Virtual hosts"
#define VHOST_DETAILS "<vhost>\n\tname of the virtual host\n\n"

extern const struct command commands_vhosts[];
const struct command commands_vhosts[] = {
	{
		.name = "add_vhost",
		.group = GROUP,
		.usage = "<vhost> [--description <description> --tags \"<tag1>,<tag2>,<...>\" --default-queue-type "
			 "<quorum|classic|stream>]",
		.summary = "Creates a virtual host",
		.details = VHOST_DETAILS "--description <description>\n\twhat it is for\n\n"
					 "--tags <tags>\n\tcomma separated list of tags\n\n"
					 "--default-queue-type <quorum|classic|stream>\n\tkept, and exported; has no "
					 "effect yet\n\n",
		.parameters = "vhost",
		.banner = "Adding vhost \"{vhost}\" ...",
		.options = OPTION_DESCRIPTION | OPTION_TAGS | OPTION_DEFAULT_QUEUE_TYPE,
		.run = add_vhost_run,
	},
	{
		.name = "clear_vhost_limits",
		.group = GROUP,
		.usage = "[--vhost <vhost>]",
		.summary = "Clears virtual host limits",
		.parameters = "",
		.has_vhost = true,
		.banner = "Clearing vhost \"{vhost}\" limits ...",
		.run = call_run,
	},
	{
		.name = "delete_vhost",
		.group = GROUP,
		.usage = "<vhost>",
		.summary = "Deletes a virtual host, with all that is in it; its connections are closed",
		.details = VHOST_DETAILS,
		.parameters = "vhost",
		.banner = "Deleting vhost \"{vhost}\" ...",
		.run = call_run,
	},
	{
		.name = "list_vhost_limits",
		.group = GROUP,
		.usage = "[--vhost <vhost>] [--global] [--no-table-headers]",
		.summary = "Displays configured virtual host limits",
		.details = "--global\n\tlists limits of all the virtual hosts\n\n",
		.parameters = "",
		.options = OPTION_GLOBAL | OPTION_NO_TABLE_HEADERS,
		.run = list_vhost_limits_run,
	},
	{
		.name = "list_vhosts",
		.group = GROUP,
		.usage = "[--no-table-headers] [<column> ...] [--timeout <timeout>]",
		.summary = "Lists virtual hosts",
		.columns = "cluster_state default_queue_type description name tags tracing",
		.banner = "Listing vhosts ...",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "set_vhost_limits",
		.group = GROUP,
		.usage = "[--vhost <vhost>] <definition>",
		.summary = "Sets virtual host limits",
		.details = "<definition>\n\tlimits as a JSON document: {\"max-connections\": 10, \"max-queues\": 100};\n\t"
			   "those that it does not name, and -1, are no limit\n\n",
		.parameters = "definition",
		.has_vhost = true,
		.banner = "Setting vhost limits to \"{definition}\" for vhost \"{vhost}\" ...",
		.run = call_run,
	},
	{
		.name = "set_vhost_tags",
		.group = GROUP,
		.usage = "<vhost> <tag> [...]",
		.summary = "Sets virtual host tags",
		.details = VHOST_DETAILS "<tag>\n\tnone clears them\n\n",
		.parameters = "vhost tags*",
		.banner = "Setting tags for virtual host \"{vhost}\" to [{tags}] ...",
		.run = call_run,
	},
	{ .name = NULL },
};
