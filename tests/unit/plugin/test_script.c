/* SPDX-License-Identifier: MIT */
/* Scripts at the start of the broker: found, opened by their language, and put in force as plugins. */
#include "scripts.h"

static void loaded_by_path(void)
{
	const struct plugin *plugin;

	world_begin();
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "version 4\ntype x-first\n")), 0);
	plugin = plugins_find(plugins, "first");
	CU_ASSERT_PTR_NOT_NULL_FATAL(plugin);
	CU_ASSERT_STRING_EQUAL(plugin->self.version, "4");
	CU_ASSERT_STRING_EQUAL(plugin->file.path, path);
	CU_ASSERT_TRUE(has_type("x-first"));
	CU_ASSERT_EQUAL(notes.n_started, 1);
	CU_ASSERT_EQUAL(notes.n_activated, 1);
	CU_ASSERT_EQUAL(notes.purpose, SHUNT_SCRIPT_RUN);
	world_end();
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
	CU_ASSERT_EQUAL(notes.n_closed, 1);
}

/* The plugin of its extension's name, and only when there is a script of it. */
static void language_is_loaded_on_demand(void)
{
	world_begin();
	write_script("first.lines", "");
	CU_ASSERT_PTR_NULL(plugins_find(plugins, "lines"));
	CU_ASSERT_EQUAL(load_script("first.lines"), 0);
	CU_ASSERT_PTR_NOT_NULL(plugins_find(plugins, "lines"));
	write_script("second.lines", "");
	CU_ASSERT_EQUAL(load_script("second.lines"), 0);
	CU_ASSERT_EQUAL(notes.n_begun, 1);
	world_end();
}

static void language_that_is_loaded_already(void)
{
	world_begin();
	CU_ASSERT_EQUAL_FATAL(plugins_load(plugins, "lines", NULL, reason, sizeof(reason)), 0);
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "")), 0);
	CU_ASSERT_EQUAL(notes.n_begun, 1);
	world_end();
}

static void language_that_nobody_has(void)
{
	world_begin();
	CU_ASSERT_EQUAL(load_script(write_script("first.cobol", "")), -1);
	ASSERT_REASON("shunt.conf:3: cannot load plugin 'cobol': " MODULE(
		"cobol") ": cannot open shared object file: No such file or directory");
	/* a plugin of that name which has no language */
	CU_ASSERT_EQUAL(load_script(write_script("first.probe", "")), -1);
	ASSERT_REASON("shunt.conf:3: cannot load script '%s': %s: no plugin runs scripts with the extension 'probe'",
		      path, path);
	world_end();
}

static void names(void)
{
	world_begin();
	CU_ASSERT_EQUAL(load_script("first"), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "cannot load plugin 'lua'"));
	CU_ASSERT_EQUAL(load_script(write_script("no_extension", "")), -1);
	ASSERT_REASON("shunt.conf:3: cannot load script '%s': %s: a script's file is NAME.EXTENSION, with a name of "
		      "letters, digits, '-' and '_'",
		      path, path);
	CU_ASSERT_EQUAL(load_script(write_script("a b.lines", "")), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "a script's file is NAME.EXTENSION"));
	CU_ASSERT_EQUAL(load_script(write_script(".lines", "")), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "a script's file is NAME.EXTENSION"));
	world_end();
}

/* Scripts and plugins share one space of names. */
static void name_that_is_taken(void)
{
	world_begin();
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "")), 0);
	CU_ASSERT_EQUAL(load_script("first.lines"), -1);
	ASSERT_REASON("shunt.conf:3: cannot load script 'first.lines': a plugin named 'first' is loaded already");
	CU_ASSERT_EQUAL(load_script(write_script("lines.lines", "")), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "a plugin named 'lines' is loaded already"));
	CU_ASSERT_EQUAL(notes.n_opened, 1);
	world_end();
}

/* ---- What is wrong with it ---- */

static void error_in_the_script(void)
{
	world_begin();
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "version 1\n\nnonsense\n")), -1);
	ASSERT_REASON("%s:3: there is no such line", path);
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "type x-first\nfail of itself")), -1);
	ASSERT_REASON("%s:2: of itself", path);
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "start not today\n")), -1);
	ASSERT_REASON("shunt.conf:3: cannot load script '%s': it does not start: not today", path);
	CU_ASSERT_FALSE(has_type("x-first"));
	CU_ASSERT_PTR_NULL(plugins_find(plugins, "first"));
	world_end();
	CU_ASSERT_EQUAL(notes.n_stopped, 0);
}

static void files_that_cannot_be_read(void)
{
	char *large = mem_alloc(SCRIPT_SOURCE_MAX + 2);

	world_begin();
	CU_ASSERT_EQUAL(load_script("first.lines"), -1);
	ASSERT_REASON("shunt.conf:3: cannot load script 'first.lines': %s/first.lines: No such file or directory", folder);
	(void)snprintf(path, sizeof(path), "%s/folder.lines", folder);
	CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
	CU_ASSERT_EQUAL(load_script(path), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "/folder.lines: not a regular file"));
	(void)snprintf(path, sizeof(path), "%s/pipe.lines", folder);
	CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
	CU_ASSERT_EQUAL(load_script(path), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "/pipe.lines: not a regular file"));
	memset(large, '\n', SCRIPT_SOURCE_MAX + 1);
	large[SCRIPT_SOURCE_MAX + 1] = '\0';
	CU_ASSERT_EQUAL(load_script(write_script("large.lines", large)), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "/large.lines: larger than 1 MiB"));
	CU_ASSERT_EQUAL(notes.n_opened, 0);
	large[SCRIPT_SOURCE_MAX] = '\0';
	CU_ASSERT_EQUAL(load_script(write_script("large.lines", large)), 0);
	world_end();
	mem_free(large);
}

