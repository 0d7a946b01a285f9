/* SPDX-License-Identifier: MIT */
#include "plugin_info.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cell.h"

/* ---- Parts ---- */

static void print_section(const char *title)
{
	if (isatty(STDOUT_FILENO))
		printf("\n\033[1m%s\033[0m\n\n", title);
	else
		printf("\n%s\n\n", title);
}

/* Texts are the plugin's, or a client's: they must not disturb the terminal. */
static void print_text(const json_t *text)
{
	struct buffer out;

	buffer_init(&out);
	cell_escape(slice_make((const uint8_t *)json_string_value(text), json_string_length(text)), &out);
	fwrite(out.data, 1, out.size, stdout);
	buffer_fini(&out);
}

static bool is_set(const json_t *object, const char *key)
{
	return json_string_length(json_object_get(object, key)) != 0;
}

static void print_part(const char *before, const json_t *object, const char *key)
{
	if (!is_set(object, key))
		return;
	fputs(before, stdout);
	print_text(json_object_get(object, key));
}

static long long number_of(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

/* ": help", and the end of the line. */
static void print_help(const json_t *object)
{
	print_part(": ", object, "help");
	putchar('\n');
}

static void print_range(const json_t *object)
{
	const json_t *range = json_object_get(object, "range"), *choice;
	size_t i;

	print_part(" ", object, "range");
	if (!json_is_array(range))
		return;
	fputs(" of ", stdout);
	json_array_foreach(range, i, choice) {
		fputs(i != 0 ? ", " : "", stdout);
		print_text(choice);
	}
}

/* ---- Sections ---- */

static void print_plugin(const json_t *info)
{
	print_part("Name: ", info, "name");
	print_part("\nVersion: ", info, "version");
	print_part("\nDescription: ", info, "description");
	print_part("\nLicence: ", info, "licence");
	print_part("\nFile: ", info, "file");
	print_part("\nABI: ", info, "abi");
	print_part("\nLanguage: ", json_object_get(info, "script"), "language");
	if (json_is_true(json_object_get(json_object_get(info, "script"), "can_roll_back")))
		fputs("\nThe version that ran before is kept.", stdout);
	putchar('\n');
}

/* The language's lines. */
static void print_report(const json_t *script)
{
	const json_t *report = json_object_get(script, "report");
	const char *text = json_string_value(report), *end;

	if (!is_set(script, "report"))
		return;
	print_section("Report");
	for (; *text != '\0'; text = *end != '\0' ? end + 1 : end) {
		json_t *line;

		end = text + strcspn(text, "\n");
		line = json_stringn(text, (size_t)(end - text));
		print_text(line);
		putchar('\n');
		json_decref(line);
	}
}

static void print_arguments(const char *what, const json_t *arguments)
{
	const json_t *argument;
	size_t i;

	if (json_array_size(arguments) != 0)
		printf("   Arguments of %s:\n", what);
	json_array_foreach(arguments, i, argument) {
		print_part("    * ", argument, "name");
		print_part(" (", argument, "type");
		print_range(argument);
		fputs(json_is_true(json_object_get(argument, "required")) ? ", required" : "", stdout);
		print_part(", default ", argument, "default");
		putchar(')');
		print_help(argument);
	}
}

/* Only where it has said so. */
static void print_depends(const json_t *type)
{
	const json_t *depends = json_object_get(type, "depends"), *name;
	long long ms = number_of(type, "depends_ms");
	size_t i;

	if (!json_is_array(depends))
		return;
	printf("   answers are remembered by:%s", json_array_size(depends) == 0 ? " nothing else" : "");
	json_array_foreach(depends, i, name)
		printf("%s %s", i == 0 ? "" : ",", json_string_value(name));
	if (ms != 0)
		printf("; for %lld ms", ms);
	putchar('\n');
}

static void print_types(const json_t *types)
{
	const json_t *type;
	size_t i;

	if (json_array_size(types) != 0)
		print_section("Exchange types");
	json_array_foreach(types, i, type) {
		print_part(" * ", type, "name");
		printf(" (%lld exchange%s)", number_of(type, "instances"),
		       number_of(type, "instances") == 1 ? "" : "s");
		print_part(": ", type, "description");
		putchar('\n');
		print_arguments("declare", json_object_get(type, "declare_arguments"));
		print_arguments("bind", json_object_get(type, "bind_arguments"));
		print_depends(type);
	}
}

static void print_options(const json_t *options)
{
	const json_t *option;
	size_t i;

	if (json_array_size(options) != 0)
		print_section("Options");
	json_array_foreach(options, i, option) {
		print_part(" * ", option, "name");
		print_part(" = ", option, "value");
		print_part(" (", option, "type");
		print_range(option);
		print_part(", default ", option, "default");
		putchar(')');
		print_help(option);
	}
}

/* Two functions, either of which may not be there. */
static void print_functions(const char *title, const json_t *items, const char *one, const char *other)
{
	const json_t *item;
	size_t i;

	if (json_array_size(items) != 0)
		print_section(title);
	json_array_foreach(items, i, item) {
		bool has_one = json_is_true(json_object_get(item, one)),
		     has_other = json_is_true(json_object_get(item, other));

		print_part(" * ", item, "name");
		printf(" (%s%s%s)\n", has_one ? one : "", has_one && has_other ? ", " : "", has_other ? other : "");
	}
}

static void print_commands(const json_t *commands)
{
	const json_t *command;
	size_t i;

	if (json_array_size(commands) != 0)
		print_section("Commands");
	json_array_foreach(commands, i, command) {
		print_part(" * ", command, "name");
		print_help(command);
	}
}

static void print_metrics(const json_t *metrics)
{
	const json_t *metric;
	size_t i;

	if (json_array_size(metrics) != 0)
		print_section("Metrics");
	json_array_foreach(metrics, i, metric) {
		print_part(" * ", metric, "name");
		printf(" = %lld", number_of(metric, "value"));
		print_part(" (", metric, "type");
		putchar(')');
		print_help(metric);
	}
}

/* ---- Trials ---- */

static void print_names(const char *before, const json_t *sample, const char *count, const char *names)
{
	const json_t *list = json_object_get(sample, names), *name;
	long long n = number_of(sample, count);
	size_t i;

	if (n == 0)
		return;
	printf("%s", before);
	json_array_foreach(list, i, name) {
		print_part(i != 0 ? ", " : " ", name, "kind");
		print_part(" ", name, "name");
	}
	if ((size_t)n > json_array_size(list))
		printf(" and %lld more", n - (long long)json_array_size(list));
}

static void print_sample(const json_t *sample)
{
	time_t at = (time_t)(number_of(sample, "at") / 1000);
	struct tm parts;
	char text[32] = "";

	if (gmtime_r(&at, &parts) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	printf(" * %s exchange ", text);
	print_text(json_object_get(sample, "exchange"));
	print_part(" in vhost ", sample, "vhost");
	print_part(", key ", sample, "routing_key");
	print_names(": only the old one:", sample, "only_old", "only_old_names");
	print_names(number_of(sample, "only_old") != 0 ? "; only the new one:" : ": only the new one:", sample,
		    "only_new", "only_new_names");
	putchar('\n');
}

static void print_trial(const json_t *trial)
{
	const json_t *sample;
	size_t i;

	if (!json_is_object(trial))
		return;
	print_section("Trial");
	print_part("Version: ", trial, "version");
	print_part("\nFile: ", trial, "file");
	print_part("\nIt has failed: ", trial, "failure");
	putchar('\n');
	if (is_set(trial, "failure"))
		return;
	printf("Messages compared: %lld (%lld %%)\n", number_of(trial, "compared"), number_of(trial, "percent"));
	printf("Routed otherwise: %lld\n", number_of(trial, "different"));
	printf("Destinations of the old one only: %lld, of the new one only: %lld\n", number_of(trial, "only_old"),
	       number_of(trial, "only_new"));
	json_array_foreach(json_object_get(trial, "samples"), i, sample)
		print_sample(sample);
}

void plugin_info_print(const json_t *info)
{
	print_plugin(info);
	print_types(json_object_get(info, "exchange_types"));
	print_options(json_object_get(info, "options"));
	print_functions("Access policies", json_object_get(info, "access_policies"), "authenticate", "authorize");
	print_functions("Message hooks", json_object_get(info, "hooks"), "publish", "deliver");
	print_commands(json_object_get(info, "commands"));
	print_metrics(json_object_get(info, "metrics"));
	print_trial(json_object_get(info, "trial"));
	print_report(json_object_get(info, "script"));
}
