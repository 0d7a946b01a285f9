/* SPDX-License-Identifier: MIT */
/* Scripts that come, change and go while the loops turn. */
#include "scripts.h"

#include "plugin/script_check.h"

/* ---- Orders ---- */

static char said[1024];
static unsigned n_done;

static void done(void *context, const char *error, const char *text)
{
	(void)context;
	n_done++;
	(void)snprintf(reason, sizeof(reason), "%s", error ? error : "");
	(void)snprintf(said, sizeof(said), "%s", text ? text : "");
}

static void order_it(enum plugin_operation operation, const char *name, const char *file, bool is_script)
{
	const struct plugin_order order = {
		.operation = operation,
		.name = name,
		.file = file,
		.is_script = is_script,
		.percent = 100,
		.done = done,
	};

	plugins_change(changes, &order);
}

/* Whether it succeeded; what was said is in `said`, or the reason in `reason`. Quietly, as failures are warnings. */
static bool change(enum plugin_operation operation, const char *name)
{
	n_done = 0;
	order_it(operation, name, NULL, true);
	UNTIL(n_done == 1);
	return reason[0] == '\0';
}

static void loaded(const char *file, const char *text)
{
	CU_ASSERT_TRUE_FATAL(change(PLUGIN_LOAD, write_script(file, text)));
}

/* ---- Load and unload ---- */

static void load_and_unload(void)
{
	world_begin();
	loaded("first.lines", "version 4\ntype x-first\n");
	ASSERT_TEXT(said, "script 'first', version 4, is loaded");
	CU_ASSERT_TRUE(has_type("x-first"));
	CU_ASSERT_EQUAL(notes.n_begun, 1);
	CU_ASSERT_EQUAL(notes.n_activated, 1);
	CU_ASSERT_TRUE(change(PLUGIN_UNLOAD, "first"));
	ASSERT_TEXT(said, "script 'first', version 4, is unloaded");
	CU_ASSERT_FALSE(has_type("x-first"));
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
	CU_ASSERT_EQUAL(notes.n_closed, 1);
	CU_ASSERT_EQUAL(notes.n_ended, 0);
	n_done = 0;
	order_it(PLUGIN_UNLOAD, "lines", NULL, false);
	UNTIL(n_done == 1);
	ASSERT_TEXT(said, "plugin 'lines', version 1, is unloaded");
	CU_ASSERT_EQUAL(notes.n_ended, 1);
	world_end();
}

static void load_that_fails(void)
{
	world_begin();
	CU_ASSERT_FALSE(change(PLUGIN_LOAD, write_script("first.lines", "type x-first\nnonsense\n")));
	ASSERT_REASON("%s:2: there is no such line (script '%s' is not loaded)", path, path);
	CU_ASSERT_FALSE(change(PLUGIN_LOAD, "missing.lines"));
	ASSERT_REASON("cannot load script 'missing.lines': %s/missing.lines: No such file or directory", folder);
	CU_ASSERT_FALSE(change(PLUGIN_LOAD, write_script("first.cobol", "")));
	ASSERT_REASON("cannot load script '%s': cannot load plugin 'cobol': " MODULE(
			      "cobol") ": cannot open shared object file: No such file or directory",
		      path);
	CU_ASSERT_FALSE(change(PLUGIN_UNLOAD, "first"));
	ASSERT_TEXT(reason, "cannot unload script 'first': no script of that name is loaded");
	CU_ASSERT_FALSE(change(PLUGIN_UNLOAD, "lines"));
	ASSERT_TEXT(reason, "cannot unload script 'lines': no script of that name is loaded");
	world_end();
}

static void language_stays_while_there_are_scripts(void)
{
	world_begin();
	loaded("first.lines", "");
	loaded("second.lines", "");
	n_done = 0;
	order_it(PLUGIN_UNLOAD, "lines", NULL, false);
	UNTIL(n_done == 1);
	ASSERT_TEXT(reason, "cannot unload plugin 'lines': these scripts run in it: 'first', 'second'");
	CU_ASSERT_EQUAL(notes.n_ended, 0);
	world_end();
}

/* ---- Other versions ---- */

