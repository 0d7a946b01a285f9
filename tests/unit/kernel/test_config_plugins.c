/* SPDX-License-Identifier: MIT */
/* The keys of scripts; those of plugins are in test_config.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "config.h"
#include "config_show.h"

static struct config config;
static char error[CONFIG_ERROR_MAX];

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

static void shows(const json_t *shown, const char *key, const char *expected)
{
	char *text = json_dumps(json_object_get(shown, key), JSON_ENCODE_ANY | JSON_COMPACT);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_STRING_EQUAL(text, expected);
	free(text);
}

static void defaults(void)
{
	config_init(&config);
	CU_ASSERT_STRING_EQUAL(config.scripts_dir, SHUNT_SCRIPTS_DIR);
	CU_ASSERT_EQUAL(config.n_scripts, 0);
	config_complete(&config);
	CU_ASSERT_EQUAL(config.n_scripts, 0);
	/* a broker without scripts loads no language */
	for (size_t i = 0; i < config.n_plugins; i++)
		CU_ASSERT_STRING_NOT_EQUAL(config.plugins[i].name, "lua");
	config_fini(&config);
}

/* They come behind the plugins, whose built-in list they do not replace. */
static void scripts_in_their_order(void)
{
	config_init(&config);
	CU_ASSERT_TRUE(takes("script=first"));
	CU_ASSERT_TRUE(takes("script=/s/second.lua"));
	refused("script=", "-o: bad value '' for 'script': expected a script's name or the path of its file");
	CU_ASSERT_TRUE(takes("scripts.dir=/s"));
	refused("scripts.dirs=/s", "-o: unknown key 'scripts.dirs'");
	config_complete(&config);
	CU_ASSERT_EQUAL_FATAL(config.n_scripts, 2);
	CU_ASSERT_STRING_EQUAL(config.scripts[0].name, "first");
	CU_ASSERT_STRING_EQUAL(config.scripts[0].where, "-o");
	CU_ASSERT_STRING_EQUAL(config.scripts[1].name, "/s/second.lua");
	CU_ASSERT_STRING_EQUAL(config.scripts_dir, "/s");
	CU_ASSERT_EQUAL(config.n_plugins, 8);
	config_fini(&config);
}

static void settings(void)
{
	config_init(&config);
	CU_ASSERT_TRUE(takes("script.first.user.alice=s"));
	CU_ASSERT_TRUE(takes("plugin.first.depth=3"));
	CU_ASSERT_EQUAL_FATAL(config.n_settings, 2);
	CU_ASSERT_TRUE(config.settings[0].is_script);
	CU_ASSERT_STRING_EQUAL(config.settings[0].plugin, "first");
	CU_ASSERT_STRING_EQUAL(config.settings[0].key, "user.alice");
	CU_ASSERT_STRING_EQUAL(config.settings[0].value, "s");
	CU_ASSERT_STRING_EQUAL(config.settings[0].where, "-o");
	CU_ASSERT_FALSE(config.settings[1].is_script);
	refused("script.first=x", "-o: 'script.first' is not script.NAME.KEY");
	refused("script.first.=x", "-o: 'script.first.' is not script.NAME.KEY");
	refused("script..key=x", "-o: 'script..key' is not script.NAME.KEY");
	CU_ASSERT_EQUAL(config.n_settings, 2);
	config_fini(&config);
}

static void what_is_in_force(void)
{
	json_t *shown;

	config_init(&config);
	CU_ASSERT_TRUE(takes("script=first"));
	CU_ASSERT_TRUE(takes("script=second"));
	CU_ASSERT_TRUE(takes("script.first.size=3"));
	CU_ASSERT_TRUE(takes("script.first.password.alice=hush"));
	CU_ASSERT_TRUE(takes("scripts.dir=/s"));
	config_complete(&config);
	shown = config_show(&config);
	shows(shown, "script", "[\"first\",\"second\"]");
	shows(shown, "script.first.size", "\"3\"");
	shows(shown, "scripts.dir", "\"/s\"");
	CU_ASSERT_PTR_NULL(json_object_get(shown, "script.first.password.alice"));
	json_decref(shown);
	config_fini(&config);
}

UNIT_MAIN("config_plugins", UNIT_TEST(defaults), UNIT_TEST(scripts_in_their_order), UNIT_TEST(settings),
	  UNIT_TEST(what_is_in_force))
