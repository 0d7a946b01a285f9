/* SPDX-License-Identifier: MIT */

/*
 * lua-scripts/: each is opened with the lines of shunt.conf that it shows, and its tests are run.
 * docs/lua.md: names all that a script can see. What the guide shows is run by tests/guide.
 */

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_services.h"
#include "lua_case.h"
#include "unit.h"

#define SETTINGS_MAX 32
#define SOURCE_MAX   65536

struct example {
	char name[64], path[512], source[SOURCE_MAX];
	char lines[SOURCE_MAX]; /* a copy, in which the settings end */
	const char *settings[SETTINGS_MAX + 1];
	bool is_enabled; /* it shows its line "script = NAME" */
};

static char printed[16384];

static void print(struct shunt_report *report, struct shunt_bytes text)
{
	size_t size = strlen(printed);

	(void)report;
	if (text.size < sizeof(printed) - size)
		(void)snprintf(printed + size, sizeof(printed) - size, "%.*s", (int)text.size,
			       (const char *)text.data);
}

static uint64_t stable_hash(const struct shunt_host *host, const void *data, size_t size,
			    uint64_t seed)
{
	return host->hash(host, data, size) ^ seed;
}

/* "script = NAME" and "script.NAME.KEY = VALUE" behind "--\t". */
static void read_line(struct example *example, char *line, size_t *count)
{
	size_t size = strlen(example->name);
	char *value = strstr(line, " = ");

	if (!value)
		return;
	*value = '\0';
	value += strlen(" = ");
	if (strcmp(line, "script") == 0)
		example->is_enabled = strcmp(value, example->name) == 0;
	if (strncmp(line, "script.", 7) != 0 || strncmp(line + 7, example->name, size) != 0 ||
	    line[7 + size] != '.')
		return;
	CU_ASSERT_FATAL(*count + 2 <= SETTINGS_MAX);
	example->settings[(*count)++] = line + 7 + size + 1;
	example->settings[(*count)++] = value;
}

/* The lines from "-- In shunt.conf:" on, up to the first one without a tab. */
static void read_settings(struct example *example)
{
	char *line = strstr(strcpy(example->lines, example->source), "-- In shunt.conf:\n");
	size_t count = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(line);
	line = strchr(line, '\n') + 1;
	while (strncmp(line, "--\t", 3) == 0) {
		char *end = strchr(line, '\n');

		*end = '\0';
		read_line(example, line + 3, &count);
		line = end + 1;
	}
	example->settings[count] = NULL;
}

static void read_example(struct example *example, const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	FILE *file = fopen(path, "r");
	size_t size;

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	size = fread(example->source, 1, sizeof(example->source) - 1, file);
	CU_ASSERT_EQUAL(fclose(file), 0);
	example->source[size] = '\0';
	(void)snprintf(example->name, sizeof(example->name), "%.*s",
		       (int)(strlen(base) - strlen(".lua")), base);
	(void)snprintf(example->path, sizeof(example->path), "%s", path);
	read_settings(example);
}

static struct script *open_example(struct example *example, struct fake_host *fake,
				   struct language *language, struct shunt_error *error)
{
	struct shunt_report report = {.size = sizeof(report), .print = print};
	struct shunt_script text = {
		.size = sizeof(text),
		.name = example->name,
		.path = example->path,
		.source = {(const uint8_t *)example->source, strlen(example->source)},
	};

	printed[0] = '\0';
	fake_host_init(fake, 2);
	fake->host.stable_hash = stable_hash;
	fake->settings = example->settings;
	fake->options = lua_case_options();
	fake->as_is = true;
	*language = (struct language){.host = &fake->host};
	return script_open(language, &fake->host, &text, SHUNT_SCRIPT_TEST, &report, error);
}