static void reload(void)
{
	world_begin();
	loaded("first.lines", "version 1\ntype x-first\n");
	write_script("first.lines", "version 2\ntype x-first\ntype x-more\n");
	CU_ASSERT_TRUE(change(PLUGIN_RELOAD, "first"));
	ASSERT_TEXT(said, "script 'first': version 2 has taken the place of 1");
	CU_ASSERT_STRING_EQUAL(version_of("first"), "2");
	CU_ASSERT_TRUE(has_type("x-more"));
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
	CU_ASSERT_EQUAL(notes.n_closed, 1);
	CU_ASSERT_EQUAL(notes.n_activated, 2);
	world_end();
}

static void reload_that_fails(void)
{
	world_begin();
	loaded("first.lines", "version 1\ntype x-first\n");
	write_script("first.lines", "version 2\nfail on purpose\n");
	CU_ASSERT_FALSE(change(PLUGIN_RELOAD, "first"));
	ASSERT_REASON("%s:2: on purpose (script 'first' is not reloaded)", path);
	write_script("first.lines", "version 2\ntype x-first\nstart no\n");
	CU_ASSERT_FALSE(change(PLUGIN_RELOAD, "first"));
	ASSERT_REASON("cannot reload script 'first': it does not start: no");
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT_FALSE(change(PLUGIN_RELOAD, "first"));
	ASSERT_REASON("cannot reload script 'first': %s: No such file or directory", path);
	CU_ASSERT_STRING_EQUAL(version_of("first"), "1");
	CU_ASSERT_EQUAL(notes.n_stopped, 0);
	CU_ASSERT_TRUE(has_type("x-first"));
	world_end();
}

/* The text that ran before is kept, and so is the one that is gone back from. */
static void roll_back(void)
{
	world_begin();
	loaded("first.lines", "version 1\n");
	CU_ASSERT_FALSE(change(PLUGIN_ROLLBACK, "first"));
	ASSERT_TEXT(reason, "cannot roll back script 'first': no other version of it has run");
	write_script("first.lines", "version 2\n");
	CU_ASSERT_TRUE(change(PLUGIN_RELOAD, "first"));
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT_TRUE(change(PLUGIN_ROLLBACK, "first"));
	ASSERT_TEXT(said, "script 'first': version 1 has taken the place of 2");
	CU_ASSERT_STRING_EQUAL(version_of("first"), "1");
	CU_ASSERT_TRUE(change(PLUGIN_ROLLBACK, "first"));
	CU_ASSERT_STRING_EQUAL(version_of("first"), "2");
	world_end();
}

/* It is no other version. */
static void reload_of_the_same_text(void)
{
	world_begin();
	loaded("first.lines", "version 1\n");
	write_script("first.lines", "version 2\n");
	CU_ASSERT_TRUE(change(PLUGIN_RELOAD, "first"));
	CU_ASSERT_TRUE(change(PLUGIN_RELOAD, "first"));
	CU_ASSERT_EQUAL(notes.n_stopped, 2);
	CU_ASSERT_TRUE(change(PLUGIN_ROLLBACK, "first"));
	CU_ASSERT_STRING_EQUAL(version_of("first"), "1");
	world_end();
}

static void roll_back_of_what_is_no_script(void)
{
	world_begin();
	CU_ASSERT_EQUAL_FATAL(plugins_load(plugins, "lines", NULL, reason, sizeof(reason)), 0);
	n_done = 0;
	order_it(PLUGIN_ROLLBACK, "lines", NULL, false);
	UNTIL(n_done == 1);
	ASSERT_TEXT(reason, "cannot roll back plugin 'lines': only scripts can be rolled back");
	world_end();
}

/* ---- Files that change ---- */

static void refresh(void)
{
	world_begin();
	loaded("first.lines", "version 1\n");
	CU_ASSERT_TRUE(change(PLUGIN_REFRESH, "first"));
	ASSERT_TEXT(said, "it is unchanged");
	CU_ASSERT_EQUAL(notes.n_opened, 1);
	write_script("first.lines", "version 2\n");
	CU_ASSERT_TRUE(change(PLUGIN_REFRESH, "first"));
	CU_ASSERT_STRING_EQUAL(version_of("first"), "2");
	write_script("first.lines", "nonsense\n");
	CU_ASSERT_FALSE(change(PLUGIN_REFRESH, "first"));
	ASSERT_REASON("%s:1: there is no such line (script 'first' is not reloaded)", path);
	CU_ASSERT_STRING_EQUAL(version_of("first"), "2");
	world_end();
}