static void type_of_another(void)
{
	world_begin();
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "type x-first\n")), 0);
	CU_ASSERT_EQUAL(load_script(write_script("second.lines", "type x-first\n")), -1);
	ASSERT_REASON("shunt.conf:3: cannot load script '%s': it does not start: exchange type 'x-first' is there "
		      "already, by plugin 'first'",
		      path);
	world_end();
}

static void what_the_language_makes_is_checked(void)
{
	world_begin();
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "name second\n")), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "its language has made plugin 'second' of it, not 'first'"));
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "version \n")), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "its language gives it no name or version"));
	world_end();
	CU_ASSERT_EQUAL(notes.n_closed, 2);
}

/* ---- Settings ---- */

static void settings_of_a_script(void)
{
	set("first", "colour", "red");
	set("other", "colour", "grey");
	set("first", "a.b.c", "d");
	set("first", "optional", "true");
	set("first", "colour", "blue");
	set("other", "optional", "true");
	world_begin();
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "")), 0);
	CU_ASSERT_STRING_EQUAL(notes.setting, "blue");
	ASSERT_TEXT(notes.settings, " a.b.c=d colour=blue");
	CU_ASSERT_EQUAL(plugins_check_settings(plugins, reason, sizeof(reason)), 0);
	world_end();
}

/* They are no plugin's of that name, nor the other way round. */
static void settings_of_the_other_kind(void)
{
	set("lines", "colour", "red");
	world_begin();
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "")), 0);
	CU_ASSERT_STRING_EQUAL(notes.setting, "(none)");
	CU_ASSERT_EQUAL(plugins_check_settings(plugins, reason, sizeof(reason)), -1);
	ASSERT_REASON("shunt.conf:7: script 'lines' is not loaded");
	world_end();
}

static void settings_that_do_not_fit(void)
{
	set("first", "size", "11");
	world_begin();
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "")), -1);
	ASSERT_REASON("shunt.conf:7: bad value '11' for 'script.first.size': expected a whole number from 1 to 10");
	CU_ASSERT_EQUAL(notes.n_opened, 0);
	world_end();
}

static void optional_scripts(void)
{
	set("first", "optional", "true");
	set("third", "optional", "true");
	world_begin();
	CU_ASSERT_EQUAL(load_script(write_script("first.lines", "nonsense\n")), 0);
	CU_ASSERT_PTR_NULL(plugins_find(plugins, "first"));
	CU_ASSERT_EQUAL(load_script("third.cobol"), 0);
	CU_ASSERT_EQUAL(load_script(write_script("second.lines", "nonsense\n")), -1);
	CU_ASSERT_EQUAL(plugins_check_settings(plugins, reason, sizeof(reason)), 0);
	world_end();
}

/* ---- Which of them are there ---- */

static void scripts_of_a_language(void)
{
	struct plugin *language, *first, *second;

	world_begin();
	CU_ASSERT_EQUAL_FATAL(load_script(write_script("first.lines", "")), 0);
	CU_ASSERT_EQUAL_FATAL(plugins_load(plugins, "probe", NULL, reason, sizeof(reason)), 0);
	CU_ASSERT_EQUAL_FATAL(load_script(write_script("second.lines", "")), 0);
	language = plugins_find(plugins, "lines");
	first = plugins_next_script(plugins, language, NULL);
	CU_ASSERT_PTR_EQUAL_FATAL(first, plugins_find(plugins, "first"));
	second = plugins_next_script(plugins, language, first);
	CU_ASSERT_PTR_EQUAL_FATAL(second, plugins_find(plugins, "second"));
	CU_ASSERT_PTR_NULL(plugins_next_script(plugins, language, second));
	CU_ASSERT_PTR_NULL(plugins_next_script(plugins, first, NULL));
	world_end();
}

static void what_is_named(void)
{
	world_begin();
	CU_ASSERT_TRUE(plugins_name_script(plugins, "first.lua"));
	CU_ASSERT_TRUE(plugins_name_script(plugins, "/usr/x.y/first.lua"));
	CU_ASSERT_FALSE(plugins_name_script(plugins, "/usr/x.lua/first"));
	CU_ASSERT_FALSE(plugins_name_script(plugins, "first"));
	CU_ASSERT_FALSE(plugins_name_script(plugins, "/usr/lib/first.so"));
	CU_ASSERT_FALSE(plugins_name_script(plugins, "/usr/lib/first.so.1"));
	CU_ASSERT_FALSE(plugins_name_script(plugins, "first.lines"));
	CU_ASSERT_EQUAL_FATAL(plugins_load(plugins, "lines", NULL, reason, sizeof(reason)), 0);
	CU_ASSERT_TRUE(plugins_name_script(plugins, "first.lines"));
	world_end();
}

UNIT_MAIN("script", UNIT_TEST(loaded_by_path), UNIT_TEST(language_is_loaded_on_demand),
	  UNIT_TEST(language_that_is_loaded_already), UNIT_TEST(language_that_nobody_has), UNIT_TEST(names),
	  UNIT_TEST(name_that_is_taken), UNIT_TEST(error_in_the_script), UNIT_TEST(files_that_cannot_be_read),
	  UNIT_TEST(type_of_another), UNIT_TEST(what_the_language_makes_is_checked), UNIT_TEST(settings_of_a_script),
	  UNIT_TEST(settings_of_the_other_kind), UNIT_TEST(settings_that_do_not_fit), UNIT_TEST(optional_scripts),
	  UNIT_TEST(scripts_of_a_language), UNIT_TEST(what_is_named))
