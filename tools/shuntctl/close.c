/* SPDX-License-Identifier: MIT */
/* close_all_connections. */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "formatter.h"

static json_t *close_request(const struct command *command, const struct options *options)
{
	json_t *request = json_pack("{s:s, s:s, s:s}", "command", command->name, "explanation", options->words[0], "vhost",
				    options->vhost != NULL ? options->vhost : "/");

	if (request == NULL)
		return NULL;
	if (options_have(options, OPTION_GLOBAL))
		json_object_set_new(request, "global", json_true());
	if (options_have(options, OPTION_LIMIT))
		json_object_set_new(request, "limit", json_integer(options->limit));
	if (options_have(options, OPTION_PER_CONNECTION_DELAY))
		json_object_set_new(request, "per_connection_delay", json_integer(options->per_connection_delay_ms));
	return request;
}

static int print_banner(struct client *client, const struct options *options)
{
	bool is_global = options_have(options, OPTION_GLOBAL);
	const char *vhost = options->vhost != NULL ? options->vhost : "/", *node;
	json_t *answer = NULL;
	int status = EXIT_OK;

	if (!formatter_wants_banner(options))
		return EXIT_OK;
	if (is_global)
		status = client_call(client, json_pack("{s:s}", "command", "ping"), &answer);
	if (status != EXIT_OK)
		return status;
	node = json_string_value(json_object_get(answer, "node"));
	if (options_have(options, OPTION_LIMIT) && options->limit != 0)
		printf("Closing %u connections ", options->limit);
	else
		printf("Closing all connections ");
	if (is_global)
		printf("to node %s (across all vhosts)", node != NULL ? node : client->path);
	else
		printf("in vhost %s", vhost);
	printf(", reason: %s...\n", options->words[0]);
	fflush(stdout);
	json_decref(answer);
	return EXIT_OK;
}

/* With a delay between them it may take as long as it takes, unless --timeout says otherwise. */
int close_all_run(const struct command *command, const struct options *options)
{
	json_t *request = close_request(command, options), *value = NULL;
	struct client client;
	const char *message;
	int status;

	if (request == NULL) {
		fputs("Error:\nan argument is not valid UTF-8\n", stderr);
		return EXIT_DATA;
	}
	status = client_open(&client, command, options, CLIENT_NO_TIMEOUT);
	if (status == EXIT_OK)
		status = print_banner(&client, options);
	if (status == EXIT_OK)
		status = client_call(&client, request, &value);
	else
		json_decref(request);
	message = json_string_value(json_object_get(value, "message"));
	if (status == EXIT_OK && message != NULL)
		output_message(options, message);
	json_decref(value);
	client_close(&client);
	return status;
}