/* What was gone back from does not come again, until its file holds something else. */
static void refresh_after_going_back(void)
{
	world_begin();
	loaded("first.lines", "version 1\n");
	write_script("first.lines", "version 2\n");
	CU_ASSERT_TRUE(change(PLUGIN_RELOAD, "first"));
	CU_ASSERT_TRUE(change(PLUGIN_ROLLBACK, "first"));
	CU_ASSERT_TRUE(change(PLUGIN_REFRESH, "first"));
	ASSERT_TEXT(said, "it is unchanged");
	CU_ASSERT_STRING_EQUAL(version_of("first"), "1");
	write_script("first.lines", "version 3\n");
	CU_ASSERT_TRUE(change(PLUGIN_REFRESH, "first"));
	CU_ASSERT_STRING_EQUAL(version_of("first"), "3");
	world_end();
}

static void refresh_all(void)
{
	world_begin();
	loaded("first.lines", "version 1\n");
	loaded("second.lines", "version 1\n");
	loaded("third.lines", "version 1\n");
	write_script("first.lines", "version 2\n");
	write_script("third.lines", "version 3\n");
	plugins_refresh_scripts(changes);
	UNTIL(strcmp(version_of("third"), "3") == 0);
	CU_ASSERT_STRING_EQUAL(version_of("first"), "2");
	CU_ASSERT_STRING_EQUAL(version_of("second"), "1");
	CU_ASSERT_EQUAL(notes.n_opened, 5);
	world_end();
}

/* ---- Settings that change ---- */

static bool reload_language(const char *file)
{
	n_done = 0;
	order_it(PLUGIN_RELOAD, "lines", file, false);
	UNTIL(n_done == 1);
	return reason[0] == '\0';
}

static void take(const char *value)
{
	const struct plugin_setting fresh[] = {
		{ "lines", "notes", "1", "shunt.conf:1", false }, /* plugins keep what they have */
		{ "first", "colour", value, "shunt.conf:2", true },
		{ "first", "optional", "true", "shunt.conf:3", true },
	};

	plugins_take_script_settings(plugins, fresh, 3);
}

static void refresh_for_other_settings(void)
{
	const struct plugin *before;
	const char *colour;

	set("first", "colour", "red");
	set("first", "optional", "true");
	world_begin();
	loaded("first.lines", "");
	before = plugins_find(plugins, "first");
	colour = before->host.config(&before->host, "colour");
	take("red");
	CU_ASSERT_TRUE(change(PLUGIN_REFRESH, "first"));
	ASSERT_TEXT(said, "it is unchanged");
	take("blue");
	CU_ASSERT_STRING_EQUAL(colour, "red"); /* it is there as long as the script */
	CU_ASSERT_STRING_EQUAL(before->host.config(&before->host, "colour"), "red");
	CU_ASSERT_TRUE(change(PLUGIN_REFRESH, "first"));
	CU_ASSERT_STRING_EQUAL(notes.setting, "blue");
	CU_ASSERT_EQUAL(notes.n_opened, 2);
	CU_ASSERT_TRUE(change(PLUGIN_REFRESH, "first"));
	ASSERT_TEXT(said, "it is unchanged");
	/* one is gone, and all others are the same */
	plugins_take_script_settings(plugins, NULL, 0);
	CU_ASSERT_TRUE(change(PLUGIN_REFRESH, "first"));
	CU_ASSERT_STRING_EQUAL(notes.setting, "(none)");
	CU_ASSERT_TRUE(reload_language(NULL));
	world_end();
}

/* It is the version in force that gets them, whatever its file holds. */
static void other_settings_after_going_back(void)
{
	set("first", "colour", "red");
	world_begin();
	loaded("first.lines", "version 1\n");
	write_script("first.lines", "version 2\n");
	CU_ASSERT_TRUE(change(PLUGIN_RELOAD, "first"));
	CU_ASSERT_TRUE(change(PLUGIN_ROLLBACK, "first"));
	take("blue");
	CU_ASSERT_TRUE(change(PLUGIN_REFRESH, "first"));
	CU_ASSERT_STRING_EQUAL(notes.setting, "blue");
	CU_ASSERT_STRING_EQUAL(version_of("first"), "1");
	CU_ASSERT_TRUE(change(PLUGIN_ROLLBACK, "first"));
	CU_ASSERT_STRING_EQUAL(version_of("first"), "2");
	world_end();
}

