/* SPDX-License-Identifier: MIT */
/* The commands `plugin` and `script`: what there is of them, and changing them while the broker runs. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/cursor.h"
#include "help.h"
#include "plugin_calls.h"

/* ---- The subcommands ---- */

struct subcommand {
	const char *name;
	size_t n_words_min, n_words_max; /* behind it */
	int (*run)(struct client *client, const struct options *options);
};

static const struct subcommand of_plugins[] = {
	{ "list", 0, 0, plugin_call_list },
	{ "info", 1, 1, plugin_call_info },
	{ "load", 1, 1, plugin_call_change },
	{ "reload", 1, 2, plugin_call_change },
	{ "unload", 1, 1, plugin_call_change },
	{ "trial", 2, 2, plugin_call_change },
	{ "promote", 1, 1, plugin_call_change },
	{ "drop", 1, 1, plugin_call_change },
	{ "run", 2, SIZE_MAX, plugin_call_run },
	{ NULL, 0, 0, NULL },
};

static const struct subcommand of_scripts[] = {
	{ "list", 0, 0, plugin_call_list },
	{ "info", 1, 1, plugin_call_info },
	{ "check", 1, SIZE_MAX, plugin_call_check },
	{ "test", 1, SIZE_MAX, plugin_call_check },
	{ "load", 1, 1, plugin_call_change },
	{ "reload", 1, 2, plugin_call_change },
	{ "rollback", 1, 1, plugin_call_change },
	{ "unload", 1, 1, plugin_call_change },
	{ "trial", 2, 2, plugin_call_change },
	{ "promote", 1, 1, plugin_call_change },
	{ "drop", 1, 1, plugin_call_change },
	{ NULL, 0, 0, NULL },
};

static const struct subcommand *find(const struct subcommand *subcommands, const char *name)
{
	for (; subcommands->name != NULL; subcommands++)
		if (strcmp(subcommands->name, name) == 0)
			return subcommands;
	return NULL;
}

static bool is_percent(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	return end != text && *end == '\0' && number >= 1 && number <= 100;
}

/* What the broker can be told; NULL: all. */
static const char *first_not_utf8(const struct options *options)
{
	for (size_t i = 0; i < options->n_words; i++)
		if (!amqp_is_utf8(slice_cstr(options->words[i])))
			return options->words[i];
	return NULL;
}

static int check(const struct command *command, const struct options *options, const struct subcommand *sub)
{
	const char *wrong = first_not_utf8(options);
	size_t n = options->n_words - 1;

	if (wrong != NULL)
		return help_refuse(command, options, "'%s' is not UTF-8 text.", wrong);
	if (n < sub->n_words_min)
		return help_refuse(command, options, "not enough arguments.");
	if (n > sub->n_words_max)
		return help_refuse(command, options, "too many arguments.");
	if (options->percent != NULL && strcmp(sub->name, "trial") != 0)
		return help_refuse(command, options, "--percent is for trials.");
	if (options->percent != NULL && !is_percent(options->percent))
		return help_refuse(command, options, "--percent is a whole number from 1 to 100.");
	return EXIT_OK;
}

static int run(const struct command *command, const struct options *options, const struct subcommand *subcommands)
{
	const struct subcommand *sub = options->n_words > 0 ? find(subcommands, options->words[0]) : NULL;
	struct client client;
	int status;

	if (sub == NULL && options->n_words == 0)
		return help_refuse(command, options, "not enough arguments.");
	if (sub == NULL)
		return help_refuse(command, options, "there is no '%s %s'.", command->name, options->words[0]);
	status = check(command, options, sub);
	if (status != EXIT_OK)
		return status;
	status = client_open(&client, command, options, CLIENT_TIMEOUT_MS);
	if (status == EXIT_OK)
		status = sub->run(&client, options);
	client_close(&client);
	return status;
}

int plugin_run(const struct command *command, const struct options *options)
{
	return run(command, options, of_plugins);
}

int script_run(const struct command *command, const struct options *options)
{
	return run(command, options, of_scripts);
}
