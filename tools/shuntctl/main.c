/* SPDX-License-Identifier: MIT */
/* shuntctl: an operator's commands to a running shuntd, over its control socket. rabbitmqctl's users are at home. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "formatter.h"
#include "help.h"

const char *program_name = "shuntctl";

/* Any other name is a link's, or a debugger's. */
static void set_program_name(const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : path;

	if (name != NULL && strcmp(name, "rabbitmqctl") == 0)
		program_name = "rabbitmqctl";
}

int version_run(const struct command *command, const struct options *options)
{
	(void)command;
	if (options->formatter != NULL && strcmp(options->formatter, "json") == 0)
		puts("{\"result\":\"ok\",\"value\":{\"version\":\"" PACKAGE_VERSION "\"}}");
	else
		puts(PACKAGE_VERSION);
	return EXIT_OK;
}

static int run(struct options *options)
{
	const struct command *command;
	int status;

	if (options->command == NULL && options_have(options, OPTION_VERSION))
		return version_run(NULL, options);
	if (options->command == NULL) {
		bool is_asked = options_have(options, OPTION_HELP);

		help_print_general(is_asked ? stdout : stderr);
		return is_asked ? EXIT_OK : EXIT_USAGE;
	}
	command = command_find(options->command);
	if (command == NULL)
		return help_unknown_command(options->command);
	if (options_have(options, OPTION_HELP)) {
		help_print_command(stdout, command);
		return EXIT_OK;
	}
	status = command_check(command, options);
	return status == EXIT_OK ? command->run(command, options) : status;
}

int main(int argc, char **argv)
{
	struct options options;
	int status;

	/* for the widths of pretty_table, whatever the environment says: the broker's names are UTF-8 */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	set_program_name(argv[0]);
	options_parse(&options, argc, argv);
	status = run(&options);
	options_fini(&options);
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "Error: cannot write the output: %s\n", errno != 0 ? strerror(errno) : "write error");
		status = status != EXIT_OK ? status : EXIT_IO;
	}
	return status;
}
