/* SPDX-License-Identifier: MIT */
#include "plugin/loader.h"

#include <errno.h>
#include <stdlib.h>

#include "fixture.h"

/* ---- What is no plugin ---- */

/* The system's own words, of which the loader makes one line. */
static void assert_refused_as_the_system_says(const char *path)
{
	char expected[1024];
	const char *said;

	CU_ASSERT_PTR_NULL_FATAL(dlopen(path, RTLD_NOW | RTLD_LOCAL));
	said = dlerror();
	CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(said, path));
	(void)snprintf(expected, sizeof(expected), "cannot load plugin '%s': %s", path, said);
	CU_ASSERT_EQUAL(load(path), -1);
	ASSERT_TEXT(reason, expected);
	CU_ASSERT_PTR_NULL(strchr(reason, '\n'));
}

static void missing_file(void)
{
	plugins_begin(0);
	assert_refused_as_the_system_says(MODULE("no_such"));
	ASSERT_REFUSED("no_such", MODULE("no_such") ": cannot open shared object file: "
						    "No such file or directory");
	(void)plugins_end();
}

static void file_that_is_no_elf(void)
{
	static const char text[] =
		"#!/bin/sh\n# a script that is longer than the header of a shared "
		"object is, which has sixty-four bytes\n";
	char path[] = "/tmp/shunt-test-XXXXXX";
	int fd = mkstemp(path);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	plugins_begin(0);
	assert_refused_as_the_system_says(path);
	CU_ASSERT_EQUAL(write(fd, text, sizeof(text)), (ssize_t)sizeof(text));
	assert_refused_as_the_system_says(path);
	(void)plugins_end();
	(void)close(fd);
	(void)unlink(path);
}

static void directory(void)
{
	plugins_begin(0);
	assert_refused_as_the_system_says(PLUGIN_MODULES "/");
	(void)plugins_end();
}

static void no_symbol(void)
{
	plugins_begin(0);
	ASSERT_REFUSED("no_symbol", MODULE("no_symbol") " does not export shunt_plugin");
	CU_ASSERT_FALSE(is_open(MODULE("no_symbol")));
	(void)plugins_end();
}

/* shuntd exports nothing, also if it were linked with it. */
static void function_of_the_broker(void)
{
	plugins_begin(0);
	ASSERT_REFUSED("undefined", MODULE("undefined") ": undefined symbol: bug_stop");
	(void)plugins_end();
}

/* ---- What does not fit ---- */

static void wrong_magic(void)
{
	plugins_begin(0);
	ASSERT_REFUSED("bad_magic", "shunt_plugin has the magic number 0x00c0ffee, not 0x544e4853");
	CU_ASSERT_FALSE(is_open(MODULE("bad_magic")));
	(void)plugins_end();
}

static void refused_for(const char *name, unsigned major, unsigned minor, const char *verdict)
{
	char expected[256];

	CU_ASSERT_EQUAL(load(name), -1);
	(void)snprintf(expected, sizeof(expected),
		       "cannot load plugin '%s': it is built for ABI %u.%u, %s %u.%u", name, major,
		       minor, verdict, SHUNT_ABI_MAJOR, SHUNT_ABI_MINOR);
	ASSERT_TEXT(reason, expected);
}

static void other_abi(void)
{
	plugins_begin(0);
	refused_for("older_major", 0, 7, "this broker has");
	refused_for("newer_major", SHUNT_ABI_MAJOR + 1, SHUNT_ABI_MINOR, "this broker has");
	refused_for("newer_minor", SHUNT_ABI_MAJOR, SHUNT_ABI_MINOR + 1, "newer than this broker's");
	(void)plugins_end();
}

static void wrong_size(void)
{
	char expected[256];

	plugins_begin(0);
	CU_ASSERT_EQUAL(load("bad_size"), -1);
	(void)snprintf(expected, sizeof(expected),
		       "cannot load plugin 'bad_size': struct shunt_plugin has 8 bytes, not %zu",
		       sizeof(struct shunt_plugin));
	ASSERT_TEXT(reason, expected);
	(void)plugins_end();
}

