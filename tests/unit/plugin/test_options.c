/* SPDX-License-Identifier: MIT */
/* The settings of plugins: plugin.NAME.KEY = value. */
#include "fixture.h"

#include "plugin/host.h"

static void set(size_t i, const char *key, const char *value)
{
	static const char *const places[] = {"shunt.conf:10", "shunt.conf:11", "-o"};

	settings[i] = (struct plugin_setting){"probe", key, value, places[i]};
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
	settings[0] = (struct plugin_setting){"rival", "size", "3", "-o"};
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
	settings[0] = (struct plugin_setting){"other", "size", "many", "shunt.conf:9"};
	settings[1] = (struct plugin_setting){"prob", "size", "many", "shunt.conf:10"};
	settings[2] = (struct plugin_setting){"probe2", "size", "many", "shunt.conf:11"};
	plugins_begin(3);
	ASSERT_LOADS("probe");
	ASSERT_TEXT(value_of("size"), "3");
	(void)plugins_end();
}

static void setting_for_a_plugin_that_is_not_loaded(void)
{
	set(0, "size", "3");
	settings[1] = (struct plugin_setting){"other", "size", "3", "shunt.conf:9"};
	plugins_begin(2);
	ASSERT_LOADS("probe");
	CU_ASSERT_EQUAL(plugins_check_settings(plugins, reason, sizeof(reason)), -1);
	ASSERT_TEXT(reason, "shunt.conf:9: plugin 'other' is not loaded");
	(void)plugins_end();
}

UNIT_MAIN("options", UNIT_TEST(defaults), UNIT_TEST(set_values), UNIT_TEST(empty_text_is_a_value),
	  UNIT_TEST(last_one_counts), UNIT_TEST(earlier_one_is_checked_too), UNIT_TEST(unknown_key),
	  UNIT_TEST(plugin_without_options), UNIT_TEST(integers), UNIT_TEST(booleans),
	  UNIT_TEST(settings_of_others_are_nothing_to_it),
	  UNIT_TEST(setting_for_a_plugin_that_is_not_loaded))
