/* SPDX-License-Identifier: MIT */
/* The settings of plugins: plugin.NAME.KEY = value. */
#include "fixture.h"

#include "plugin/plugin.h"

static void set(size_t i, const char *key, const char *value)
{
	static const char *const places[] = {"shunt.conf:10", "shunt.conf:11", "-o"};

	settings[i] = (struct plugin_setting){"probe", key, value, places[i], false};
}

static const char *value_of(const char *key)
{
	const struct shunt_host *host = probe_get()->host;

	return host->config(host, key);
}

static void refused(const char *key, const char *value, const char *expected)
{
	set(0, key, value);
	plugins_begin(1);
	CU_ASSERT_EQUAL(load("probe"), -1);
	ASSERT_TEXT(reason, expected);
	CU_ASSERT_FALSE(is_open(MODULE("probe")));
	/* it was not started */
	ASSERT_TEXT(plugins_end(), "");
}

static void accepted(const char *key, const char *value)
{
	set(0, key, value);
	plugins_begin(1);
	ASSERT_LOADS("probe");
	ASSERT_TEXT(value_of(key), value);
	(void)plugins_end();
}

static void defaults(void)
{
	plugins_begin(0);
	ASSERT_LOADS("probe");
	ASSERT_TEXT(value_of("text"), "plain");
	ASSERT_TEXT(value_of("size"), "3");
	ASSERT_TEXT(value_of("flag"), "true");
	ASSERT_TEXT(value_of("with.dots"), "dotted");
	CU_ASSERT_PTR_NULL(value_of("bare"));
	CU_ASSERT_PTR_NULL(value_of("any"));
	CU_ASSERT_PTR_NULL(value_of("no-such-key"));
	CU_ASSERT_PTR_NULL(value_of(""));
	(void)plugins_end();
}

static void set_values(void)
{
	set(0, "text", "some words = more");
	set(1, "with.dots", "more");
	plugins_begin(2);
	ASSERT_LOADS("probe");
	ASSERT_TEXT(value_of("text"), "some words = more");
	ASSERT_TEXT(value_of("with.dots"), "more");
	ASSERT_TEXT(value_of("size"), "3");
	CU_ASSERT_EQUAL(plugins_check_settings(plugins, reason, sizeof(reason)), 0);
	(void)plugins_end();
}

static void empty_text_is_a_value(void)
{
	accepted("text", "");
}

static void last_one_counts(void)
{
	set(0, "size", "4");
	set(1, "size", "5");
	set(2, "size", "6");
	plugins_begin(3);
	ASSERT_LOADS("probe");
	ASSERT_TEXT(value_of("size"), "6");
	(void)plugins_end();
}

/* ... but each has to be right. */
static void earlier_one_is_checked_too(void)
{
	set(0, "size", "many");
	set(1, "size", "5");
	plugins_begin(2);
	CU_ASSERT_EQUAL(load("probe"), -1);
	ASSERT_TEXT(reason, "shunt.conf:10: bad value 'many' for 'plugin.probe.size': "
			    "expected a whole number from 1 to 10");
	(void)plugins_end();
}

static void unknown_key(void)
{
	refused("volume", "11", "shunt.conf:10: plugin 'probe' has no option 'volume'");
	refused("Size", "3", "shunt.conf:10: plugin 'probe' has no option 'Size'");
	refused("size.more", "3", "shunt.conf:10: plugin 'probe' has no option 'size.more'");
}

static void plugin_without_options(void)
{
	settings[0] = (struct plugin_setting){"rival", "size", "3", "-o", false};
	plugins_begin(1);
	CU_ASSERT_EQUAL(load("rival"), -1);
	ASSERT_TEXT(reason, "-o: plugin 'rival' has no option 'size'");
	(void)plugins_end();
}

static void integers(void)
{
	static const char *const bad[] = {"",
					  "0",
					  "11",
					  "-1",
					  "x",
					  "3x",
					  "3 4",
					  "0x3",
					  "3.0",
					  "1e1",
					  "99999999999999999999",
					  "-99999999999999999999"};
	char expected[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		(void)snprintf(expected, sizeof(expected),
			       "shunt.conf:10: bad value '%s' for 'plugin.probe.size': expected a "
			       "whole number from 1 to 10",
			       bad[i]);
		refused("size", bad[i], expected);
	}
	accepted("size", "1");
	accepted("size", "10");
	accepted("any", "-9223372036854775808");
	accepted("any", "9223372036854775807");
	refused("any", "9223372036854775808",
		"shunt.conf:10: bad value '9223372036854775808' for 'plugin.probe.any': expected a "
		"whole number from -9223372036854775808 to 9223372036854775807");
}

