/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNTCTL_HELP_H
#define TOOLS_SHUNTCTL_HELP_H

#include <stdio.h>

#include "base/compiler.h"
#include "command.h"

/* All commands, in groups. */
void help_print_general(FILE *out);
/* All about one. */
void help_print_command(FILE *out, const struct command *command);
/* "Command 'x' not found" and what might be meant, to standard error. EXIT_USAGE. */
int help_unknown_command(const char *name);
/* What is wrong with the command line, and the usage, to standard error. EXIT_USAGE. */
int help_refuse(const struct command *command, const struct options *options, const char *format, ...)
	PRINTF_FORMAT(3, 4);

#endif
