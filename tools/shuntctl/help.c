/* SPDX-License-Identifier: MIT */
#include "help.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static const char general_options[] =
	"The following options are accepted by most or all commands.\n"
	"\n"
	"short            | long            | description\n"
	"-----------------|-----------------|--------------------------------\n"
	"-?               | --help          | displays command help\n"
	"-n <node>        | --node <node>   | accepted and ignored\n"
	"-l               | --longnames     | accepted and ignored\n"
	"-t               | --timeout <n>   | operation timeout in seconds\n"
	"-q               | --quiet         | suppress informational messages\n"
	"-s               | --silent        | suppress informational messages\n"
	"                 |                 | and table header row\n"
	"-p               | --vhost         | for commands that are scoped to a virtual host,\n"
	"                 |                 | virtual host to use\n"
	"                 | --formatter     | alternative result formatter to use:\n"
	"                 |                 | json, pretty_table, table, csv\n"
	"                 | --socket <path> | the broker's control socket; without it that of\n"
	"                 |                 | the environment's SHUNT_SOCKET, or\n"
	"                 |                 | " SHUNT_RUNDIR "/shunt/control.sock\n"
	"\n";

static void print_title(FILE *out, const char *title)
{
	if (isatty(fileno(out)))
		fprintf(out, "\n\033[1m%s\033[0m", title);
	else
		fprintf(out, "\n%s", title);
}

static void print_usage(FILE *out, const struct command *command)
{
	print_title(out, "Usage");
	fprintf(out, "\n\n%s [--socket <path>] [--quiet] %s%s%s\n", program_name, command->name, *command->usage != '\0' ? " " : "",
		command->usage);
}

/* Tables of one group follow each other. */
static void print_commands(FILE *out)
{
	const char *group = "";

	for (size_t i = 0; command_tables[i] != NULL; i++) {
		for (const struct command *command = command_tables[i]; command->name != NULL; command++) {
			if (strcmp(group, command->group) != 0) {
				group = command->group;
				print_title(out, group);
				fputs(":\n\n", out);
			}
			fprintf(out, "   %-28s %s\n", command->name, command->summary);
		}
	}
}

void help_print_general(FILE *out)
{
	print_title(out, "Usage");
	fprintf(out,
		"\n\n%s [--socket <path>] [--timeout <timeout>] [--quiet] <command> [<command options>]\n"
		"\nAvailable commands:\n",
		program_name);
	print_commands(out);
	fprintf(out, "\nUse '%s help <command>' to learn more about a specific command\n", program_name);
}

/* "must be one of a, b, c" */
static void print_columns(FILE *out, const char *columns)
{
	fputs("<column>\n\tmust be one of ", out);
	for (; *columns != '\0'; columns++) {
		if (*columns == ' ')
			fputs(", ", out);
		else
			fputc(*columns, out);
	}
	fputs("\n\n", out);
}

/* However many lines end it, one empty one follows. */
static void print_details(FILE *out, const char *details)
{
	size_t size = strlen(details);

	while (size != 0 && details[size - 1] == '\n')
		size--;
	fprintf(out, "%.*s\n\n", (int)size, details);
}

void help_print_command(FILE *out, const struct command *command)
{
	size_t size;

	print_usage(out, command);
	size = strlen(command->summary);
	fprintf(out, "\n%s%s\n\n", command->summary, command->summary[size - 1] == '.' ? "" : ".");
	if (command->columns != NULL || command->details != NULL) {
		print_title(out, "Arguments and Options");
		fputs("\n\n", out);
		if (command->columns != NULL)
			print_columns(out, command->columns);
		if (command->details != NULL)
			print_details(out, command->details);
	}
	print_title(out, "General Options");
	fprintf(out, "\n\n%s", general_options);
}

int help_unknown_command(const char *name)
{
	const struct command *guess = command_guess(name);

	fprintf(stderr, "\nCommand '%s' not found.\n", name);
	if (guess != NULL)
		fprintf(stderr, "Did you mean '%s'?\n\n", guess->name);
	else
		help_print_general(stderr);
	return EXIT_USAGE;
}

int help_refuse(const struct command *command, const struct options *options, const char *format, ...)
{
	va_list args;

	fputs("Error (argument validation): ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\nArguments given:\n\t", stderr);
	for (int i = 1; i < options->argc; i++)
		fprintf(stderr, "%s%s", i > 1 ? " " : "", options->argv[i]);
	fputc('\n', stderr);
	print_usage(stderr, command);
	return EXIT_USAGE;
}

int help_run(const struct command *command, const struct options *options)
{
	const struct command *about;

	(void)command;
	if (options_have(options, OPTION_LIST_COMMANDS)) {
		print_commands(stdout);
		return EXIT_OK;
	}
	if (options->n_words == 0) {
		help_print_general(stdout);
		return EXIT_OK;
	}
	about = command_find(options->words[0]);
	if (about == NULL)
		return help_unknown_command(options->words[0]);
	help_print_command(stdout, about);
	return EXIT_OK;
}
