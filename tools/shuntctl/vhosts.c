/* SPDX-License-Identifier: MIT */
/* Commands on vhosts that are another one with some of their options as arguments. */
#include "command.h"

/* Options that were not given are empty. */
static const char *text_of(const char *option)
{
	return option != NULL ? option : "";
}

int add_vhost_run(const struct command *command, const struct options *options)
{
	struct command variant = *command;
	struct options with_texts = *options;
	const char *words[] = { options->words[0], text_of(options->description), text_of(options->tags),
				text_of(options->default_queue_type) };

	variant.parameters = "vhost description tags default_queue_type";
	with_texts.words = words;
	with_texts.n_words = sizeof(words) / sizeof(*words);
	return call_run(&variant, &with_texts);
}

/* Of one vhost, a message; of all, a list. */
int list_vhost_limits_run(const struct command *command, const struct options *options)
{
	struct command variant = *command;

	if (options_have(options, OPTION_GLOBAL)) {
		variant.banner = "Listing limits for all vhosts ...";
		return list_run(&variant, options);
	}
	variant.has_vhost = true;
	variant.banner = "Listing limits for vhost \"{vhost}\" ...";
	return call_run(&variant, options);
}