static void settings_that_do_not_fit(void)
{
	const struct plugin_setting fresh = { "first", "size", "99", "shunt.conf:5", true };

	world_begin();
	loaded("first.lines", "");
	plugins_take_script_settings(plugins, &fresh, 1);
	CU_ASSERT_FALSE(change(PLUGIN_REFRESH, "first"));
	ASSERT_TEXT(reason, "cannot reload script 'first': shunt.conf:5: bad value '99' for 'script.first.size': "
			    "expected a whole number from 1 to 10");
	CU_ASSERT_EQUAL(notes.n_stopped, 0);
	world_end();
}

/* ---- Trials ---- */

static void trial(void)
{
	char other[sizeof(path)];

	world_begin();
	CU_ASSERT_EQUAL_FATAL(mkdir(strcat(strcpy(other, folder), "/new"), 0700), 0);
	loaded("first.lines", "version 1\ntype x-first\n");
	(void)snprintf(other, sizeof(other), "%s", write_script("new/first.lines", "version 2\ntype x-first\n"));
	n_done = 0;
	order_it(PLUGIN_TRY, "first", other, false);
	UNTIL(n_done == 1);
	ASSERT_TEXT(said, "script 'first': version 2 routes 100 % of the messages beside 1");
	CU_ASSERT_FALSE(change(PLUGIN_RELOAD, "first"));
	ASSERT_TEXT(reason, "cannot reload script 'first': version 2 of script 'first' is being tried: promote or drop "
			    "that first");
	n_done = 0;
	order_it(PLUGIN_RELOAD, "lines", NULL, false);
	UNTIL(n_done == 1);
	ASSERT_TEXT(reason, "cannot reload plugin 'lines': version 2 of script 'first' is being tried: promote or drop "
			    "that first");
	CU_ASSERT_TRUE(change(PLUGIN_PROMOTE, "first"));
	CU_ASSERT_STRING_EQUAL(version_of("first"), "2");
	CU_ASSERT_TRUE(change(PLUGIN_ROLLBACK, "first"));
	CU_ASSERT_STRING_EQUAL(version_of("first"), "1");
	world_end();
}

/* ---- Another version of the language ---- */

static void reload_of_the_language(void)
{
	const struct plugin *before;

	world_begin();
	loaded("first.lines", "version 1\ntype x-first\n");
	loaded("second.lines", "version 1\ntype x-second\n");
	write_script("second.lines", "version 2\n");
	CU_ASSERT_TRUE(change(PLUGIN_RELOAD, "second"));
	before = plugins_find(plugins, "lines");
	write_script("first.lines", "nobody reads this\n");
	CU_ASSERT_TRUE(reload_language(NULL));
	ASSERT_TEXT(said, "plugin 'lines': version 1 has taken the place of 1, with 2 scripts of it");
	CU_ASSERT_PTR_NOT_EQUAL(plugins_find(plugins, "lines"), before);
	CU_ASSERT_PTR_EQUAL(plugins_find(plugins, "first")->script->owner, plugins_find(plugins, "lines"));
	CU_ASSERT_PTR_EQUAL(plugins_find(plugins, "second")->script->owner, plugins_find(plugins, "lines"));
	CU_ASSERT_EQUAL(notes.n_begun, 2);
	CU_ASSERT_EQUAL(notes.n_ended, 1);
	CU_ASSERT_EQUAL(notes.n_opened, 5);
	CU_ASSERT_EQUAL(notes.n_closed, 3);
	CU_ASSERT_TRUE(has_type("x-first"));
	CU_ASSERT_STRING_EQUAL(version_of("second"), "2");
	CU_ASSERT_TRUE(change(PLUGIN_ROLLBACK, "second"));
	CU_ASSERT_STRING_EQUAL(version_of("second"), "1");
	world_end();
}

