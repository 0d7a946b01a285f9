/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "formatter.h"
#include "help.h"

extern const struct command commands_help[], commands_nodes[], commands_users[], commands_access[];
extern const struct command commands_monitoring[], commands_vhosts[], commands_settings[];
extern const struct command commands_definitions[], commands_operations[], commands_queues[], commands_plugins[];

/* In the order of help; each table ends with a name of NULL. */
const struct command *const command_tables[] = {
	commands_help, commands_nodes, commands_users, commands_access, commands_monitoring, commands_vhosts,
	commands_settings, commands_definitions, commands_operations, commands_queues, commands_plugins, NULL,
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; command_tables[i] != NULL; i++)
		for (const struct command *command = command_tables[i]; command->name != NULL; command++)
			if (strcmp(command->name, name) == 0)
				return command;
	return NULL;
}

/* ---- Guessing ---- */

#define GUESS_NAME_MAX 64u
#define GUESS_DISTANCE_MAX 4u

/* How many letters have to be inserted, left out or replaced. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[GUESS_NAME_MAX + 1], size = (unsigned)strlen(b);

	for (unsigned j = 0; j <= size; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= size; j++) {
			unsigned above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

			best = above + 1 < best ? above + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = above;
		}
	}
	return row[size];
}

struct guess {
	const struct command *nearest;
	unsigned least;
};

static void guess_among(struct guess *guess, const struct command *table, const char *name)
{
	for (const struct command *command = table; command->name != NULL; command++) {
		unsigned distance = edit_distance(command->name, name);

		/* not more than a third of it may be wrong */
		if (distance < guess->least && distance * 3 <= strlen(command->name)) {
			guess->least = distance;
			guess->nearest = command;
		}
	}
}

const struct command *command_guess(const char *name)
{
	struct guess guess = {NULL, GUESS_DISTANCE_MAX + 1};

	if (strlen(name) > GUESS_NAME_MAX)
		return NULL;
	for (size_t i = 0; command_tables[i] != NULL; i++)
		guess_among(&guess, command_tables[i], name);
	return guess.nearest;
}

/* ---- Checking the command line ---- */

bool command_has_column(const struct command *command, const char *name, size_t size)
{
	for (const char *word = command->columns; *word != '\0';) {
		size_t length = strcspn(word, " ");

		if (length == size && memcmp(word, name, size) == 0)
			return true;
		word += length + strspn(word + length, " ");
	}
	return false;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Words are columns, some perhaps with commas between. The unknown ones in order, as "a,b". */
static void print_unknown_columns(const struct command *command, const struct options *options, struct buffer *ret_text)
{
	char **unknown = NULL;
	size_t n = 0;

	for (size_t i = 0; i < options->n_words; i++) {
		const char *name = options->words[i];

		for (size_t size; *name != '\0'; name += size + strspn(name + size, ",")) {
			size = strcspn(name, ",");
			if (size == 0 || command_has_column(command, name, size))
				continue;
			unknown = mem_realloc(unknown, (n + 1) * sizeof(*unknown));
			unknown[n++] = mem_printf("%.*s", (int)size, name);
		}
	}
	if (n != 0)
		qsort(unknown, n, sizeof(*unknown), compare_texts);
	for (size_t i = 0; i < n; i++) {
		buffer_printf(ret_text, "%s%s", i != 0 ? "," : "", unknown[i]);
		mem_free(unknown[i]);
	}
	mem_free(unknown);
}

static int check_parameters(const struct command *command, const struct options *options)
{
	size_t least = 0, most = 0;

	for (const char *name = command->parameters; *name != '\0'; most++) {
		size_t size = strcspn(name, " ");

		if (name[size - 1] == '*')
			most = SIZE_MAX - 1;
		else if (name[size - 1] != '?')
			least++;
		name += size + strspn(name + size, " ");
	}
	if (options->n_words < least)
		return help_refuse(command, options, "not enough arguments.");
	if (options->n_words > most)
		return help_refuse(command, options, "too many arguments.");
	return EXIT_OK;
}

static int check_words(const struct command *command, const struct options *options)
{
	struct buffer unknown;
	int status = EXIT_OK;

	if (command->columns == NULL && command->parameters != NULL)
		return check_parameters(command, options);
	if (command->columns == NULL) {
		if (options->n_words > command->n_words_max)
			return help_refuse(command, options, "too many arguments.");
		return EXIT_OK;
	}
	buffer_init(&unknown);
	print_unknown_columns(command, options, &unknown);
	if (unknown.size != 0)
		status = help_refuse(command, options, "Info key(s) %s are not supported", buffer_cstr(&unknown));
	buffer_fini(&unknown);
	return status;
}

int command_check(const struct command *command, struct options *options)
{
	uint64_t allowed = OPTIONS_GENERAL | command->options;

	if (options->formatter != NULL && formatter_find(options->formatter) == NULL)
		return help_refuse(command, options, "Formatter '%s' is not supported: use table, json, csv or pretty_table",
				   options->formatter);
	/* it belongs to the table */
	if (options->formatter != NULL && strcmp(options->formatter, "table") != 0)
		allowed &= ~(uint64_t)OPTION_NO_TABLE_HEADERS;
	options_restrict(options, allowed);
	if (options->invalid.size != 0)
		return help_refuse(command, options, "Invalid options for this command:\n%.*s",
				   (int)(options->invalid.size - 1), buffer_cstr(&options->invalid));
	return check_words(command, options);
}
