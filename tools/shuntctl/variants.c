/* SPDX-License-Identifier: MIT */
/* Commands that are another one with some of their arguments. */
#include <stdio.h>
#include <string.h>

#include "command.h"

/* Of one user, a message; of all, a list. */
int list_user_limits_run(const struct command *command, const struct options *options)
{
	struct command variant = *command;
	const char *user = options->user != NULL ? options->user : "guest";
	struct options with_user = *options;

	if (options_have(options, OPTION_GLOBAL)) {
		variant.banner = "Listing limits for all users ...";
		return list_run(&variant, options);
	}
	variant.parameters = "user";
	variant.banner = "Listing limits for user \"{user}\" ...";
	with_user.words = &user;
	with_user.n_words = 1;
	return call_run(&variant, &with_user);
}

int clear_user_limits_run(const struct command *command, const struct options *options)
{
	struct command variant = *command;

	if (strcmp(options->words[1], "all") == 0)
		variant.banner = "Clearing all limits for user \"{user}\" ...";
	return call_run(&variant, options);
}

int clear_topic_permissions_run(const struct command *command, const struct options *options)
{
	struct command variant = *command;

	variant.banner = options->n_words > 1
				 ? "Clearing topic permissions on \"{exchange}\" for user \"{user}\" in vhost \"{vhost}\" ..."
				 : "Clearing topic permissions for user \"{user}\" in vhost \"{vhost}\" ...";
	return call_run(&variant, options);
}
