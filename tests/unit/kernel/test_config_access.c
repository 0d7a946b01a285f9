/* SPDX-License-Identifier: MIT */
/* The keys of the first user, and the environment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "config.h"

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

static void defaults(void)
{
	config_init(&config);
	CU_ASSERT_STRING_EQUAL(config.default_user, "guest");
	CU_ASSERT_STRING_EQUAL(config.default_pass, "guest");
	CU_ASSERT_STRING_EQUAL(config.default_vhost, "/");
	CU_ASSERT_STRING_EQUAL(config.default_user_tags, "administrator");
	CU_ASSERT_STRING_EQUAL(config.default_configure, ".*");
	CU_ASSERT_STRING_EQUAL(config.default_write, ".*");
	CU_ASSERT_STRING_EQUAL(config.default_read, ".*");
	config_fini(&config);
}

static void names_and_passwords(void)
{
	char longest[300] = "default_user=";

	config_init(&config);
	memset(longest + strlen(longest), 'n', 255);
	CU_ASSERT_TRUE(takes(longest));
	longest[strlen(longest)] = 'n';
	CU_ASSERT_FALSE(takes(longest));
	CU_ASSERT_TRUE(takes("default_vhost=a/b"));
	refused("default_user=", "-o: bad value '' for 'default_user': expected a name of at most 255 bytes of UTF-8");
	refused("default_vhost=\xff",
		"-o: bad value '\xff' for 'default_vhost': expected a name of at most 255 bytes of UTF-8");
	CU_ASSERT_TRUE(takes("default_pass=secret"));
	CU_ASSERT_TRUE(takes("default_pass=another"));
	refused("default_pass=", "-o: bad value for 'default_pass': expected some text");
	CU_ASSERT_STRING_EQUAL(config.default_pass, "another");
	CU_ASSERT_TRUE(takes("ssl_options.password=key"));
	CU_ASSERT_STRING_EQUAL(config.tls.password, "key");
	config_forget_password(&config);
	CU_ASSERT_STRING_EQUAL(config.default_pass, "");
	CU_ASSERT_PTR_NULL(config.tls.password);
	config_fini(&config);
}

static void tags_take_the_place_of_the_default(void)
{
	config_init(&config);
	CU_ASSERT_TRUE(takes("default_user_tags.a=true"));
	CU_ASSERT_STRING_EQUAL(config.default_user_tags, "a");
	CU_ASSERT_TRUE(takes("default_user_tags.b.c=true"));
	CU_ASSERT_TRUE(takes("default_user_tags.aa=true"));
	CU_ASSERT_TRUE(takes("default_user_tags.a=true"));
	CU_ASSERT_STRING_EQUAL(config.default_user_tags, "b.c,aa,a");
	CU_ASSERT_TRUE(takes("default_user_tags.a=false"));
	CU_ASSERT_STRING_EQUAL(config.default_user_tags, "b.c,aa");
	CU_ASSERT_TRUE(takes("default_user_tags.b.c=false"));
	CU_ASSERT_TRUE(takes("default_user_tags.nothing=false"));
	CU_ASSERT_STRING_EQUAL(config.default_user_tags, "aa");
	CU_ASSERT_TRUE(takes("default_user_tags.aa=false"));
	CU_ASSERT_STRING_EQUAL(config.default_user_tags, "");
	refused("default_user_tags.a=yes", "-o: bad value 'yes' for 'default_user_tags.a': expected true or false");
	refused("default_user_tags.a,b=true", "-o: 'default_user_tags.a,b' does not name a tag");
	refused("default_user_tags.=true", "-o: unknown key 'default_user_tags.'");
	config_fini(&config);
	config_init(&config);
	CU_ASSERT_TRUE(takes("default_user_tags.administrator=false"));
	CU_ASSERT_STRING_EQUAL(config.default_user_tags, "");
	config_fini(&config);
}

static void patterns_must_compile(void)
{
	config_init(&config);
	CU_ASSERT_TRUE(takes("default_permissions.configure=^amq\\."));
	CU_ASSERT_TRUE(takes("default_permissions.write="));
	CU_ASSERT_STRING_EQUAL(config.default_configure, "^amq\\.");
	CU_ASSERT_STRING_EQUAL(config.default_write, "");
	CU_ASSERT_STRING_EQUAL(config.default_read, ".*");
	refused("default_permissions.read=(",
		"-o: bad value '(' for 'default_permissions.read': expected a regular expression "
		"(missing closing parenthesis at offset 1)");
	refused("default_permissions.all=.*", "-o: unknown key 'default_permissions.all'");
	config_fini(&config);
}

/* ---- Environment ---- */

static int read_with(const char *file_text, const char *option)
{
	char path[] = "/tmp/shunt-config-XXXXXX";
	int fd = mkstemp(path), result;
	FILE *file = fdopen(fd, "w");
	char *options[] = { (char *)(uintptr_t)option };
	const struct config_source source = { path, options, option != NULL };

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	(void)fputs(file_text, file);
	(void)fclose(file);
	config_init(&config);
	result = config_read(&config, &source, error);
	(void)remove(path);
	return result;
}

static void environment_is_between_file_and_options(void)
{
	CU_ASSERT_EQUAL(setenv("SHUNT_DEFAULT_USER", "env", 1), 0);
	CU_ASSERT_EQUAL(setenv("SHUNT_DEFAULT_PASS", "p w=#", 1), 0);
	CU_ASSERT_EQUAL(setenv("SHUNT_DEFAULT_VHOST", "", 1), 0);
	CU_ASSERT_EQUAL(read_with("default_user=file\ndefault_vhost=file\n", NULL), 0);
	CU_ASSERT_STRING_EQUAL(config.default_user, "env");
	CU_ASSERT_STRING_EQUAL(config.default_pass, "p w=#");
	CU_ASSERT_STRING_EQUAL(config.default_vhost, "file");
	config_fini(&config);
	CU_ASSERT_EQUAL(read_with("default_user=file\n", "default_user=option"), 0);
	CU_ASSERT_STRING_EQUAL(config.default_user, "option");
	config_fini(&config);
	CU_ASSERT_EQUAL(setenv("SHUNT_DEFAULT_USER", "\xff", 1), 0);
	CU_ASSERT_EQUAL(read_with("", NULL), -1);
	CU_ASSERT_EQUAL(strncmp(error, "SHUNT_DEFAULT_USER: bad value", 29), 0);
	config_fini(&config);
	CU_ASSERT_EQUAL(unsetenv("SHUNT_DEFAULT_USER"), 0);
	CU_ASSERT_EQUAL(unsetenv("SHUNT_DEFAULT_PASS"), 0);
	CU_ASSERT_EQUAL(unsetenv("SHUNT_DEFAULT_VHOST"), 0);
	CU_ASSERT_EQUAL(read_with("", NULL), 0);
	CU_ASSERT_STRING_EQUAL(config.default_user, "guest");
	config_fini(&config);
}

UNIT_MAIN("config_access", UNIT_TEST(defaults), UNIT_TEST(names_and_passwords), UNIT_TEST(tags_take_the_place_of_the_default),
	  UNIT_TEST(patterns_must_compile), UNIT_TEST(environment_is_between_file_and_options))