static void lacks_something(void)
{
#define LACKS "it lacks a name, version, licence or start function"
	plugins_begin(0);
	ASSERT_REFUSED("no_name", LACKS);
	ASSERT_REFUSED("empty_name", LACKS);
	ASSERT_REFUSED("no_version", LACKS);
	ASSERT_REFUSED("empty_version", LACKS);
	ASSERT_REFUSED("no_licence", LACKS);
	ASSERT_REFUSED("no_start", LACKS);
	(void)plugins_end();
}

static void name_that_no_setting_can_have(void)
{
	plugins_begin(0);
	ASSERT_REFUSED("dotted_name", "its name has more than letters, digits, '-' and '_'");
	(void)plugins_end();
}

static void default_that_the_option_does_not_allow(void)
{
	plugins_begin(0);
	ASSERT_REFUSED("bad_default", "its option 'ratio' does not allow its own default '11'");
	(void)plugins_end();
}

/* ---- Starting and stopping ---- */

static void fails(const char *how, const char *expected)
{
	settings[0] = (struct plugin_setting){"probe", "fail", how, "shunt.conf:3", false};
	settings[1] = (struct plugin_setting){"probe", "register", "good", "shunt.conf:4", false};
	plugins_begin(2);
	CU_ASSERT_EQUAL(load("probe"), -1);
	ASSERT_TEXT(reason, expected);
	CU_ASSERT_FALSE(is_open(MODULE("probe")));
	CU_ASSERT_FALSE(has_type("good"));
	/* what did not start is not stopped */
	ASSERT_TEXT(plugins_end(), "");
}

static void start_that_fails(void)
{
	char expected[400] = "cannot load plugin 'probe': it does not start: ";
	size_t n = strlen(expected);

	fails("text", "cannot load plugin 'probe': it does not start: no oracle at hand");
	fails("silent", "cannot load plugin 'probe': it does not start: it does not say why");
	fails("positive", "cannot load plugin 'probe': it does not start: it does not say why");
	memset(expected + n, 'x', sizeof(((struct shunt_error *)NULL)->text) - 1);
	fails("endless", expected);
}

static void place_comes_first(void)
{
	plugins_begin(0);
	CU_ASSERT_EQUAL(plugins_load(plugins, "bad_magic", "shunt.conf:7", reason, sizeof(reason)),
			-1);
	ASSERT_TEXT(reason,
		    "shunt.conf:7: cannot load plugin 'bad_magic': shunt_plugin has the magic "
		    "number 0x00c0ffee, not 0x544e4853");
	(void)plugins_end();
}

static void reason_is_cut_to_its_room(void)
{
	char room[24];

	plugins_begin(0);
	memset(room, '#', sizeof(room));
	CU_ASSERT_EQUAL(plugins_load(plugins, "no_such", NULL, room, sizeof(room)), -1);
	ASSERT_TEXT(room, "cannot load plugin 'no_");
	(void)plugins_end();
}

static void visit_one(void *context, const struct shunt_plugin *plugin, const char *path)
{
	char *out = context;
	size_t n = strlen(out);

	(void)snprintf(out + n, 1024 - n, "%s %s %s;", plugin->name, plugin->version, path);
}

static void by_name(void)
{
	char list[1024] = "", path[1024];
	const char *said;

	plugins_begin(0);
	plugins_for_each(plugins, visit_one, list);
	ASSERT_TEXT(list, "");
	capture_begin();
	CU_ASSERT_EQUAL(plugins_load(plugins, "probe", "shunt.conf:1", reason, sizeof(reason)), 0);
	said = capture_end();
	CU_ASSERT_PTR_NOT_NULL(strstr(
		said, " I plugin: loaded: name=probe version=1.2 path=\"" MODULE("probe") "\"\n"));
	CU_ASSERT_PTR_EQUAL(strchr(said, '\n'), said + strlen(said) - 1);
	plugins_for_each(plugins, visit_one, list);
	(void)snprintf(path, sizeof(path), "probe 1.2 %s;", MODULE("probe"));
	ASSERT_TEXT(list, path);
	(void)plugins_end();
	CU_ASSERT_FALSE(is_open(MODULE("probe")));
}

