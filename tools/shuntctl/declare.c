/* SPDX-License-Identifier: MIT */
/* declare_* and delete_*: requests with what their options say. */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "help.h"

static void put_truth(json_t *request, const char *key, const struct options *options, uint64_t option, bool value)
{
	if (options_have(options, option))
		json_object_set_new(request, key, json_boolean(value));
}

/* NULL: what was given is no JSON object, and has been refused. */
static json_t *read_arguments(const struct command *command, const struct options *options, int *ret_status)
{
	json_error_t error;
	json_t *arguments = json_object();

	if (options->arguments != NULL) {
		json_decref(arguments);
		arguments = json_loads(options->arguments, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	}
	if (json_is_object(arguments))
		return arguments;
	*ret_status = help_refuse(command, options, "arguments are no JSON object: %s",
				  arguments != NULL ? options->arguments : error.text);
	json_decref(arguments);
	return NULL;
}

/* An exchange's type is a member, a queue's one of its arguments. */
static void put_type(json_t *request, json_t *arguments, const struct options *options)
{
	if (options->type == NULL)
		return;
	if (json_object_get(request, "exchange") != NULL)
		json_object_set_new(request, "type", json_string(options->type));
	else
		json_object_set_new(arguments, "x-queue-type", json_string(options->type));
}

static void put_options(json_t *request, const struct options *options)
{
	put_truth(request, "durable", options, OPTION_DURABLE, options->durable);
	put_truth(request, "auto_delete", options, OPTION_AUTO_DELETE, options->auto_delete);
	put_truth(request, "internal", options, OPTION_INTERNAL, options->internal);
	put_truth(request, "if_empty", options, OPTION_IF_EMPTY, true);
	put_truth(request, "if_unused", options, OPTION_IF_UNUSED, true);
	if (options->destination_type != NULL)
		json_object_set_new(request, "destination_type", json_string(options->destination_type));
}

static const char *delete_queue_banner(const struct options *options)
{
	bool if_empty = options_have(options, OPTION_IF_EMPTY), if_unused = options_have(options, OPTION_IF_UNUSED);

	if (if_empty && if_unused)
		return "Deleting queue '{queue_name}' on vhost '{vhost}' if queue is empty and if queue is unused ...";
	if (if_empty)
		return "Deleting queue '{queue_name}' on vhost '{vhost}' if queue is empty ...";
	if (if_unused)
		return "Deleting queue '{queue_name}' on vhost '{vhost}' if queue is unused ...";
	return "Deleting queue '{queue_name}' on vhost '{vhost}' ...";
}

static const char *banner_of(const struct command *command, const struct options *options, bool to_exchange)
{
	static const struct {
		const char *command, *queue, *exchange;
	} banners[] = {
		{ "declare_binding",
		  "Binding queue '{destination}' to exchange '{source}' with routing key '{routing_key}' in vhost '{vhost}' ...",
		  "Binding exchange '{destination}' to exchange '{source}' with routing key '{routing_key}' in vhost "
		  "'{vhost}' ..." },
		{ "delete_binding",
		  "Unbinding queue '{destination}' from exchange '{source}' with routing key '{routing_key}' in vhost "
		  "'{vhost}' ...",
		  "Unbinding exchange '{destination}' from exchange '{source}' with routing key '{routing_key}' in vhost "
		  "'{vhost}' ..." },
		{ "declare_exchange", "Declaring exchange '{exchange}' in vhost '{vhost}' ...", NULL },
		{ "delete_exchange", "Deleting exchange '{exchange}' in vhost '{vhost}' ...", NULL },
		{ "declare_queue", "Declaring queue '{queue}' in vhost '{vhost}' ...", NULL },
	};

	for (size_t i = 0; i < sizeof(banners) / sizeof(*banners); i++)
		if (strcmp(banners[i].command, command->name) == 0)
			return to_exchange ? banners[i].exchange : banners[i].queue;
	return delete_queue_banner(options);
}

/* As rabbitmqctl has it, which looks at this one command's only. */
static bool names_no_queue(const struct command *command, const struct options *options)
{
	return strcmp(command->name, "delete_queue") == 0 && options->words[0][0] == '\0';
}

int declare_run(const struct command *command, const struct options *options)
{
	bool to_exchange = options->destination_type != NULL && strcmp(options->destination_type, "exchange") == 0;
	struct command with_banner = *command;
	json_t *arguments, *request;
	int status = EXIT_OK;

	if (options->destination_type != NULL && !to_exchange && strcmp(options->destination_type, "queue") != 0)
		return help_refuse(command, options, "destination type '%s' is not supported: use queue or exchange",
				   options->destination_type);
	if (names_no_queue(command, options)) {
		(void)help_refuse(command, options, "Bad argument: queue name cannot be an empty string");
		return EXIT_DATA;
	}
	arguments = read_arguments(command, options, &status);
	if (arguments == NULL)
		return status;
	with_banner.has_vhost = true;
	with_banner.banner = banner_of(command, options, to_exchange);
	request = call_request(&with_banner, options);
	if (request != NULL) {
		put_type(request, arguments, options);
		put_options(request, options);
		if (json_object_size(arguments) != 0)
			json_object_set(request, "arguments", arguments);
	}
	json_decref(arguments);
	return call_send(&with_banner, options, request);
}
