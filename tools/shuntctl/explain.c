/* SPDX-License-Identifier: MIT */
/* explain_route: asks where a message would go, and prints the way. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cell.h"
#include "client.h"
#include "formatter.h"
#include "help.h"

/* ---- The request ---- */

/* A text that is no UTF-8 is none of the broker's. */
static json_t *text_value(const char *text)
{
	json_t *value = json_string(text);

	return value != NULL ? value : json_string("?");
}

static json_t *integer_value(const char *text)
{
	long long number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' ? json_integer(number) : NULL;
}

static json_t *real_value(const char *text)
{
	double number;
	char *end;

	number = strtod(text, &end);
	return end != text && *end == '\0' ? json_real(number) : NULL;
}

static json_t *boolean_value(const char *text)
{
	if (strcmp(text, "true") == 0)
		return json_true();
	return strcmp(text, "false") == 0 ? json_false() : NULL;
}

static json_t *null_value(const char *text)
{
	return *text == '\0' ? json_null() : NULL;
}

/* "int:5", or a text without such a beginning. NULL: it is not what it says. */
static json_t *typed_value(const char *text)
{
	static const struct {
		const char *prefix;
		json_t *(*value)(const char *text);
	} types[] = {
		{ "int:", integer_value },  { "real:", real_value },   { "bool:", boolean_value },
		{ "null:", null_value }, { "string:", text_value },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strncmp(text, types[i].prefix, strlen(types[i].prefix)) == 0)
			return types[i].value(text + strlen(types[i].prefix));
	return text_value(text);
}