/* All of them change, or none. */
static void reload_of_the_language_that_fails(void)
{
	const struct plugin *language, *first;

	world_begin();
	loaded("first.lines", "version 1\ntype x-first\n");
	loaded("second.lines", "version 1\n");
	language = plugins_find(plugins, "lines");
	first = plugins_find(plugins, "first");
	CU_ASSERT_FALSE(reload_language(MODULE("lines_renamed")));
	ASSERT_REASON("cannot reload plugin 'lines': %s/first.lines: no plugin runs scripts with the extension 'lines'",
		      folder);
	/* the first script opens, the second does not */
	CU_ASSERT_FALSE(reload_language(MODULE("lines_strict")));
	ASSERT_REASON("%s/second.lines:2: there is nothing in it (plugin 'lines' is not reloaded)", folder);
	CU_ASSERT_PTR_EQUAL(plugins_find(plugins, "lines"), language);
	CU_ASSERT_PTR_EQUAL(plugins_find(plugins, "first"), first);
	CU_ASSERT_EQUAL(notes.n_stopped, 1); /* of the one that had been started */
	UNTIL(notes.n_ended == 2);
	CU_ASSERT_TRUE(reload_language(MODULE("lines")));
	world_end();
}

/* ---- Looking at one ---- */

static char report[1024];

static void print(void *context, struct slice text)
{
	size_t n = strlen(report);

	(void)context;
	(void)snprintf(report + n, sizeof(report) - n, SLICE_FMT, SLICE_ARG(text));
}

static void check_done(void *context, const char *error)
{
	done(context, error, NULL);
}

static void begin_check(const char *name_or_path, bool is_test)
{
	n_done = 0;
	report[0] = '\0';
	plugins_check_script(changes, &(struct script_check){
					      .name_or_path = name_or_path,
					      .is_test = is_test,
					      .print = print,
					      .done = check_done,
				      });
	CU_ASSERT_EQUAL(n_done, 0);
}

/* Until the other thread is in open(). */
static void wait_at_gate(void)
{
	loop_pool_drain();
	while (sem_wait(&notes.at_gate) != 0)
		;
}

static bool check(const char *name_or_path, bool is_test)
{
	begin_check(name_or_path, is_test);
	UNTIL(n_done == 1);
	return reason[0] == '\0';
}

static void check_and_test(void)
{
	set("first", "colour", "green");
	world_begin();
	CU_ASSERT_TRUE(check(write_script("first.lines", "says this\ntype x-first\nsays that\n"), false));
	ASSERT_TEXT(report, "this\nthat\n");
	CU_ASSERT_EQUAL(notes.purpose, SHUNT_SCRIPT_CHECK);
	CU_ASSERT_STRING_EQUAL(notes.setting, "green");
	CU_ASSERT_TRUE(check("first.lines", true));
	CU_ASSERT_EQUAL(notes.purpose, SHUNT_SCRIPT_TEST);
	CU_ASSERT_PTR_NULL(plugins_find(plugins, "first"));
	CU_ASSERT_FALSE(has_type("x-first"));
	CU_ASSERT_EQUAL(notes.n_started, 0);
	UNTIL(notes.n_closed == 2);
	world_end();
}

static void check_that_fails(void)
{
	world_begin();
	CU_ASSERT_FALSE(check(write_script("first.lines", "says this\nnonsense\n"), false));
	ASSERT_TEXT(report, "this\n");
	ASSERT_REASON("%s:2: there is no such line", path);
	CU_ASSERT_FALSE(check("/nowhere/first.lines", true));
	ASSERT_TEXT(reason, "/nowhere/first.lines: No such file or directory");
	CU_ASSERT_FALSE(check("first.cobol", true));
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "cannot load plugin 'cobol'"));
	world_end();
}

/* By its name, and it goes on as it was. */
static void check_of_one_that_runs(void)
{
	world_begin();
	loaded("first.lines", "version 1\ntype x-first\n");
	write_script("first.lines", "version 2\ntype x-first\nsays hello\n");
	CU_ASSERT_TRUE(check("first", false));
	ASSERT_TEXT(report, "hello\n");
	CU_ASSERT_STRING_EQUAL(version_of("first"), "1");
	CU_ASSERT_EQUAL(notes.n_started, 1);
	world_end();
}

