/* SPDX-License-Identifier: MIT */
/* The private copies of plugins' files. */
#include "plugin/file.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <shunt/plugin.h>

#include "../unit.h"
#include "base/mem.h"

#define LIMIT_S	     120
#define MODULE(name) PLUGIN_MODULES "/" name ".so"

static char folder[64], reason[512];

static void begin(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/shunt-files-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	memset(reason, 0, sizeof(reason));
}

static void end(void)
{
	CU_ASSERT_EQUAL(plugin_files_prepare(folder, reason, sizeof(reason)), 0);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static char *inside(const char *name)
{
	return mem_printf("%s/%s", folder, name);
}

static bool is_there(const char *name)
{
	char *path = inside(name);
	bool result = access(path, F_OK) == 0;

	mem_free(path);
	return result;
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_TRUE(fputs(text, file) >= 0);
	CU_ASSERT_EQUAL(fclose(file), 0);
}

static void copy_to(const char *from, const char *to)
{
	char command[1024];

	(void)snprintf(command, sizeof(command), "cp %s %s", from, to);
	CU_ASSERT_EQUAL_FATAL(system(command), 0);
}

static int open_copied(struct plugin_file *file, const char *path, const char *copy)
{
	return plugin_file_open(file, mem_strdup(path), copy != NULL ? inside(copy) : NULL, reason, sizeof(reason));
}

/* ---- The folder ---- */

static void folder_is_made_and_emptied(void)
{
	char *path, *file;

	begin();
	path = inside("plugins");
	file = inside("plugins/left-over.so");
	CU_ASSERT_EQUAL(plugin_files_prepare(path, reason, sizeof(reason)), 0);
	put(file, "of a broker that was killed");
	CU_ASSERT_EQUAL(plugin_files_prepare(path, reason, sizeof(reason)), 0);
	CU_ASSERT_FALSE(is_there("plugins/left-over.so"));
	CU_ASSERT_EQUAL(rmdir(path), 0);
	mem_free(path);
	mem_free(file);
	end();
}

static void folder_that_cannot_be(void)
{
	char *path, expected[256];

	begin();
	path = inside("plugins");
	put(path, "a file");
	CU_ASSERT_EQUAL(plugin_files_prepare(path, reason, sizeof(reason)), -1);
	(void)snprintf(expected, sizeof(expected),
		       "directory for plugins is unusable: path=\"%s\" reason=\"Not a directory\"", path);
	CU_ASSERT_STRING_EQUAL(reason, expected);
	mem_free(path);
	end();
}

/* ---- Copies ---- */

static void file_without_a_copy(void)
{
	struct plugin_file file;

	begin();
	CU_ASSERT_EQUAL_FATAL(open_copied(&file, MODULE("probe"), NULL), 0);
	CU_ASSERT_STRING_EQUAL(file.exported->name, "probe");
	CU_ASSERT_STRING_EQUAL(file.path, MODULE("probe"));
	plugin_file_close(&file);
	end();
}

static void copy_goes_with_the_file(void)
{
	struct plugin_file file;

	begin();
	CU_ASSERT_EQUAL_FATAL(open_copied(&file, MODULE("probe"), "1"), 0);
	CU_ASSERT_STRING_EQUAL(file.path, MODULE("probe"));
	CU_ASSERT_TRUE(is_there("1"));
	CU_ASSERT_PTR_NULL(dlopen(MODULE("probe"), RTLD_NOW | RTLD_NOLOAD));
	plugin_file_close(&file);
	CU_ASSERT_FALSE(is_there("1"));
	end();
}

/* dlopen() would hand back the first one under its name, or as the same file. */
static void one_file_opened_twice_is_two(void)
{
	struct plugin_file first, second;

	begin();
	CU_ASSERT_EQUAL_FATAL(open_copied(&first, MODULE("probe"), "1"), 0);
	CU_ASSERT_EQUAL_FATAL(open_copied(&second, MODULE("probe"), "2"), 0);
	CU_ASSERT_PTR_NOT_EQUAL(first.exported, second.exported);
	plugin_file_close(&first);
	CU_ASSERT_STRING_EQUAL(second.exported->name, "probe");
	plugin_file_close(&second);
	end();
}

static void installed_file_that_is_overwritten(void)
{
	struct plugin_file first, second;
	char *installed;

	begin();
	installed = inside("installed.so");
	copy_to(MODULE("probe"), installed);
	CU_ASSERT_EQUAL_FATAL(open_copied(&first, installed, "1"), 0);
	copy_to(MODULE("rival"), installed); /* in place: the same inode */
	CU_ASSERT_STRING_EQUAL(first.exported->name, "probe");
	CU_ASSERT_EQUAL_FATAL(open_copied(&second, installed, "2"), 0);
	CU_ASSERT_STRING_EQUAL(second.exported->name, "rival");
	CU_ASSERT_EQUAL(truncate(installed, 0), 0);
	CU_ASSERT_STRING_EQUAL(first.exported->version, "1.2");
	plugin_file_close(&second);
	plugin_file_close(&first);
	mem_free(installed);
	end();
}

/* ---- Errors: in the words of the linker, and with the file's own name ---- */

static void refused(const char *path, const char *why)
{
	struct plugin_file file;
	char expected[512];

	CU_ASSERT_EQUAL(open_copied(&file, path, "1"), -1);
	(void)snprintf(expected, sizeof(expected), "%s%s", path, why);
	CU_ASSERT_STRING_EQUAL(reason, expected);
	plugin_file_close(&file);
	CU_ASSERT_FALSE(is_there("1"));
}

/* A new version of it would go on with the old one's. */
static void file_with_a_variable_of_all(void)
{
	begin();
	refused(MODULE("shares_variable"),
		": other versions would share its variable 'shared_count' (g++: -fno-gnu-unique)");
	end();
}

static void files_that_are_none(void)
{
	char *script;

	begin();
	script = inside("script");
	put(script, "#!/bin/sh\n# a script that is longer than the header of a shared object is, which has sixty-four "
		    "bytes\n");
	refused("/no/such.so", ": cannot open shared object file: No such file or directory");
	refused(PLUGIN_MODULES, ": cannot read file data: Is a directory");
	refused(script, ": invalid ELF header");
	refused(MODULE("undefined"), ": undefined symbol: bug_stop");
	refused(MODULE("no_symbol"), " does not export shunt_plugin");
	mem_free(script);
	end();
}

/* Reading it would wait for somebody to write. */
static void pipe_is_not_waited_for(void)
{
	char *pipe;

	begin();
	pipe = inside("pipe");
	CU_ASSERT_EQUAL_FATAL(mkfifo(pipe, 0600), 0);
	(void)alarm(LIMIT_S);
	refused(pipe, ": not a regular file");
	refused("/dev/zero", ": not a regular file");
	(void)alarm(0);
	mem_free(pipe);
	end();
}

/* As a compiler or cp that is still writing leaves it. To map what is not there would be the end of the broker. */
static void file_that_is_cut_short(void)
{
	struct plugin_file file;
	char *installed;
	struct stat status;
	long whole;

	begin();
	installed = inside("installed.so");
	copy_to(MODULE("probe"), installed);
	CU_ASSERT_EQUAL_FATAL(stat(installed, &status), 0);
	whole = (long)status.st_size;
	for (int i = 0; i < 200; i++) {
		long size = whole - whole * i / 200 - 1;

		CU_ASSERT_EQUAL_FATAL(truncate(installed, size), 0);
		/* what is only for debuggers may be missing */
		if (open_copied(&file, installed, "1") == 0)
			CU_ASSERT_STRING_EQUAL(file.exported->name, "probe");
		plugin_file_close(&file);
		(void)open_copied(&file, installed, NULL);
		plugin_file_close(&file);
	}
	refused(installed, ": file too short");
	CU_ASSERT_EQUAL(truncate(installed, 1000), 0);
	refused(installed, ": file too short");
	mem_free(installed);
	end();
}

static void no_room_for_the_copy(void)
{
	struct plugin_file file;
	char expected[512];

	begin();
	CU_ASSERT_EQUAL(open_copied(&file, MODULE("probe"), "no/such/folder"), -1);
	(void)snprintf(expected, sizeof(expected),
		       MODULE("probe") ": cannot make its copy '%s/no/such/folder': No such file or directory", folder);
	CU_ASSERT_STRING_EQUAL(reason, expected);
	plugin_file_close(&file);
	CU_ASSERT_EQUAL(plugin_file_open(&file, mem_strdup(MODULE("probe")), mem_strdup("/dev/full"), reason,
					 sizeof(reason)),
			-1);
	CU_ASSERT_STRING_EQUAL(reason, MODULE("probe") ": cannot make its copy '/dev/full': File exists");
	plugin_file_close(&file);
	CU_ASSERT_EQUAL(access("/dev/full", F_OK), 0);
	end();
}

UNIT_MAIN("file", UNIT_TEST(folder_is_made_and_emptied), UNIT_TEST(folder_that_cannot_be),
	  UNIT_TEST(file_without_a_copy), UNIT_TEST(copy_goes_with_the_file), UNIT_TEST(one_file_opened_twice_is_two),
	  UNIT_TEST(installed_file_that_is_overwritten), UNIT_TEST(files_that_are_none), UNIT_TEST(file_with_a_variable_of_all), UNIT_TEST(pipe_is_not_waited_for),
	  UNIT_TEST(file_that_is_cut_short),
	  UNIT_TEST(no_room_for_the_copy))