static void booleans(void)
{
	static const char *const bad[] = {"", "yes", "True", "1", "on", "truefalse"};
	char expected[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		(void)snprintf(expected, sizeof(expected),
			       "shunt.conf:10: bad value '%s' for 'plugin.probe.flag': expected "
			       "true or false",
			       bad[i]);
		refused("flag", bad[i], expected);
	}
	accepted("flag", "true");
	accepted("flag", "false");
}

static void settings_of_others_are_nothing_to_it(void)
{
	settings[0] = (struct plugin_setting){"other", "size", "many", "shunt.conf:9", false};
	settings[1] = (struct plugin_setting){"prob", "size", "many", "shunt.conf:10", false};
	settings[2] = (struct plugin_setting){"probe2", "size", "many", "shunt.conf:11", false};
	plugins_begin(3);
	ASSERT_LOADS("probe");
	ASSERT_TEXT(value_of("size"), "3");
	(void)plugins_end();
}

static void setting_for_a_plugin_that_is_not_loaded(void)
{
	set(0, "size", "3");
	settings[1] = (struct plugin_setting){"other", "size", "3", "shunt.conf:9", false};
	plugins_begin(2);
	ASSERT_LOADS("probe");
	CU_ASSERT_EQUAL(plugins_check_settings(plugins, reason, sizeof(reason)), -1);
	ASSERT_TEXT(reason, "shunt.conf:9: plugin 'other' is not loaded");
	(void)plugins_end();
}

/* ---- As values of their types ---- */

static void typed_values(void)
{
	const struct shunt_host *host;

	set(0, "size", "7");
	set(1, "flag", "false");
	set(2, "any", "-9223372036854775808");
	plugins_begin(3);
	ASSERT_LOADS("probe");
	host = probe_get()->host;
	CU_ASSERT_EQUAL(host->config_integer(host, "size"), 7);
	CU_ASSERT_EQUAL(host->config_integer(host, "any"), INT64_MIN);
	CU_ASSERT_FALSE(host->config_boolean(host, "flag"));
	(void)plugins_end();
}

static void typed_defaults(void)
{
	const struct shunt_host *host;

	plugins_begin(0);
	ASSERT_LOADS("probe");
	host = probe_get()->host;
	CU_ASSERT_EQUAL(host->config_integer(host, "size"), 3);
	CU_ASSERT_TRUE(host->config_boolean(host, "flag"));
	/* neither set nor with a default; of another type; unknown */
	CU_ASSERT_EQUAL(host->config_integer(host, "any"), 0);
	CU_ASSERT_EQUAL(host->config_integer(host, "flag"), 0);
	CU_ASSERT_EQUAL(host->config_integer(host, "text"), 0);
	CU_ASSERT_EQUAL(host->config_integer(host, "no-such-key"), 0);
	CU_ASSERT_FALSE(host->config_boolean(host, "size"));
	CU_ASSERT_FALSE(host->config_boolean(host, "no-such-key"));
	(void)plugins_end();
}

/* ---- plugin.NAME.optional ---- */

static void set_optional(const char *name, const char *value)
{
	settings[0] = (struct plugin_setting){name, "optional", value, "shunt.conf:8", false};
}

static void assert_missed(const char *name_or_path, const char *line)
{
	const char *said;

	capture_begin();
	CU_ASSERT_EQUAL(plugins_load(plugins, name_or_path, "shunt.conf:7", reason, sizeof(reason)), 0);
	said = capture_end();
	CU_ASSERT_PTR_NOT_NULL(strstr(said, line));
	CU_ASSERT_PTR_EQUAL(strchr(said, '\n'), said + strlen(said) - 1);
	CU_ASSERT_PTR_NULL(plugins_find(plugins, name_or_path));
}

