/* SPDX-License-Identifier: MIT */
#include "command.h"

#define GROUP "Access Control"
#define USER_DETAILS "<username>\n\tname of the user\n\n"
#define PATTERN_DETAILS(what, access) "<" what ">\n\t" access ": a regular expression; '' allows nothing\n\n"
#define LIST_USAGE "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]"
#define USER_LIST_USAGE "[--no-table-headers] <username> [--timeout <timeout>]"

extern const struct command commands_access[];
const struct command commands_access[] = {
	{
		.name = "clear_permissions",
		.group = GROUP,
		.usage = "[--vhost <vhost>] <username>",
		.summary = "Revokes user permissions for a vhost",
		.details = USER_DETAILS,
		.parameters = "user",
		.has_vhost = true,
		.banner = "Clearing permissions for user \"{user}\" in vhost \"{vhost}\" ...",
		.run = call_run,
	},
	{
		.name = "clear_topic_permissions",
		.group = GROUP,
		.usage = "[--vhost <vhost>] <username> [<exchange>]",
		.summary = "Clears user topic permissions for a vhost or exchange",
		.details = USER_DETAILS "<exchange>\n\tonly those on this exchange\n\n",
		.parameters = "user exchange?",
		.has_vhost = true,
		.run = clear_topic_permissions_run,
	},
	{
		.name = "list_permissions",
		.group = GROUP,
		.usage = LIST_USAGE,
		.summary = "Lists user permissions in a virtual host",
		.parameters = "",
		.has_vhost = true,
		.banner = "Listing permissions for vhost \"{vhost}\" ...",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "list_topic_permissions",
		.group = GROUP,
		.usage = LIST_USAGE,
		.summary = "Lists topic permissions in a virtual host",
		.parameters = "",
		.has_vhost = true,
		.banner = "Listing topic permissions for vhost \"{vhost}\" ...",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "list_user_permissions",
		.group = GROUP,
		.usage = USER_LIST_USAGE,
		.summary = "Lists permissions of a user across all virtual hosts",
		.details = USER_DETAILS,
		.parameters = "user",
		.banner = "Listing permissions for user \"{user}\" ...",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "list_user_topic_permissions",
		.group = GROUP,
		.usage = USER_LIST_USAGE,
		.summary = "Lists user topic permissions",
		.details = USER_DETAILS,
		.parameters = "user",
		.banner = "Listing topic permissions for user \"{user}\" ...",
		.has_no_titles = true,
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "set_permissions",
		.group = GROUP,
		.usage = "[--vhost <vhost>] <username> <conf> <write> <read>",
		.summary = "Sets user permissions for a vhost",
		.details = USER_DETAILS PATTERN_DETAILS("conf", "what it may declare and delete")
				PATTERN_DETAILS("write", "what it may publish to and bind")
				PATTERN_DETAILS("read", "what it may consume from, purge, and bind to"),
		.parameters = "user configure write read",
		.has_vhost = true,
		.banner = "Setting permissions for user \"{user}\" in vhost \"{vhost}\" ...",
		.run = call_run,
	},
	{
		.name = "set_topic_permissions",
		.group = GROUP,
		.usage = "[--vhost <vhost>] <username> <exchange> <write> <read>",
		.summary = "Sets user topic permissions for an exchange",
		.details = USER_DETAILS "<exchange>\n\tthe topic exchange\n\n"
				PATTERN_DETAILS("write", "routing keys it may publish with")
				PATTERN_DETAILS("read", "routing keys it may bind with")
				"\tPatterns may have {username}, {vhost} and {client_id} in them.\n\n",
		.parameters = "user exchange write read",
		.has_vhost = true,
		.banner = "Setting topic permissions on \"{exchange}\" for user \"{user}\" in vhost \"{vhost}\" ...",
		.run = call_run,
	},
	{ .name = NULL },
};
