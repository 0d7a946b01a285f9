/* SPDX-License-Identifier: MIT */
#include "plugin_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cell.h"
#include "formatter.h"
#include "plugin_info.h"

static bool wants_json(const struct options *options)
{
	return options->formatter != NULL && strcmp(options->formatter, "json") == 0;
}

/* Of `shuntctl script`, or of `shuntctl plugin`. */
static bool are_scripts(const struct options *options)
{
	return strcmp(options->command, "script") == 0;
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

int plugin_call_list(struct client *client, const struct options *options)
{
	json_t *line, *columns;
	bool scripts = are_scripts(options);
	int status = client_ask(client, json_pack("{s:s}", "command", scripts ? "script_list" : "plugin_list"));

	if (status == EXIT_OK)
		status = client_next(client, &line);
	if (status != EXIT_OK)
		return status;
	columns = json_incref(json_object_get(line, "columns"));
	json_decref(line);
	if (formatter_wants_banner(options))
		puts(scripts ? "Listing scripts ..." : "Listing plugins ...");
	return list_rows(client, options, columns);
}

/* ---- info ---- */

int plugin_call_info(struct client *client, const struct options *options)
{
	json_t *value = NULL;
	struct buffer text;
	const char *command = are_scripts(options) ? "script_info" : "plugin_info";
	int status = client_call(client, json_pack("{s:s, s:s}", "command", command, "name", options->words[1]),
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
static int refuse_path(const char *path)
{
	fprintf(stderr, "Error: '%s' is not UTF-8 text\n", path);
	return EXIT_USAGE;
}

int plugin_call_change(struct client *client, const struct options *options)
{
	const char *operation = options->words[0], *name = options->words[1];
	bool is_load = strcmp(operation, "load") == 0;
	char *path = is_load ? file_of(name) : NULL, *file = options->n_words > 2 ? file_of(options->words[2]) : NULL;
	json_t *request = json_pack("{s:s, s:s, s:s, s:s?, s:b}", "command", "plugin_change", "operation", operation,
				    "name", is_load ? path : name, "file", file, "script", are_scripts(options));
	int status;

	if (request != NULL)
		status = ask_for_change(client, options, request);
	else
		status = refuse_path(is_load ? path : file);
	mem_free(path);
	mem_free(file);
	return status;
}

/* ---- run ---- */

/* As they come, until the end of the answer. */
static int print_texts(struct client *client, bool *ret_has_text)
{
	json_t *line;
	int status;

	*ret_has_text = false;
	while ((status = client_next(client, &line)) == EXIT_OK && line != NULL) {
		const json_t *text = json_object_get(line, "text");

		fwrite(json_string_value(text), 1, json_string_length(text), stdout);
		fflush(stdout);
		*ret_has_text = true;
		json_decref(line);
	}
	return status;
}

int plugin_call_run(struct client *client, const struct options *options)
{
	json_t *arguments = json_array();
	bool has_text;
	int status;

	for (size_t i = 3; i < options->n_words; i++)
		json_array_append_new(arguments, json_string(options->words[i]));
	status = client_ask(client, json_pack("{s:s, s:s, s:s, s:o}", "command", "plugin_run", "name",
					      options->words[1], "run", options->words[2], "arguments", arguments));
	return status == EXIT_OK ? print_texts(client, &has_text) : status;
}

/* ---- check, test ---- */

/* KEY=VALUE, as script.NAME.KEY = VALUE in the configuration. NULL, with what is wrong printed. */
static json_t *settings_of(const struct options *options)
{
	json_t *settings = json_object();

	for (size_t i = 2; i < options->n_words; i++) {
		const char *word = options->words[i], *equals = strchr(word, '=');
		char *key;

		if (equals == NULL || equals == word) {
			fprintf(stderr, "Error: '%s' is no setting: KEY=VALUE expected\n", word);
			json_decref(settings);
			return NULL;
		}
		key = mem_printf("%.*s", (int)(equals - word), word);
		json_object_set_new(settings, key, json_string(equals + 1));
		mem_free(key);
	}
	return settings;
}

int plugin_call_check(struct client *client, const struct options *options)
{
	bool has_text, is_test = strcmp(options->words[0], "test") == 0;
	json_t *settings = settings_of(options), *request;
	char *file;
	int status;

	if (settings == NULL)
		return EXIT_USAGE;
	file = file_of(options->words[1]);
	request = json_pack("{s:s, s:s, s:b, s:o}", "command", "script_check", "name", file, "test", is_test, "settings",
			    settings);
	status = request != NULL ? client_ask(client, request) : refuse_path(file);
	if (status == EXIT_OK)
		status = print_texts(client, &has_text);
	if (status == EXIT_OK && !has_text)
		output_message(options, "nothing is wrong with it");
	mem_free(file);
	return status;
}
