/* SPDX-License-Identifier: MIT */
/*
 * autocomplete: what can come next on a command line, one word a line. Its words are those of the line up to the
 * cursor, without the program's name, the last of them not yet whole. bash hands over "--vhost=/" as three words.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "client.h"

static void offer(const char *word, size_t size, const char *prefix)
{
	size_t length = strlen(prefix);

	if (size >= length && memcmp(word, prefix, length) == 0)
		printf("%.*s\n", (int)size, word);
}

/* Words with blanks between. */
static void offer_each(const char *words, const char *prefix)
{
	while (*words != '\0') {
		size_t size = strcspn(words, " ");

		offer(words, size, prefix);
		words += size + strspn(words + size, " ");
	}
}

static void offer_commands(const char *prefix)
{
	for (size_t i = 0; command_tables[i] != NULL; i++)
		for (const struct command *command = command_tables[i]; command->name != NULL; command++)
			offer(command->name, strlen(command->name), prefix);
}

/* ---- What the broker knows ---- */

#define COMPLETE_TIMEOUT_MS 500u /* somebody waits for the key to do something */

/* The names in the first column of a list. A broker that does not answer offers none. */
static void offer_names(const struct options *line, const char *list, const char *prefix)
{
	const struct command command = { .name = list };
	struct options options = { .socket = line->socket };
	struct client client;
	json_t *row;

	if (client_try_open(&client, &command, &options, COMPLETE_TIMEOUT_MS) == 0 &&
	    client_ask(&client, json_pack("{s:s}", "command", list)) == EXIT_OK) {
		while (client_next(&client, &row) == EXIT_OK && row != NULL) {
			const json_t *name = json_array_get(row, 0);

			if (json_is_string(name))
				offer(json_string_value(name), json_string_length(name), prefix);
			json_decref(row);
		}
	}
	client_close(&client);
}

/* ---- Options ---- */

static void offer_option(void *context, const char *name)
{
	const char *prefix = context;
	char text[64];

	snprintf(text, sizeof(text), "--%s", name);
	offer(text, strlen(text), prefix);
}

static void offer_options(const struct command *command, const struct options *line, const char *prefix)
{
	char *copy = mem_strdup(prefix);

	options_each((OPTIONS_GENERAL | (command != NULL ? command->options : 0)) & ~line->given, offer_option, copy);
	mem_free(copy);
}

static void offer_values(const struct options *line, const char *option, const char *prefix)
{
	if (strcmp(option, "--vhost") == 0 || strcmp(option, "-p") == 0)
		offer_names(line, "list_vhosts", prefix);
	else if (strcmp(option, "--user") == 0)
		offer_names(line, "list_users", prefix);
	else if (strcmp(option, "--formatter") == 0)
		offer_each("csv json pretty_table table", prefix);
	else if (strcmp(option, "--unit") == 0)
		offer_each("bytes kb mb gb", prefix);
}

/* ---- Words ---- */

/* The column that is asked for already is not offered once more. */
static void offer_columns(const struct command *command, const struct options *line, const char *prefix)
{
	for (const char *name = command->columns; *name != '\0';) {
		size_t size = strcspn(name, " ");
		bool is_there = false;

		for (size_t i = 0; i < line->n_words; i++)
			is_there |= strlen(line->words[i]) == size && memcmp(line->words[i], name, size) == 0;
		if (!is_there)
			offer(name, size, prefix);
		name += size + strspn(name + size, " ");
	}
}

/* A user that is to be there. */
static bool is_user_wanted(const struct command *command, const struct options *line)
{
	return command->parameters != NULL && line->n_words == 0 && strcmp(command->name, "add_user") != 0 &&
	       strncmp(command->parameters, "user", 4) == 0 && strchr(" *?", command->parameters[4]) != NULL;
}

/* What comes behind is the name of one that runs, and no file. */
static bool is_of_a_script(const char *subcommand)
{
	static const char *const words[] = { "drop", "info", "promote", "reload", "rollback", "trial", "unload" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i], subcommand) == 0)
			return true;
	return false;
}

static void offer_words(const struct options *line, const char *prefix)
{
	const struct command *command;

	if (line->command == NULL) {
		offer_commands(prefix);
		return;
	}
	command = command_find(line->command);
	if (command == NULL)
		return;
	if (command->columns != NULL)
		offer_columns(command, line, prefix);
	else if (is_user_wanted(command, line))
		offer_names(line, "list_users", prefix);
	else if (command->run == help_run && line->n_words == 0)
		offer_commands(prefix);
	else if (command->run == plugin_run && line->n_words == 0)
		offer_each("drop info list load promote reload run trial unload", prefix);
	else if (command->run == script_run && line->n_words == 0)
		offer_each("check drop info list load promote reload rollback test trial unload", prefix);
	else if (command->run == script_run && line->n_words == 1 && is_of_a_script(line->words[0]))
		offer_names(line, "script_list", prefix);
}

/* ---- The line ---- */

/* The whole words, with "--name", "=" and "value" put together again; argv[0] is not looked at. */
static int whole_words(const char *const *words, size_t n, char **ret_argv)
{
	int argc = 1;

	ret_argv[0] = mem_strdup("shuntctl");
	for (size_t i = 0; i < n; i++) {
		bool is_joined = argc > 1 && strcmp(words[i], "=") == 0 && i + 1 < n;
		char *before = is_joined ? ret_argv[argc - 1] : NULL;

		if (is_joined) {
			ret_argv[argc - 1] = mem_printf("%s=%s", before, words[++i]);
			mem_free(before);
		} else {
			ret_argv[argc++] = mem_strdup(words[i]);
		}
	}
	ret_argv[argc] = NULL;
	return argc;
}

/* The option that the last word is the value of; NULL: of none. */
static const char *option_before(const char *const *words, size_t n)
{
	const char *last = n >= 2 ? words[n - 2] : "";

	if (strcmp(last, "=") == 0)
		return n >= 3 ? words[n - 3] : "";
	if (strcmp(words[n - 1], "=") == 0)
		return last;
	return option_takes_value(last) ? last : NULL;
}

static void complete(const char *const *words, size_t n)
{
	const char *prefix = strcmp(words[n - 1], "=") == 0 ? "" : words[n - 1];
	const char *option = option_before(words, n);
	char **argv = mem_zalloc((n + 2) * sizeof(*argv));
	int argc = whole_words(words, n - 1, argv);
	struct options line;

	options_parse(&line, argc, argv);
	if (option != NULL)
		offer_values(&line, option, prefix);
	else if (prefix[0] == '-')
		offer_options(line.command != NULL ? command_find(line.command) : NULL, &line, prefix);
	else
		offer_words(&line, prefix);
	options_fini(&line);
	for (int i = 0; i < argc; i++)
		mem_free(argv[i]);
	mem_free(argv);
}

int complete_run(const struct command *command, const struct options *options)
{
	static const char *const nothing[] = { "" };

	(void)command;
	if (options->n_words != 0)
		complete(options->words, options->n_words);
	else
		complete(nothing, 1);
	return EXIT_OK;
}
