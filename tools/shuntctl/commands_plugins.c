/* SPDX-License-Identifier: MIT */
#include <stdint.h>

#include "command.h"

extern const struct command commands_plugins[];
const struct command commands_plugins[] = {
	{
		.name = "plugin",
		.group = "Plugins",
		.usage = "(list | info <plugin> | load <file> | reload <plugin> [<file>] | unload <plugin> |\n"
			 "         trial <plugin> <file> [--percent <n>] | promote <plugin> | drop <plugin> |\n"
			 "         run <plugin> <command> [<argument> ...])",
		.summary = "Shows plugins, and changes them while the broker runs",
		.details = "list\n\tplugins, with their versions, files and exchange types\n\n"
			   "info <plugin>\n\tall about one: arguments of its exchange types, options, metrics, its trial\n\n"
			   "load <file>\n\tloads a file, or a name from the broker's folder of plugins\n\n"
			   "reload <plugin> [<file>]\n\tlets what the file holds now, or another, take its place;\n"
			   "\tif anything is wrong with that, the old one stays\n\n"
			   "unload <plugin>\n\ttakes it out, if no exchange is of a type of it\n\n"
			   "trial <plugin> <file> [--percent <n>]\n\thas another version route a copy of so many of 100 "
			   "messages, by default all;\n\tinfo shows what it would have done otherwise\n\n"
			   "promote <plugin>\n\tlets the version on trial take its place\n\n"
			   "drop <plugin>\n\tends the trial\n\n"
			   "run <plugin> <command> [<argument> ...]\n\truns a command of the plugin; arguments that "
			   "begin with '-' come behind --\n",
		.n_words_max = SIZE_MAX,
		.options = OPTION_PERCENT | OPTION_NO_TABLE_HEADERS,
		.run = plugin_run,
	},
	{
		.name = "script",
		.group = "Plugins",
		.usage = "(list | info <script> | check <file> [<key>=<value> ...] |\n"
			 "         test <file> [<key>=<value> ...] | load <file> |\n"
			 "         reload <script> [<file>] | rollback <script> | unload <script> |\n"
			 "         trial <script> <file> [--percent <n>] | promote <script> | drop <script>)",
		.summary = "Shows scripts, tests them, and changes them while the broker runs",
		.details = "list\n\tscripts, with their versions, files and exchange types\n\n"
			   "info <script>\n\tall about one: what it brings, and its calls, errors, time and memory\n\n"
			   "check <file> [<key>=<value> ...]\n\tlooks whether it can be read, and tells what it brings; nothing changes;\n"
			   "\tit is handed the settings of its name, and these\n\n"
			   "test <file> [<key>=<value> ...]\n\truns its tests, too, and tells how each went\n\n"
			   "load <file>\n\tloads a file, or a name from the broker's folder of scripts\n\n"
			   "reload <script> [<file>]\n\tlets what the file holds now, or another, take its place, if its "
			   "tests pass;\n\tif anything is wrong with that, the old one stays\n\n"
			   "rollback <script>\n\tlets what ran before the last change take its place\n\n"
			   "unload <script>\n\ttakes it out, if no exchange is of a type of it\n\n"
			   "trial <script> <file> [--percent <n>], promote <script>, drop <script>\n\tas with plugins\n",
		.n_words_max = SIZE_MAX,
		.options = OPTION_PERCENT | OPTION_NO_TABLE_HEADERS,
		.run = script_run,
	},
	{ .name = NULL },
};
