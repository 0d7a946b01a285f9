/* SPDX-License-Identifier: MIT */
/* The list commands: one request, and rows until the end. */
#include "call.h"

#include <stdio.h>
#include <string.h>

#include "formatter.h"

/* The columns that were asked for, each once. */
static json_t *list_columns(const struct options *options)
{
	json_t *columns = json_array(), *seen = json_object();

	for (size_t i = 0; i < options->n_words; i++) {
		const char *name = options->words[i];

		for (size_t size; *name != '\0'; name += size + strspn(name + size, ",")) {
			json_t *column;

			size = strcspn(name, ",");
			if (size == 0)
				continue;
			column = json_stringn(name, size);
			if (json_object_get(seen, json_string_value(column)) == NULL)
				json_array_append(columns, column);
			json_object_set_new(seen, json_string_value(column), json_true());
			json_decref(column);
		}
	}
	json_decref(seen);
	return columns;
}

static json_t *list_request(const struct command *command, const struct options *options)
{
	json_t *request;

	if (command->columns == NULL)
		return call_request(command, options);
	request = json_pack("{s:s, s:o}", "command", command->name, "columns", list_columns(options));
	/* not valid UTF-8: no vhost has such a name */
	if (request != NULL && options->vhost != NULL &&
	    json_object_set_new(request, "vhost", json_string(options->vhost)) != 0)
		json_object_set_new(request, "vhost", json_string("?"));
	return request;
}

/* All queues are on this node. */
static bool list_is_empty(const struct options *options)
{
	return options_have(options, OPTION_OFFLINE) && !options_have(options, OPTION_ONLINE) &&
	       !options_have(options, OPTION_LOCAL);
}

static int list_rows(struct client *client, const struct command *command, const struct options *options,
		     json_t *columns)
{
	bool is_empty = list_is_empty(options);
	struct output output;
	json_t *row;
	int status;

	output_begin(&output, options, columns, command->columns == NULL);
	output.with_header &= !command->has_no_titles;
	while ((status = client_next(client, &row)) == EXIT_OK && row != NULL) {
		if (!is_empty)
			output_row(&output, row);
		json_decref(row);
	}
	if (status == EXIT_OK)
		output_end(&output);
	output_fini(&output);
	return status;
}

static int list_answer(struct client *client, const struct command *command, const struct options *options)
{
	json_t *line, *columns;
	int status = client_next(client, &line);

	if (status != EXIT_OK)
		return status;
	columns = json_incref(json_object_get(line, "columns"));
	json_decref(line);
	if (!json_is_array(columns)) {
		json_decref(columns);
		fputs("Error: an answer without columns\n", stderr);
		return EXIT_SOFTWARE;
	}
	return list_rows(client, command, options, columns);
}

int list_run(const struct command *command, const struct options *options)
{
	json_t *request = list_request(command, options);
	struct client client;
	int status;

	if (request == NULL)
		return EXIT_DATA;
	status = client_open(&client, command, options, CLIENT_TIMEOUT_MS);
	if (status == EXIT_OK) {
		command_print_banner(command, options);
		status = client_ask(&client, json_incref(request));
	}
	json_decref(request);
	if (status == EXIT_OK)
		status = list_answer(&client, command, options);
	client_close(&client);
	return status;
}