/* By the name of its file, as nothing else is known of it. Its other settings are no error. */
static void optional_file_that_is_missing(void)
{
	set_optional("no_such", "true");
	settings[1] = (struct plugin_setting){"no_such", "size", "3", "shunt.conf:9", false};
	plugins_begin(2);
	assert_missed("no_such", " W plugin: started without it: shunt.conf:7: cannot load plugin 'no_such': " MODULE(
					 "no_such") ": cannot open shared object file: No such file or directory\n");
	assert_missed("/elsewhere/no_such.so",
		      " W plugin: started without it: shunt.conf:7: cannot load plugin '/elsewhere/no_such.so': ");
	CU_ASSERT_EQUAL(plugins_check_settings(plugins, reason, sizeof(reason)), 0);
	(void)plugins_end();
}

static void optional_plugin_that_is_refused(void)
{
	set_optional("bad_magic", "true");
	plugins_begin(1);
	assert_missed("bad_magic", "shunt_plugin has the magic number 0x00c0ffee, not 0x544e4853\n");
	CU_ASSERT_FALSE(is_open(MODULE("bad_magic")));
	(void)plugins_end();
}

static void optional_plugin_that_does_not_start(void)
{
	set_optional("probe", "true");
	set(1, "fail", "text");
	plugins_begin(2);
	assert_missed("probe", "it does not start: no oracle at hand\n");
	CU_ASSERT_EQUAL(plugins_check_settings(plugins, reason, sizeof(reason)), 0);
	(void)plugins_end();
}

static void optional_plugin_that_loads(void)
{
	set_optional("probe", "true");
	set(1, "size", "4");
	plugins_begin(2);
	ASSERT_LOADS("probe");
	ASSERT_TEXT(value_of("size"), "4");
	CU_ASSERT_PTR_NULL(value_of("optional"));
	CU_ASSERT_EQUAL(plugins_check_settings(plugins, reason, sizeof(reason)), 0);
	(void)plugins_end();
}

static void optional_or_not(void)
{
	set_optional("no_such", "false");
	plugins_begin(1);
	CU_ASSERT_EQUAL(load("no_such"), -1);
	CU_ASSERT_EQUAL(plugins_check_settings(plugins, reason, sizeof(reason)), -1);
	ASSERT_TEXT(reason, "shunt.conf:8: plugin 'no_such' is not loaded");
	(void)plugins_end();
	set_optional("other", "true");
	plugins_begin(1);
	CU_ASSERT_EQUAL(load("no_such"), -1);
	(void)plugins_end();
}

/* What is written wrongly is to be seen, also if one can do without the plugin. */
static void wrong_setting_of_an_optional_plugin(void)
{
	set_optional("probe", "true");
	set(1, "size", "many");
	plugins_begin(2);
	CU_ASSERT_EQUAL(load("probe"), -1);
	ASSERT_TEXT(reason, "shunt.conf:11: bad value 'many' for 'plugin.probe.size': expected a whole number from 1 "
			    "to 10");
	(void)plugins_end();
	set_optional("probe", "maybe");
	plugins_begin(1);
	CU_ASSERT_EQUAL(load("probe"), -1);
	ASSERT_TEXT(reason, "shunt.conf:8: bad value 'maybe' for 'plugin.probe.optional': expected true or false");
	(void)plugins_end();
	set_optional("no_such", "maybe");
	plugins_begin(1);
	CU_ASSERT_EQUAL(load("no_such"), -1);
	CU_ASSERT_EQUAL(plugins_check_settings(plugins, reason, sizeof(reason)), -1);
	ASSERT_TEXT(reason, "shunt.conf:8: bad value 'maybe' for 'plugin.no_such.optional': expected true or false");
	(void)plugins_end();
}

UNIT_MAIN("options", UNIT_TEST(defaults), UNIT_TEST(set_values), UNIT_TEST(empty_text_is_a_value),
	  UNIT_TEST(last_one_counts), UNIT_TEST(earlier_one_is_checked_too), UNIT_TEST(unknown_key),
	  UNIT_TEST(plugin_without_options), UNIT_TEST(integers), UNIT_TEST(booleans),
	  UNIT_TEST(settings_of_others_are_nothing_to_it),
	  UNIT_TEST(setting_for_a_plugin_that_is_not_loaded), UNIT_TEST(typed_values),
	  UNIT_TEST(typed_defaults), UNIT_TEST(optional_file_that_is_missing),
	  UNIT_TEST(optional_plugin_that_is_refused), UNIT_TEST(optional_plugin_that_does_not_start),
	  UNIT_TEST(optional_plugin_that_loads), UNIT_TEST(optional_or_not),
	  UNIT_TEST(wrong_setting_of_an_optional_plugin))
