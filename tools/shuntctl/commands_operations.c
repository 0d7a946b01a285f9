/* SPDX-License-Identifier: MIT */
#include "command.h"

#define GROUP "Operations"

extern const struct command commands_operations[];
const struct command commands_operations[] = {
	{
		.name = "close_all_connections",
		.group = GROUP,
		.usage = "[--vhost <vhost> --limit <limit>] [--global] [--per-connection-delay <delay>] <explanation>",
		.summary = "Instructs the broker to close all connections for the specified vhost or entire node",
		.details = "--global\n\tconsider connections across all virtual hosts\n\n"
			   "--limit <number>\n\tclose up to this many connections\n\n"
			   "--per-connection-delay <milliseconds>\n\tinject a delay between closures\n",
		.parameters = "explanation",
		.has_vhost = true,
		.options = OPTION_GLOBAL | OPTION_LIMIT | OPTION_PER_CONNECTION_DELAY,
		.run = close_all_run,
	},
	{
		.name = "close_all_user_connections",
		.group = GROUP,
		.usage = "<username> <explanation>",
		.summary = "Instructs the broker to close all connections of the specified user",
		.details = "<username>\n\tname of the user\n\n<explanation>\n\treason for connection closure\n",
		.banner = "Closing connections of user {username}, reason: {explanation}...",
		.parameters = "username explanation",
		.run = call_run,
	},
	{
		.name = "close_connection",
		.group = GROUP,
		.usage = "<connection pid> <explanation>",
		.summary = "Instructs the broker to close the connection associated with the connection pid",
		.details = "<connection pid>\n\tconnection identifier, see list_connections\n\n"
			   "<explanation>\n\treason for connection closure\n",
		.banner = "Closing connection {connection_pid}, reason: {explanation}...",
		.parameters = "connection_pid explanation",
		.run = call_run,
	},
	{ .name = NULL },
};
