/* SPDX-License-Identifier: MIT */
/* The `plugin` command: what there is of plugins, and changing them while the broker runs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "amqp/cursor.h"
#include "base/mem.h"
#include "cell.h"
#include "client.h"
#include "formatter.h"
#include "help.h"
#include "plugin_info.h"

static bool wants_json(const struct options *options)
{
	return options->formatter != NULL && strcmp(options->formatter, "json") == 0;
}

/* The broker has another working directory, and knows a file by its '/'. What is no file here is a name there. */
static char *file_of(const char *word)
{
	char *here, *path;

	if (word[0] == '/' || (strchr(word, '/') == NULL && access(word, F_OK) != 0))
		return mem_strdup(word);
	here = getcwd(NULL, 0);
	path = mem_printf("%s/%s", here != NULL ? here : ".", word);
	free(here);
	return path;
}

/* ---- list ---- */

/* An array of names does for JSON only. */
static json_t *shown_row(const struct options *options, json_t *row)
{
	json_t *shown = json_array();
	struct buffer names;
	json_t *cell;
	size_t i, j;

	json_array_foreach(row, i, cell) {
		json_t *name;

		if (!json_is_array(cell) || wants_json(options)) {
			json_array_append(shown, cell);
			continue;
		}
		buffer_init(&names);
		json_array_foreach(cell, j, name)
			buffer_printf(&names, "%s%s", j != 0 ? ", " : "", json_string_value(name));
		json_array_append_new(shown, json_string(buffer_cstr(&names)));
		buffer_fini(&names);
	}
	return shown;
}

static int list_rows(struct client *client, const struct options *options, json_t *columns)
{
	struct output output;
	json_t *row, *shown;
	int status;

	output_begin(&output, options, columns, false);
	while ((status = client_next(client, &row)) == EXIT_OK && row != NULL) {
		shown = shown_row(options, row);
		output_row(&output, shown);
		json_decref(shown);
		json_decref(row);
	}
	if (status == EXIT_OK)
		output_end(&output);
	output_fini(&output);
	return status;
}

static int run_list(struct client *client, const struct options *options)
{
	json_t *line, *columns;
	int status = client_ask(client, json_pack("{s:s}", "command", "plugin_list"));

	if (status == EXIT_OK)
		status = client_next(client, &line);
	if (status != EXIT_OK)
		return status;
	columns = json_incref(json_object_get(line, "columns"));
	json_decref(line);
	if (formatter_wants_banner(options))
		puts("Listing plugins ...");
	return list_rows(client, options, columns);
}

/* ---- info ---- */

static int run_info(struct client *client, const struct options *options)
{
	json_t *value = NULL;
	struct buffer text;
	int status = client_call(client, json_pack("{s:s, s:s}", "command", "plugin_info", "name", options->words[1]),
				 &value);

	if (status == EXIT_OK && wants_json(options)) {
		buffer_init(&text);
		cell_print_json(value, &text);
		puts(buffer_cstr(&text));
		buffer_fini(&text);
	} else if (status == EXIT_OK) {
		plugin_info_print(value);
	}
	json_decref(value);
	return status;
}

/* ---- Changes ---- */

static int ask_for_change(struct client *client, const struct options *options, json_t *request)
{
	json_t *value = NULL;
	int status;

	if (options->percent != NULL)
		json_object_set_new(request, "percent", json_integer(atoi(options->percent)));
	status = client_call(client, request, &value);
	if (status == EXIT_OK && json_is_string(value))
		output_message(options, json_string_value(value));
	json_decref(value);
	return status;
}

/* The words are UTF-8, but where we are may not be. */
static int run_change(struct client *client, const struct options *options)
{
	const char *operation = options->words[0], *name = options->words[1];
	bool is_load = strcmp(operation, "load") == 0;
	char *path = is_load ? file_of(name) : NULL, *file = options->n_words > 2 ? file_of(options->words[2]) : NULL;
	json_t *request = json_pack("{s:s, s:s, s:s, s:s?}", "command", "plugin_change", "operation", operation, "name",
				    is_load ? path : name, "file", file);
	int status = EXIT_USAGE;

	if (request != NULL)
		status = ask_for_change(client, options, request);
	else
		fprintf(stderr, "Error: '%s' is not UTF-8 text\n", is_load ? path : file);
	mem_free(path);
	mem_free(file);
	return status;
}

/* ---- run ---- */

static int run_run(struct client *client, const struct options *options)
{
	json_t *arguments = json_array(), *line;
	int status;

	for (size_t i = 3; i < options->n_words; i++)
		json_array_append_new(arguments, json_string(options->words[i]));
	status = client_ask(client, json_pack("{s:s, s:s, s:s, s:o}", "command", "plugin_run", "name",
					      options->words[1], "run", options->words[2], "arguments", arguments));
	while (status == EXIT_OK && (status = client_next(client, &line)) == EXIT_OK && line != NULL) {
		const json_t *text = json_object_get(line, "text");

		fwrite(json_string_value(text), 1, json_string_length(text), stdout);
		fflush(stdout);
		json_decref(line);
	}
	return status;
}

/* ---- The command ---- */

static const struct subcommand {
	const char *name;
	size_t n_words_min, n_words_max; /* behind it */
	int (*run)(struct client *client, const struct options *options);
} subcommands[] = {
	{ "list", 0, 0, run_list },	 { "info", 1, 1, run_info },	   { "load", 1, 1, run_change },
	{ "reload", 1, 2, run_change },	 { "unload", 1, 1, run_change },   { "trial", 2, 2, run_change },
	{ "promote", 1, 1, run_change }, { "drop", 1, 1, run_change },	   { "run", 2, SIZE_MAX, run_run },
};

static const struct subcommand *find(const char *name)
{
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(*subcommands); i++)
		if (strcmp(subcommands[i].name, name) == 0)
			return &subcommands[i];
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

int plugin_run(const struct command *command, const struct options *options)
{
	const struct subcommand *sub = options->n_words > 0 ? find(options->words[0]) : NULL;
	struct client client;
	int status;

	if (sub == NULL)
		return help_refuse(command, options, options->n_words > 0 ? "there is no 'plugin %s'."
									   : "not enough arguments.%s",
				   options->n_words > 0 ? options->words[0] : "");
	status = check(command, options, sub);
	if (status != EXIT_OK)
		return status;
	status = client_open(&client, command, options, CLIENT_TIMEOUT_MS);
	if (status == EXIT_OK)
		status = sub->run(&client, options);
	client_close(&client);
	return status;
}
