/* SPDX-License-Identifier: MIT */
#include "command.h"

#define GROUP "Users"
#define USER_DETAILS "<username>\n\tname of the user\n\n"
#define PASSWORD_DETAILS "<password>\n\tif it is not given, it is read from the standard input\n\n"
#define LIST_USAGE "[--no-table-headers] [--timeout <timeout>]"
#define HASH_DETAILS \
	"--pre-hashed-password\n\tthe password is a hash, as hash_password or RabbitMQ's definitions have it\n\n"

extern const struct command commands_users[];
const struct command commands_users[] = {
	{
		.name = "add_user",
		.group = GROUP,
		.usage = "<username> [<password>] [--pre-hashed-password]",
		.summary = "Creates a new user in the internal database. This user will have no permissions for any "
			   "virtual hosts by default.",
		.details = USER_DETAILS PASSWORD_DETAILS HASH_DETAILS,
		.parameters = "user password?",
		.secret = "password",
		.banner = "Adding user \"{user}\" ...",
		.farewell = "Done. Don't forget to grant the user permissions to some virtual hosts! "
			    "See '{program} help set_permissions' to learn more.",
		.options = OPTION_PRE_HASHED_PASSWORD,
		.run = password_run,
	},
	{
		.name = "authenticate_user",
		.group = GROUP,
		.usage = "<username> [<password>]",
		.summary = "Attempts to authenticate a user. Exits with a non-zero code if authentication fails.",
		.details = USER_DETAILS PASSWORD_DETAILS,
		.parameters = "user password?",
		.secret = "password",
		.banner = "Authenticating user \"{user}\" ...",
		.run = password_run,
	},
	{
		.name = "change_password",
		.group = GROUP,
		.usage = "<username> [<password>] [--pre-hashed-password]",
		.summary = "Changes the user password",
		.details = USER_DETAILS PASSWORD_DETAILS HASH_DETAILS,
		.parameters = "user password?",
		.secret = "password",
		.banner = "Changing password for user \"{user}\" ...",
		.options = OPTION_PRE_HASHED_PASSWORD,
		.run = password_run,
	},
	{
		.name = "clear_password",
		.group = GROUP,
		.usage = "<username>",
		.summary = "Clears (resets) password and disables password login for a user",
		.details = USER_DETAILS,
		.parameters = "user",
		.banner = "Clearing password for user \"{user}\" ...",
		.run = call_run,
	},
	{
		.name = "clear_user_limits",
		.group = GROUP,
		.usage = "<username> <limit_type> | all",
		.summary = "Clears user connection/channel limits",
		.details = USER_DETAILS "<limit_type>\n\tmax-connections or max-channels\n\n",
		.parameters = "user limit",
		.banner = "Clearing \"{limit}\" limit for user \"{user}\" ...",
		.run = clear_user_limits_run,
	},
	{
		.name = "delete_user",
		.group = GROUP,
		.usage = "<username>",
		.summary = "Removes a user from the internal database, and closes its connections. Has no effect on users "
			   "of plugins",
		.details = USER_DETAILS,
		.parameters = "user",
		.banner = "Deleting user \"{user}\" ...",
		.run = call_run,
	},
	{
		.name = "hash_password",
		.group = GROUP,
		.usage = "[<password>]",
		.summary = "Prints RabbitMQ's salted SHA-256 hash of a password, for definitions and --pre-hashed-password",
		.details = PASSWORD_DETAILS,
		.parameters = "password?",
		.secret = "password",
		.run = hash_password_run,
	},
	{
		.name = "list_user_limits",
		.group = GROUP,
		.usage = "[--user <username>] [--global] [--no-table-headers]",
		.summary = "Displays configured user limits",
		.details = "--user <username>\n\tlimits of this user; guest without this option\n\n"
			   "--global\n\tlists limits for all the users\n\n",
		.parameters = "",
		.options = OPTION_USER | OPTION_GLOBAL | OPTION_NO_TABLE_HEADERS,
		.run = list_user_limits_run,
	},
	{
		.name = "list_users",
		.group = GROUP,
		.usage = LIST_USAGE,
		.summary = "List user names and tags",
		.parameters = "",
		.banner = "Listing users ...",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "set_user_limits",
		.group = GROUP,
		.usage = "<username> <definition>",
		.summary = "Sets user limits",
		.details = USER_DETAILS "<definition>\n\tlimits as a JSON document: {\"max-connections\": 10, "
				        "\"max-channels\": 100};\n\t-1 is no limit\n\n",
		.parameters = "user definition",
		.banner = "Setting user limits to \"{definition}\" for user \"{user}\" ...",
		.run = call_run,
	},
	{
		.name = "set_user_tags",
		.group = GROUP,
		.usage = "<username> <tag> [...]",
		.summary = "Sets user tags",
		.details = USER_DETAILS "<tag>\n\tadministrator, monitoring and so on; none clears them\n\n",
		.parameters = "user tags*",
		.banner = "Setting tags for user \"{user}\" to [{tags}] ...",
		.run = call_run,
	},
	{ .name = NULL },
};