/* Each is KEY=VALUE. NULL, and *ret_wrong, when a value is not of the type that it says. */
static json_t *object_of(const struct option_values *values, json_t *(*value_of)(const char *text),
			 const char **ret_wrong)
{
	json_t *object = json_object();

	for (size_t i = 0; i < values->count; i++) {
		const char *item = values->items[i], *equals = strchr(item, '=');
		char *key = mem_printf("%.*s", (int)(equals - item), item);
		json_t *value = value_of(equals + 1);
		bool is_set = value != NULL && json_object_set_new(object, key, value) == 0;

		mem_free(key);
		if (!is_set) {
			*ret_wrong = item;
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static int make_request(const struct command *command, const struct options *options, json_t **ret_request)
{
	const char *wrong = NULL;
	json_t *headers, *properties = NULL;

	if (options->n_words < 2)
		return help_refuse(command, options, "not enough arguments.");
	headers = object_of(&options->headers, typed_value, &wrong);
	if (headers != NULL)
		properties = object_of(&options->properties, text_value, &wrong);
	if (properties == NULL) {
		json_decref(headers);
		return help_refuse(command, options, "'%s' is no key and value of a type", wrong);
	}
	*ret_request = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o*}", "command", command->name, "vhost",
				 text_value(options->vhost != NULL ? options->vhost : "/"), "exchange",
				 text_value(options->words[0]), "routing_key", text_value(options->words[1]),
				 "headers", headers, "properties", properties, "user",
				 options->user != NULL ? text_value(options->user) : NULL);
	return EXIT_OK;
}

/* ---- The answer ---- */

static void print_text(const json_t *text)
{
	struct buffer escaped;

	buffer_init(&escaped);
	cell_escape(slice_make(json_string_value(text), json_string_length(text)), &escaped);
	fputs(buffer_cstr(&escaped), stdout);
	buffer_fini(&escaped);
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static void print_exchange_name(const json_t *name)
{
	if (json_string_length(name) == 0) {
		fputs("default exchange", stdout);
		return;
	}
	fputs("exchange ", stdout);
	print_text(name);
}

static void print_binding(const json_t *binding)
{
	const json_t *arguments = json_object_get(binding, "arguments");
	struct buffer text;

	fputs("  binding \"", stdout);
	print_text(json_object_get(binding, "routing_key"));
	putchar('"');
	if (json_is_null(arguments)) {
		fputs(" (long arguments)", stdout);
	} else if (json_array_size(arguments) != 0) {
		buffer_init(&text);
		cell_print_text(arguments, &text);
		printf(" %s", buffer_cstr(&text));
		buffer_fini(&text);
	}
	printf(" -> %s ", json_string_value(json_object_get(binding, "destination_kind")));
	print_text(json_object_get(binding, "destination_name"));
	putchar('\n');
}

/* What becomes of a message that no binding matches. */
static void print_unmatched(const json_t *exchange)
{
	const json_t *alternate = json_object_get(exchange, "alternate_exchange");

	if (is_true(exchange, "direct_reply_to"))
		fputs("  the key is a direct reply-to name: goes to who waits for the reply", stdout);
	else if (!is_true(exchange, "type_loaded"))
		fputs("  its type is not loaded: nothing matches", stdout);
	else
		fputs("  no binding matches", stdout);
	if (json_is_string(alternate)) {
		fputs("; alternate exchange: ", stdout);
		print_text(alternate);
		if (!is_true(exchange, "alternate_exchange_used"))
			fputs(" (does not exist)", stdout);
	}
	putchar('\n');
}

static void print_exchange(const json_t *exchange)
{
	const json_t *bindings = json_object_get(exchange, "bindings");
	const json_t *from = json_object_get(exchange, "reached_from");
	json_int_t matched = json_integer_value(json_object_get(exchange, "matched"));
	size_t shown = json_array_size(bindings);

	print_exchange_name(json_object_get(exchange, "name"));
	fputs(" (", stdout);
	print_text(json_object_get(exchange, "type"));
	printf("%s%s)", is_true(exchange, "internal") ? ", internal" : "",
	       is_true(exchange, "observed") ? ", remembers messages" : "");
	if (json_is_string(from)) {
		printf(", by %s of ", strcmp(json_string_value(json_object_get(exchange, "reached_by")), "binding") == 0
					      ? "a binding"
					      : "being the alternate exchange");
		print_exchange_name(from);
	}
	putchar('\n');
	for (size_t i = 0; i < shown; i++)
		print_binding(json_array_get(bindings, i));
	if (matched > (json_int_t)shown)
		printf("  and %lld bindings more\n", (long long)matched - (long long)shown);
	if (matched == 0)
		print_unmatched(exchange);
}

static void print_queues(const json_t *value)
{
	const json_t *queues = json_object_get(value, "queues");
	json_int_t count = json_integer_value(json_object_get(value, "queue_count"));
	size_t shown = json_array_size(queues);

	printf("\nQueues reached: %lld\n", (long long)count);
	for (size_t i = 0; i < shown; i++) {
		fputs("  ", stdout);
		print_text(json_array_get(queues, i));
		putchar('\n');
	}
	if (count > (json_int_t)shown)
		printf("  and %lld more\n", (long long)count - (long long)shown);
}

static const char *decision_of(const json_t *object)
{
	return json_string_value(json_object_get(object, "decision"));
}

static void print_hook(const json_t *hook)
{
	const char *decision = decision_of(hook);

	fputs("hook ", stdout);
	print_text(json_object_get(hook, "name"));
	if (strcmp(decision, "pass") != 0)
		printf(": %ss it\n", decision);
	else
		puts(is_true(hook, "changed") ? ": changes it" : ": passes it");
}

static bool has_text(const json_t *object, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL && strcmp(value, text) == 0;
}

static void print_now(const char *what, const json_t *text)
{
	printf("  %s now: \"", what);
	print_text(text);
	puts("\"");
}

/* asked: the exchange that the message was to be published to. */
static void print_hooks(const json_t *value, const char *asked)
{
	const json_t *hooks = json_object_get(value, "hooks"), *reason = json_object_get(value, "reason");
	bool is_changed = false;

	for (size_t i = 0; i < json_array_size(hooks); i++) {
		print_hook(json_array_get(hooks, i));
		is_changed |= is_true(json_array_get(hooks, i), "changed");
	}
	if (json_is_string(reason)) {
		fputs("  ", stdout);
		print_text(reason);
		putchar('\n');
	}
	if (!is_changed)
		return;
	if (!has_text(value, "exchange", asked))
		print_now("exchange", json_object_get(value, "exchange"));
	print_now("routing key", json_object_get(value, "routing_key"));
}

static void print_way(const json_t *value)
{
	const json_t *exchanges = json_object_get(value, "exchanges");

	for (size_t i = 0; i < json_array_size(exchanges); i++)
		print_exchange(json_array_get(exchanges, i));
	print_queues(value);
	if (is_true(value, "truncated"))
		puts("\nThere is more than is shown.");
}

static void print_json(const json_t *value)
{
	struct buffer text;

	buffer_init(&text);
	cell_print_json(value, &text);
	puts(buffer_cstr(&text));
	buffer_fini(&text);
}

static void print_answer(const struct options *options, const json_t *value)
{
	if (options->formatter != NULL && strcmp(options->formatter, "json") == 0) {
		print_json(value);
		return;
	}
	if (formatter_wants_banner(options))
		printf("Explaining the way of a message in vhost %s ...\n",
		       options->vhost != NULL ? options->vhost : "/");
	print_hooks(value, options->words[0]);
	print_way(value);
}

int explain_run(const struct command *command, const struct options *options)
{
	json_t *request = NULL, *value = NULL;
	struct client client;
	int status = make_request(command, options, &request);

	if (status != EXIT_OK)
		return status;
	status = client_open(&client, command, options, CLIENT_TIMEOUT_MS);
	if (status == EXIT_OK)
		status = client_call(&client, request, &value);
	else
		json_decref(request);
	if (status == EXIT_OK)
		print_answer(options, value);
	json_decref(value);
	client_close(&client);
	return status;
}
