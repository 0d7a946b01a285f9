/* SPDX-License-Identifier: MIT */
/*
 * Commands that are one request: their arguments become its members, the answer's "message", if there is one, is
 * printed.
 */
#include "call.h"

#include <stdio.h>
#include <string.h>

#include "formatter.h"

/* ---- Arguments and their names ---- */

/* One name of the parameters, and what stands for it on the command line. */
struct argument {
	const char *name;
	size_t size; /* of the name */
	char kind; /* '?', '*' or 0 */
	size_t first, count; /* of the words */
};

/* Goes to the next one; false at the end. *at begins with the parameters. */
static bool argument_next(const char **at, const struct options *options, struct argument *argument)
{
	size_t size = strcspn(*at, " "), end = argument->first + argument->count;
	char last;

	if (size == 0)
		return false;
	last = (*at)[size - 1];
	argument->kind = last == '?' || last == '*' ? last : '\0';
	argument->name = *at;
	argument->size = size - (argument->kind != '\0');
	argument->first = end;
	argument->count = end < options->n_words ? (last == '*' ? options->n_words - end : 1) : 0;
	*at += size + strspn(*at + size, " ");
	return true;
}

static bool argument_find(const struct command *command, const struct options *options, const char *name, size_t size,
			  struct argument *ret_argument)
{
	const char *at = command->parameters != NULL ? command->parameters : "";
	struct argument argument = { .name = NULL };

	while (argument_next(&at, options, &argument)) {
		if (argument.size == size && memcmp(argument.name, name, size) == 0) {
			*ret_argument = argument;
			return true;
		}
	}
	return false;
}

/* ---- Banners ---- */

static void print_argument(const struct argument *argument, const struct options *options, struct buffer *out)
{
	for (size_t i = 0; i < argument->count; i++) {
		buffer_append_cstr(out, i != 0 ? ", " : "");
		buffer_append_cstr(out, options->words[argument->first + i]);
	}
}

static void print_value(const struct command *command, const struct options *options, const char *name, size_t size,
			struct buffer *out)
{
	struct argument argument;

	if (argument_find(command, options, name, size, &argument))
		print_argument(&argument, options, out);
	else if (size == 5 && memcmp(name, "vhost", 5) == 0)
		buffer_append_cstr(out, options->vhost != NULL ? options->vhost : "/");
	else if (size == 7 && memcmp(name, "timeout", 7) == 0)
		buffer_printf(out, "%u",
			      options_have(options, OPTION_TIMEOUT) ? options->timeout_s : CLIENT_TIMEOUT_MS / 1000);
	else if (size == 7 && memcmp(name, "program", 7) == 0)
		buffer_append_cstr(out, program_name);
}

/* The text with what its {NAME}s stand for. */
static void print_template(const struct command *command, const struct options *options, const char *text,
			   struct buffer *out)
{
	for (const char *c = text; *c != '\0'; c++) {
		const char *end = *c == '{' ? strchr(c, '}') : NULL;

		if (end == NULL) {
			buffer_append_byte(out, (uint8_t)*c);
			continue;
		}
		print_value(command, options, c + 1, (size_t)(end - c - 1), out);
		c = end;
	}
}

void command_print_banner(const struct command *command, const struct options *options)
{
	struct buffer text;

	if (command->banner == NULL || !formatter_wants_banner(options))
		return;
	buffer_init(&text);
	print_template(command, options, command->banner, &text);
	puts(buffer_cstr(&text));
	buffer_fini(&text);
	fflush(stdout);
}

/* ---- The request ---- */

/* The member for an argument; NULL: it is not valid UTF-8. */
static json_t *argument_value(const struct argument *argument, const struct options *options)
{
	json_t *array;

	if (argument->kind != '*')
		return json_string(options->words[argument->first]);
	array = json_array();
	for (size_t i = 0; i < argument->count; i++) {
		if (json_array_append_new(array, json_string(options->words[argument->first + i])) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *call_request(const struct command *command, const struct options *options)
{
	json_t *request = json_pack("{s:s}", "command", command->name);
	const char *at = command->parameters != NULL ? command->parameters : "";
	struct argument argument = { .name = NULL };
	bool is_good = true;

	while (argument_next(&at, options, &argument)) {
		char key[64];

		snprintf(key, sizeof(key), "%.*s", (int)argument.size, argument.name);
		if (argument.count != 0 || argument.kind == '*')
			is_good &= json_object_set_new(request, key, argument_value(&argument, options)) == 0;
	}
	if (command->has_vhost && json_object_get(request, "vhost") == NULL)
		is_good &= json_object_set_new(request, "vhost",
					       json_string(options->vhost != NULL ? options->vhost : "/")) == 0;
	if (is_good)
		return request;
	json_decref(request);
	fputs("Error:\nan argument is not valid UTF-8\n", stderr);
	return NULL;
}

/* The secret, if it is not in the request yet. An exit status. */
static int add_secret(const struct command *command, const struct options *options, json_t *request)
{
	char *secret;
	int status = EXIT_OK;

	if (command->secret == NULL || json_object_get(request, command->secret) != NULL)
		return EXIT_OK;
	secret = secret_read(options);
	if (secret == NULL) {
		status = strcmp(command->name, "add_user") == 0 ? EXIT_DATA : EXIT_SOFTWARE; /* as rabbitmqctl */
	} else if (json_object_set_new(request, command->secret, json_string(secret)) != 0) {
		fputs("Error:\nthe password is not valid UTF-8\n", stderr);
		status = EXIT_DATA;
	}
	secret_free(secret);
	return status;
}

/* ---- The answer ---- */

/* What is said when it went well, if anything is. */
static void print_farewell(const struct command *command, const struct options *options, const json_t *value,
			   const char *node)
{
	const char *message = json_string_value(json_object_get(value, "message"));
	struct buffer text;

	buffer_init(&text);
	if (command->farewell != NULL)
		print_template(command, options, command->farewell, &text);
	if (message != NULL)
		output_message(options, message);
	else if (formatter_is_json(options))
		output_result(command->farewell != NULL ? buffer_cstr(&text) : NULL, node);
	else if (command->farewell != NULL && formatter_wants_banner(options))
		output_message(options, buffer_cstr(&text));
	buffer_fini(&text);
}

/* With JSON the node's name is part of the answer. */
static int print_answer(struct client *client, const struct command *command, const struct options *options,
			const json_t *value)
{
	json_t *who = NULL;
	int status = EXIT_OK;

	if (formatter_is_json(options) && json_object_get(value, "message") == NULL)
		status = client_call(client, json_pack("{s:s}", "command", "ping"), &who);
	if (status == EXIT_OK)
		print_farewell(command, options, value, json_string_value(json_object_get(who, "node")));
	json_decref(who);
	return status;
}

int call_confirm(struct client *client, const struct options *options)
{
	static const struct command plain = { .name = "ping" };

	return print_answer(client, &plain, options, NULL);
}

int call_run(const struct command *command, const struct options *options)
{
	return call_send(command, options, call_request(command, options));
}

int call_send(const struct command *command, const struct options *options, json_t *request)
{
	json_t *value = NULL;
	struct client client;
	int status;

	if (request == NULL)
		return EXIT_DATA;
	status = client_open(&client, command, options, CLIENT_TIMEOUT_MS);
	if (status == EXIT_OK) {
		command_print_banner(command, options);
		status = add_secret(command, options, request);
	}
	if (status == EXIT_OK)
		status = client_call(&client, json_incref(request), &value);
	json_decref(request);
	if (status == EXIT_OK)
		status = print_answer(&client, command, options, value);
	json_decref(value);
	client_close(&client);
	return status;
}
