/* SPDX-License-Identifier: MIT */
/* environment, set_vm_memory_high_watermark and set_disk_free_limit. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cell.h"
#include "client.h"
#include "formatter.h"
#include "help.h"

/* ---- environment ---- */

static void print_setting(const char *key, const json_t *value, struct buffer *line)
{
	buffer_clear(line);
	cell_print_text(value, line);
	printf("%s = %s\n", key, buffer_cstr(line));
}

/* As lines of a configuration file: what stands for several lines is an array. */
static void print_environment(const json_t *environment)
{
	struct buffer line;
	const char *key;
	json_t *value;

	buffer_init(&line);
	json_object_foreach((json_t *)(uintptr_t)environment, key, value) {
		for (size_t i = 0; i < json_array_size(value); i++)
			print_setting(key, json_array_get(value, i), &line);
		if (!json_is_array(value))
			print_setting(key, value, &line);
	}
	buffer_fini(&line);
}

static void show_environment(const struct options *options, const json_t *value)
{
	const json_t *environment = json_object_get(value, "environment");
	const char *node = json_string_value(json_object_get(value, "node"));
	struct buffer text;

	if (options->formatter == NULL || strcmp(options->formatter, "json") != 0) {
		if (formatter_wants_banner(options))
			printf("Application environment of node %s ...\n", node != NULL ? node : "");
		print_environment(environment);
		return;
	}
	buffer_init(&text);
	cell_print_json(environment, &text);
	puts(buffer_cstr(&text));
	buffer_fini(&text);
}

int environment_run(const struct command *command, const struct options *options)
{
	struct client client;
	json_t *value = NULL;
	int status = client_open(&client, command, options, CLIENT_TIMEOUT_MS);

	if (status == EXIT_OK)
		status = client_call(&client, json_pack("{s:s}", "command", "environment"), &value);
	if (status == EXIT_OK)
		show_environment(options, value);
	json_decref(value);
	client_close(&client);
	return status;
}

/* ---- Limits ---- */

/* Digits, perhaps more of them behind a point, perhaps an exponent: as Erlang reads a float. Returns what is behind it;
 * NULL: it is none. */
static const char *read_real(const char *text, double *ret)
{
	const char *digits = text[0] == '-' ? text + 1 : text;
	char *end;

	if (digits[0] < '0' || digits[0] > '9' || strpbrk(text, "xX") != NULL)
		return NULL;
	errno = 0;
	*ret = strtod(text, &end);
	return errno == 0 && isfinite(*ret) ? end : NULL;
}

static bool parse_fraction(const char *text, double *ret)
{
	const char *end = read_real(text, ret);

	return end != NULL && *end == '\0';
}

/* Bytes, but not a whole number of them. */
static bool is_broken_number(const char *text)
{
	double real;
	const char *unit = read_real(text, &real);
	char whole[16];
	uint64_t bytes;

	return unit != NULL && snprintf(whole, sizeof(whole), "1%s", unit) < (int)sizeof(whole) &&
	       bytes_parse(whole, true, &bytes);
}

static int refuse_data(const struct command *command, const struct options *options, const char *text)
{
	(void)help_refuse(command, options, "%s", text);
	return EXIT_DATA;
}

static int print_node(struct client *client, const char *begin, const char *value, const char *end,
		      const struct options *options)
{
	json_t *answer = NULL;
	int status = client_call(client, json_pack("{s:s}", "command", "ping"), &answer);
	const char *node = json_string_value(json_object_get(answer, "node"));

	if (status == EXIT_OK && formatter_wants_banner(options))
		printf("%s on %s to %s%s ...\n", begin, node != NULL ? node : client->path, value, end);
	fflush(stdout);
	json_decref(answer);
	return status;
}

static int set_limit(const struct command *command, const struct options *options, json_t *request, const char *begin,
		     const char *end)
{
	const char *value = options->words[options->n_words - 1];
	struct client client;
	json_t *answer = NULL;
	int status = client_open(&client, command, options, CLIENT_TIMEOUT_MS);

	if (status == EXIT_OK)
		status = print_node(&client, begin, value, end, options);
	if (status == EXIT_OK)
		status = client_call(&client, request, &answer);
	else
		json_decref(request);
	json_decref(answer);
	client_close(&client);
	return status;
}

/* "word value" or a value alone. True if the word is there. */
static bool has_word(const struct options *options, const char *word)
{
	return options->n_words != 0 && strcmp(options->words[0], word) == 0;
}

static int check_count(const struct command *command, const struct options *options, size_t wanted)
{
	if (options->n_words < wanted)
		return help_refuse(command, options, "not enough arguments.");
	if (options->n_words > wanted)
		return help_refuse(command, options, "too many arguments.");
	return EXIT_OK;
}

int set_memory_run(const struct command *command, const struct options *options)
{
	static const char begin[] = "Setting memory threshold";
	bool is_absolute = has_word(options, "absolute");
	int status = check_count(command, options, is_absolute ? 2 : 1);
	uint64_t bytes;
	double fraction;

	if (status != EXIT_OK)
		return status;
	if (is_absolute) {
		if (!bytes_parse(options->words[1], true, &bytes) || bytes > INT64_MAX)
			return refuse_data(command, options,
					   is_broken_number(options->words[1]) ?
						   "Bad argument: The threshold should be an integer." :
						   "Bad argument.");
		return set_limit(command, options,
				 json_pack("{s:s, s:I}", "command", command->name, "absolute", (json_int_t)bytes), begin,
				 " bytes");
	}
	if (!parse_fraction(options->words[0], &fraction))
		return refuse_data(command, options, "Bad argument.");
	if (fraction < 0 || fraction > 1)
		return refuse_data(command, options,
				   "Bad argument: The threshold should be a fraction between 0.0 and 1.0");
	return set_limit(command, options, json_pack("{s:s, s:f}", "command", command->name, "fraction", fraction), begin,
			 "");
}

int set_disk_run(const struct command *command, const struct options *options)
{
	static const char begin[] = "Setting disk free limit";
	bool is_relative = has_word(options, "mem_relative");
	int status = check_count(command, options, is_relative ? 2 : 1);
	uint64_t bytes;
	double times;

	if (status != EXIT_OK)
		return status;
	if (is_relative) {
		if (!parse_fraction(options->words[1], &times) || times < 0 || times > 1000)
			return refuse_data(command, options, "Bad argument.");
		return set_limit(command, options, json_pack("{s:s, s:f}", "command", command->name, "mem_relative", times),
				 begin, " times the total RAM");
	}
	if (!bytes_parse(options->words[0], true, &bytes) || bytes > INT64_MAX)
		return refuse_data(command, options, "Bad argument.");
	return set_limit(command, options,
			 json_pack("{s:s, s:I}", "command", command->name, "absolute", (json_int_t)bytes), begin, " bytes");
}

/* ---- set_log_level ---- */

/* One argument is the level, two are category and level. */
int set_log_level_run(const struct command *command, const struct options *options)
{
	struct command as = *command;

	if (options->n_words == 0)
		return help_refuse(command, options, "not enough arguments.");
	as.parameters = options->n_words == 1 ? "level" : "category level";
	as.banner = options->n_words == 1 ? "Setting log level to \"{level}\" ..." :
					    "Setting log level of category \"{category}\" to \"{level}\" ...";
	return call_run(&as, options);
}