/* Each finds that the language is not there, and has it loaded. */
static void two_checks_at_once(void)
{
	world_begin();
	write_script("first.lines", "says one\n");
	write_script("second.lines", "says two\n");
	begin_check("first.lines", false);
	begin_check("second.lines", false);
	UNTIL(n_done == 2);
	ASSERT_TEXT(report, "one\ntwo\n");
	world_end();
}

/* It may take seconds: changes, and what plugins close, go on meanwhile. */
static void long_check_holds_nobody_up(void)
{
	world_begin();
	loaded("first.lines", "version 1\n");
	begin_check(write_script("slow.lines", "gate\n"), true);
	wait_at_gate();
	loaded("second.lines", "");
	CU_ASSERT_TRUE(change(PLUGIN_UNLOAD, "second"));
	n_done = 0;
	(void)sem_post(&notes.gate);
	UNTIL(n_done == 1);
	ASSERT_TEXT(reason, "");
	world_end();
}

/* And so does whatever else is to be done at home while a script of a change is opened. */
static void long_load_holds_no_check_up(void)
{
	world_begin();
	loaded("first.lines", "version 1\n");
	n_done = 0;
	order_it(PLUGIN_LOAD, write_script("slow.lines", "gate\n"), NULL, true);
	wait_at_gate();
	CU_ASSERT_TRUE(check("first", false));
	n_done = 0;
	(void)sem_post(&notes.gate);
	UNTIL(n_done == 1);
	CU_ASSERT_STRING_EQUAL(version_of("slow"), "1");
	world_end();
}

/* ---- The end of the broker meanwhile ---- */

static void the_end_while_one_is_opened(void)
{
	world_begin();
	loaded("first.lines", "version 1\n");
	n_done = 0;
	order_it(PLUGIN_LOAD, write_script("slow.lines", "gate\n"), NULL, true);
	order_it(PLUGIN_RELOAD, "first", NULL, true);
	wait_at_gate();
	(void)sem_post(&notes.gate);
	world_end();
	CU_ASSERT_EQUAL(n_done, 2);
}

static void the_end_while_one_is_looked_at(void)
{
	world_begin();
	loaded("first.lines", "version 1\n");
	begin_check(write_script("slow.lines", "gate\n"), true);
	wait_at_gate();
	(void)sem_post(&notes.gate);
	world_end();
	CU_ASSERT_EQUAL(n_done, 1);
}

/* Each may take seconds: those that have not begun never do. */
static void the_end_while_others_wait_to_be_looked_at(void)
{
	world_begin();
	loaded("first.lines", "version 1\n");
	begin_check(write_script("slow.lines", "gate\n"), true);
	wait_at_gate();
	begin_check("first", true);
	loop_pool_stop();
	(void)sem_post(&notes.gate);
	world_end();
	CU_ASSERT_EQUAL(n_done, 2);
	CU_ASSERT_STRING_EQUAL(reason, "the broker is stopping");
	CU_ASSERT_EQUAL(notes.n_opened, 2);
}

UNIT_MAIN("script_change", UNIT_TEST(load_and_unload), UNIT_TEST(load_that_fails),
	  UNIT_TEST(language_stays_while_there_are_scripts), UNIT_TEST(reload), UNIT_TEST(reload_that_fails),
	  UNIT_TEST(roll_back), UNIT_TEST(reload_of_the_same_text), UNIT_TEST(roll_back_of_what_is_no_script),
	  UNIT_TEST(refresh), UNIT_TEST(refresh_after_going_back), UNIT_TEST(refresh_all), UNIT_TEST(refresh_for_other_settings),
	  UNIT_TEST(other_settings_after_going_back), UNIT_TEST(settings_that_do_not_fit), UNIT_TEST(trial),
	  UNIT_TEST(reload_of_the_language), UNIT_TEST(reload_of_the_language_that_fails), UNIT_TEST(check_and_test),
	  UNIT_TEST(check_that_fails), UNIT_TEST(check_of_one_that_runs), UNIT_TEST(two_checks_at_once),
	  UNIT_TEST(long_check_holds_nobody_up),
	  UNIT_TEST(long_load_holds_no_check_up), UNIT_TEST(the_end_while_one_is_opened),
	  UNIT_TEST(the_end_while_one_is_looked_at), UNIT_TEST(the_end_while_others_wait_to_be_looked_at))
