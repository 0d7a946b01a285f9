/* SPDX-License-Identifier: MIT */
/* Commands on vhosts that are more than one request made of their arguments. */
#include <stdio.h>
#include <stdlib.h>

#include "call.h"
#include "formatter.h"

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

/* ---- Limits ---- */

/* As rabbitmqctl has it for this command: an empty list, or the limits as a text beside the node's name. */
static int print_limits_as_json(struct client *client, const char *limits)
{
	json_t *who = NULL, *answer;
	char *line;
	int status = EXIT_OK;

	if (*limits == '\0') {
		puts("[]");
		return EXIT_OK;
	}
	status = client_call(client, json_pack("{s:s}", "command", "ping"), &who);
	if (status == EXIT_OK) {
		answer = json_pack("{s:O, s:s, s:s}", "node", json_object_get(who, "node"), "result", "ok", "value", limits);
		line = json_dumps(answer, JSON_COMPACT);
		puts(line != NULL ? line : "");
		free(line);
		json_decref(answer);
	}
	json_decref(who);
	return status;
}

static int list_limits_of_one(const struct command *command, const struct options *options)
{
	json_t *request = call_request(command, options), *value = NULL;
	struct client client;
	int status;

	if (request == NULL)
		return EXIT_DATA;
	status = client_open(&client, command, options, CLIENT_TIMEOUT_MS);
	if (status == EXIT_OK) {
		command_print_banner(command, options);
		status = client_call(&client, json_incref(request), &value);
	}
	json_decref(request);
	if (status == EXIT_OK) {
		const char *limits = text_of(json_string_value(json_object_get(value, "message")));

		if (formatter_is_json(options))
			status = print_limits_as_json(&client, limits);
		else
			output_message(options, limits);
	}
	json_decref(value);
	client_close(&client);
	return status;
}

/* Of one vhost, or a list of those that have any. */
int list_vhost_limits_run(const struct command *command, const struct options *options)
{
	struct command variant = *command;

	if (options_have(options, OPTION_GLOBAL)) {
		variant.banner = "Listing limits for all vhosts ...";
		return list_run(&variant, options);
	}
	variant.has_vhost = true;
	variant.banner = "Listing limits for vhost \"{vhost}\" ...";
	return list_limits_of_one(&variant, options);
}