static void by_path(void)
{
	static const char path[] = PLUGIN_MODULES "/../plugin/probe.so";
	char list[1024] = "", expected[1024];

	topology = topology_create(1, "/");
	plugins = plugins_create(&(struct plugins_config){
		.topology = topology,
		.directory = "/no/such/directory",
	});
	ASSERT_LOADS(path);
	plugins_for_each(plugins, visit_one, list);
	(void)snprintf(expected, sizeof(expected), "probe 1.2 %s;", path);
	ASSERT_TEXT(list, expected);
	(void)plugins_end();
}

static void twice(void)
{
	plugins_begin(0);
	ASSERT_LOADS("probe");
	ASSERT_REFUSED("probe", "a plugin named 'probe' is loaded already");
	ASSERT_REFUSED(PLUGIN_MODULES "/probe.so", "a plugin named 'probe' is loaded already");
	/* the first one is in place */
	CU_ASSERT_PTR_NOT_NULL(strstr(plugins_end(), " I plugin: probe: stopped\n"));
	CU_ASSERT_FALSE(is_open(MODULE("probe")));
}

static void stopped_in_the_reverse_order_with_their_states(void)
{
	const char *said, *probe, *rival;

	plugins_begin(0);
	ASSERT_LOADS("probe");
	ASSERT_LOADS("rival");
	said = plugins_end();
	probe = strstr(said, " I plugin: probe: stopped\n");
	rival = strstr(said, " I plugin: rival: stopped\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(probe);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rival);
	CU_ASSERT_TRUE(rival < probe);
}

static void none_at_all(void)
{
	plugins_begin(0);
	CU_ASSERT_EQUAL(plugins_check_settings(plugins, reason, sizeof(reason)), 0);
	ASSERT_TEXT(plugins_end(), "");
	plugins_destroy(NULL);
}

/* That is nothing that `optional` forgives, as it is not the plugin's. */
static void no_copy_can_be_made(void)
{
	static const char text[] = ": cannot make its copy '/dev/null/copies/";

	settings[0] = (struct plugin_setting){"probe", "optional", "true", "shunt.conf:3", false};
	topology = topology_create(1, "/");
	plugins = plugins_create(&(struct plugins_config){
		.topology = topology,
		.directory = PLUGIN_MODULES,
		.copies = "/dev/null/copies",
		.settings = settings,
		.n_settings = 1,
	});
	CU_ASSERT_EQUAL(load("probe"), -EIO);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, text));
	CU_ASSERT_FALSE(is_open(MODULE("probe")));
	(void)plugins_end();
}

UNIT_MAIN("loader", UNIT_TEST(missing_file), UNIT_TEST(file_that_is_no_elf), UNIT_TEST(directory),
	  UNIT_TEST(no_symbol), UNIT_TEST(function_of_the_broker), UNIT_TEST(wrong_magic),
	  UNIT_TEST(other_abi), UNIT_TEST(wrong_size), UNIT_TEST(lacks_something),
	  UNIT_TEST(name_that_no_setting_can_have),
	  UNIT_TEST(default_that_the_option_does_not_allow), UNIT_TEST(start_that_fails),
	  UNIT_TEST(place_comes_first), UNIT_TEST(reason_is_cut_to_its_room), UNIT_TEST(by_name),
	  UNIT_TEST(by_path), UNIT_TEST(twice),
	  UNIT_TEST(stopped_in_the_reverse_order_with_their_states), UNIT_TEST(none_at_all), UNIT_TEST(no_copy_can_be_made))
