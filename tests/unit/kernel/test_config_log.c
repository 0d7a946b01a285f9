/* SPDX-License-Identifier: MIT */
/* The keys log.*, and what config_show() shows. */
#include "config_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"

static struct config config;
static char error[CONFIG_ERROR_MAX];

static void set(void)
{
	config_init(&config);
	strcpy(error, "untouched");
}

static void clear(void)
{
	config_fini(&config);
}

static bool takes(const char *option)
{
	return config_read_option(&config, option, error) == 0;
}

static void refused(const char *option, const char *line)
{
	CU_ASSERT_FALSE(takes(option));
	CU_ASSERT_STRING_EQUAL(error, line);
	if (strcmp(error, line) != 0)
		printf("for %s: %s\n", option, error);
}

static void levels(void)
{
	set();
	CU_ASSERT_TRUE(takes("log.level=debug"));
	CU_ASSERT_EQUAL(config.log.level, LOG_LEVEL_DEBUG);
	CU_ASSERT_TRUE(takes("log.default.level=error"));
	CU_ASSERT_EQUAL(config.log.level, LOG_LEVEL_ERROR);
	CU_ASSERT_EQUAL(config.log.console.level, LOG_LEVEL_UNSET);
	CU_ASSERT_TRUE(takes("log.console.level=critical"));
	CU_ASSERT_EQUAL(config.log.console.level, LOG_LEVEL_NONE);
	CU_ASSERT_TRUE(takes("log.file.level=notice"));
	CU_ASSERT_EQUAL(config.log.file.level, LOG_LEVEL_WARNING);
	refused("log.level=loud", "-o: bad value 'loud' for 'log.level': expected debug, info, notice, warning, error, "
				  "critical or none");
	clear();
}

static void categories(void)
{
	set();
	CU_ASSERT_TRUE(takes("log.queue.level=debug"));
	CU_ASSERT_EQUAL(config.log.categories[LOG_CATEGORY_queue], LOG_LEVEL_DEBUG);
	CU_ASSERT_EQUAL(config.log.categories[LOG_CATEGORY_conn], LOG_LEVEL_UNSET);
	CU_ASSERT_TRUE(takes("log.connection.level=none"));
	CU_ASSERT_EQUAL(config.log.categories[LOG_CATEGORY_conn], LOG_LEVEL_NONE);
	refused("log.nosuch.level=info", "-o: unknown key 'log.nosuch.level'");
	refused("log.queue=info", "-o: unknown key 'log.queue'");
	refused("log..level=info", "-o: unknown key 'log..level'");
	refused("log.a-name-that-is-longer-than-any-category.level=info",
		"-o: unknown key 'log.a-name-that-is-longer-than-any-category.level'");
	refused("log.queue.level=x", "-o: bad value 'x' for 'log.queue.level': expected debug, info, notice, warning, "
				     "error, critical or none");
	clear();
}

static void places(void)
{
	set();
	CU_ASSERT_TRUE(takes("log.console=false"));
	CU_ASSERT_FALSE(config.log.console.is_on);
	CU_ASSERT_TRUE(takes("log.file=shunt.log"));
	CU_ASSERT_TRUE(config.log.file.is_on);
	CU_ASSERT_TRUE(takes("log.dir=/var/log"));
	config_complete(&config);
	CU_ASSERT_STRING_EQUAL(config.log_file, "/var/log/shunt.log");
	CU_ASSERT_TRUE(takes("log.file=false"));
	CU_ASSERT_FALSE(config.log.file.is_on);
	CU_ASSERT_PTR_NULL(config.log_file);
	refused("log.file=", "-o: bad value '' for 'log.file': expected a path, or false");
	refused("log.file=true", "-o: bad value 'true' for 'log.file': expected a path, or false");
	refused("log.console=maybe", "-o: bad value 'maybe' for 'log.console': expected true or false");
	clear();
}

static void whole_paths_stay(void)
{
	set();
	CU_ASSERT_TRUE(takes("log.dir=/var/log"));
	CU_ASSERT_TRUE(takes("log.file=/tmp/x.log"));
	config_complete(&config);
	CU_ASSERT_STRING_EQUAL(config.log_file, "/tmp/x.log");
	clear();
	set();
	CU_ASSERT_TRUE(takes("log.file=x.log"));
	config_complete(&config);
	CU_ASSERT_STRING_EQUAL(config.log_file, "x.log");
	clear();
}

/* ---- Showing ---- */

static void shows(const json_t *shown, const char *key, const char *expected)
{
	char *text = json_dumps(json_object_get(shown, key), JSON_COMPACT | JSON_ENCODE_ANY);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_STRING_EQUAL(text, expected);
	free(text);
}

static void what_is_in_force(void)
{
	json_t *shown;

	set();
	CU_ASSERT_TRUE(takes("heartbeat=7"));
	CU_ASSERT_TRUE(takes("log.conn.level=debug"));
	CU_ASSERT_TRUE(takes("plugin=a"));
	CU_ASSERT_TRUE(takes("plugin=b"));
	CU_ASSERT_TRUE(takes("plugin.a.key=value"));
	CU_ASSERT_TRUE(takes("listeners.tcp.1=127.0.0.1:1"));
	CU_ASSERT_TRUE(takes("vm_memory_high_watermark.absolute=1kB"));
	config_complete(&config);
	shown = config_show(&config);
	shows(shown, "heartbeat", "7");
	shows(shown, "default_user", "\"guest\"");
	shows(shown, "log.level", "\"info\"");
	shows(shown, "log.conn.level", "\"debug\"");
	shows(shown, "log.file", "false");
	shows(shown, "plugin", "[\"a\",\"b\"]");
	shows(shown, "plugin.a.key", "\"value\"");
	shows(shown, "listeners.tcp.1", "\"127.0.0.1:1\"");
	shows(shown, "vm_memory_high_watermark.absolute", "1000");
	shows(shown, "loopback_users.guest", "true");
	json_decref(shown);
	clear();
}

static void no_secrets(void)
{
	json_t *shown;
	char *text;

	set();
	CU_ASSERT_TRUE(takes("default_pass=hush"));
	CU_ASSERT_TRUE(takes("plugin.a.password=hush"));
	CU_ASSERT_TRUE(takes("plugin.a.Secret_Word=hush"));
	shown = config_show(&config);
	text = json_dumps(shown, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_PTR_NULL(strstr(text, "hush"));
	free(text);
	json_decref(shown);
	clear();
}

/* The last word of a key counts. */
static void keys_of_no_common_kind(void)
{
	json_t *shown;

	set();
	CU_ASSERT_TRUE(takes("store.sync=never"));
	CU_ASSERT_TRUE(takes("store.sync=interval:5"));
	CU_ASSERT_TRUE(takes("placement=fixed"));
	shown = config_show(&config);
	shows(shown, "store.sync", "\"interval:5\"");
	shows(shown, "placement", "\"fixed\"");
	json_decref(shown);
	clear();
}

UNIT_MAIN("config_log", UNIT_TEST(levels), UNIT_TEST(categories), UNIT_TEST(places), UNIT_TEST(whole_paths_stay),
	  UNIT_TEST(what_is_in_force), UNIT_TEST(no_secrets), UNIT_TEST(keys_of_no_common_kind))