static void run_example(const char *path)
{
	static struct example example;
	struct fake_host fake;
	struct language language;
	struct shunt_error error = {0};
	struct script *script;

	memset(&example, 0, sizeof(example));
	read_example(&example, path);
	CU_ASSERT_TRUE(example.is_enabled);
	script = open_example(&example, &fake, &language, &error);
	if (!script || !strstr(printed, ", 0 failed") || strstr(printed, "\n0 passed"))
		(void)fprintf(stderr, "%s:\n%s%s\n", path, printed, error.text);
	CU_ASSERT_PTR_NOT_NULL(script);
	CU_ASSERT_PTR_NOT_NULL(strstr(printed, "passed   test_"));
	CU_ASSERT_PTR_NOT_NULL(strstr(printed, ", 0 failed"));
	script_close(script);
	fake_services_fini(&fake);
	CU_ASSERT_EQUAL(atomic_load(&fake.live), 0);
}

static void examples_pass_their_tests(void)
{
	const char *folder = getenv("srcdir");
	char pattern[512];
	glob_t found;

	(void)snprintf(pattern, sizeof(pattern), "%s/lua-scripts/*.lua", folder ? folder : ".");
	CU_ASSERT_EQUAL_FATAL(glob(pattern, 0, NULL, &found), 0);
	CU_ASSERT(found.gl_pathc >= 12);
	for (size_t i = 0; i < found.gl_pathc; i++)
		run_example(found.gl_pathv[i]);
	globfree(&found);
}

/* ---- The guide ---- */

static char guide[SOURCE_MAX];

static void read_guide(void)
{
	const char *folder = getenv("srcdir");
	char path[512];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/docs/lua.md", folder ? folder : ".");
	file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	guide[fread(guide, 1, sizeof(guide) - 1, file)] = '\0';
	CU_ASSERT_EQUAL(fclose(file), 0);
}

/* In its code font, alone or as the beginning of a call. */
static void check_name(const char *name)
{
	static const char *const ends[] = {"`", "(", "{"};
	char text[128];
	bool found = false;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		(void)snprintf(text, sizeof(text), "`%s%s", name, ends[i]);
		found = found || strstr(guide, text) != NULL;
	}
	if (!found)
		(void)fprintf(stderr, "the guide does not describe %s\n", name);
	CU_ASSERT_TRUE(found);
}

static bool is_luas_own(const char *name)
{
	static const char *const names[] = {"math", "table", "utf8", "coroutine", "string", "_G"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* The table is on top. */
static void check_table(lua_State *L, const char *table)
{
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		char name[128];

		lua_pop(L, 1);
		(void)snprintf(name, sizeof(name), "%s.%s", table, lua_tostring(L, -1));
		check_name(name);
	}
}

static void check_globals(lua_State *L, void *context)
{
	unsigned *count = context;

	lua_pushglobaltable(L);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		const char *name = lua_tostring(L, -2);

		if (lua_istable(L, -1) && !is_luas_own(name))
			check_table(L, name);
		else if (strcmp(name, "collectgarbage") != 0)
			check_name(name);
		++*count;
		lua_pop(L, 1);
	}
}

static void guide_names_all(void)
{
	unsigned count = 0;
	struct lua_case c;

	read_guide();
	lua_case_open(&c, "", NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_EQUAL(call_run(lua_case_state(&c), CALL_LOAD, check_globals, &count, NULL),
			CALL_OK);
	CU_ASSERT(count > 30);
	lua_case_close(&c);
}

static void guide_names_what_tests_have(void)
{
	static struct example example = {
		.name = "names",
		.path = "names.lua",
		.source = "function test_names() local t = {} for name in pairs(test) do "
			  "t[#t + 1] = 'test.' .. name end log.info(table.concat(t, ' ')) end",
	};
	struct fake_host fake;
	struct language language;
	struct shunt_error error = {0};
	struct script *script;
	unsigned count = 0;

	read_guide();
	script = open_example(&example, &fake, &language, &error);
	CU_ASSERT_PTR_NOT_NULL(script);
	for (char *name = strtok(printed, " \t\n"); name; name = strtok(NULL, " \t\n")) {
		if (strncmp(name, "test.", 5) != 0)
			continue;
		check_name(name);
		count++;
	}
	CU_ASSERT(count >= 12);
	script_close(script);
	fake_services_fini(&fake);
}

UNIT_MAIN("lua/examples", UNIT_TEST(examples_pass_their_tests), UNIT_TEST(guide_names_all),
	  UNIT_TEST(guide_names_what_tests_have))
