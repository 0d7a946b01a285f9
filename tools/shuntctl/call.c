/* SPDX-License-Identifier: MIT */
/*
 * Commands that are one request: their arguments become its members, the answer's "message", if there is one, is
 * printed.
 */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "client.h"
#include "formatter.h"

/* The argument with that name; NULL: it was not given, or there is none of it. */
static const char *find_argument(const struct command *command, const struct options *options, const char *wanted,
				 size_t wanted_size)
{
	const char *name = command->parameters != NULL ? command->parameters : "";

	for (size_t i = 0; *name != '\0' && i < options->n_words; i++) {
		size_t size = strcspn(name, " ");
		bool is_optional = name[size - 1] == '?';

		if (size - is_optional == wanted_size && memcmp(name, wanted, wanted_size) == 0)
			return options->words[i];
		name += size + strspn(name + size, " ");
	}
	return NULL;
}

static void print_value(const struct command *command, const struct options *options, const char *name, size_t size)
{
	const char *argument = find_argument(command, options, name, size);

	if (size == 5 && memcmp(name, "vhost", 5) == 0 && argument == NULL)
		argument = options->vhost != NULL ? options->vhost : "/";
	if (size == 7 && memcmp(name, "timeout", 7) == 0)
		printf("%u", options_have(options, OPTION_TIMEOUT) ? options->timeout_s : CLIENT_TIMEOUT_MS / 1000);
	else
		fputs(argument != NULL ? argument : "", stdout);
}

void command_print_banner(const struct command *command, const struct options *options)
{
	if (command->banner == NULL || !formatter_wants_banner(options))
		return;
	for (const char *c = command->banner; *c != '\0'; c++) {
		const char *end = *c == '{' ? strchr(c, '}') : NULL;

		if (end == NULL) {
			putchar(*c);
			continue;
		}
		print_value(command, options, c + 1, (size_t)(end - c - 1));
		c = end;
	}
	putchar('\n');
	fflush(stdout);
}

json_t *call_request(const struct command *command, const struct options *options)
{
	json_t *request = json_pack("{s:s}", "command", command->name);
	const char *name = command->parameters != NULL ? command->parameters : "";
	bool is_good = true;

	for (size_t i = 0; *name != '\0' && i < options->n_words; i++) {
		size_t size = strcspn(name, " "), bare = size - (name[size - 1] == '?');
		char key[64];

		snprintf(key, sizeof(key), "%.*s", (int)bare, name);
		is_good &= json_object_set_new(request, key, json_string(options->words[i])) == 0;
		name += size + strspn(name + size, " ");
	}
	if (command->has_vhost && json_object_get(request, "vhost") == NULL)
		is_good &= json_object_set_new(request, "vhost",
					       json_string(options->vhost != NULL ? options->vhost : "/")) == 0;
	if (is_good)
		return request;
	json_decref(request);
	return NULL;
}

int call_run(const struct command *command, const struct options *options)
{
	return call_send(command, options, call_request(command, options));
}

int call_send(const struct command *command, const struct options *options, json_t *request)
{
	json_t *value = NULL;
	struct client client;
	const char *message;
	int status;

	if (request == NULL) {
		fputs("Error:\nan argument is not valid UTF-8\n", stderr);
		return EXIT_DATA;
	}
	status = client_open(&client, command, options, CLIENT_TIMEOUT_MS);
	if (status == EXIT_OK) {
		command_print_banner(command, options);
		status = client_call(&client, request, &value);
	} else {
		json_decref(request);
	}
	message = json_string_value(json_object_get(value, "message"));
	if (status == EXIT_OK && message != NULL)
		output_message(options, message);
	json_decref(value);
	client_close(&client);
	return status;
}
