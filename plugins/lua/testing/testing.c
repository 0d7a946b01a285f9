/* SPDX-License-Identifier: MIT */
#include "testing/testing.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "run/state.h"
#include "testing/exchange.h"
#include "testing/host.h"

#define TESTS_MAX 1000u
/* Of all tests of a script: who loads it waits for them. */
#define SECONDS_MAX 20

/* One of a script's. */
struct test {
	char *name;
	int line;
};

struct tests {
	struct test *list;
	size_t count;
};

/* What all tests of a script have in common. */
struct run {
	const struct script *opened;
	const struct shunt_script *text;
	struct shunt_report *report;
	size_t passed, failed;
	time_t end; /* CLOCK_MONOTONIC, in seconds */
};

/* ---- Which there are ---- */

static void tests_fini(struct tests *tests)
{
	for (size_t i = 0; i < tests->count; i++)
		free(tests->list[i].name);
	free(tests->list);
}

static int line_of(lua_State *L)
{
	lua_Debug function;

	lua_pushvalue(L, -1);
	(void)lua_getinfo(L, ">S", &function);
	return function.linedefined;
}

/* The value of a global, and its name below it. */
static void note(lua_State *L, struct tests *tests)
{
	struct test *list;

	if (tests->count == TESTS_MAX)
		luaL_error(L, "more than %d tests", (int)TESTS_MAX);
	list = realloc(tests->list, (tests->count + 1) * sizeof(*list));
	if (!list) {
		luaL_error(L, "not enough memory");
		return;
	}
	tests->list = list;
	list[tests->count].name = strdup(lua_tostring(L, -2));
	if (!list[tests->count].name)
		luaL_error(L, "not enough memory");
	list[tests->count++].line = line_of(L);
}

static void find(lua_State *L, void *context)
{
	lua_pushglobaltable(L);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		if (lua_type(L, -2) == LUA_TSTRING && lua_isfunction(L, -1) &&
		    strncmp(lua_tostring(L, -2), "test_", strlen("test_")) == 0)
			note(L, context);
		lua_pop(L, 1);
	}
}

static int compare(const void *a, const void *b)
{
	const struct test *x = a, *y = b;

	return x->line != y->line ? (x->line > y->line) - (x->line < y->line)
				  : strcmp(x->name, y->name);
}

/* ---- One test ---- */

static void call_test(lua_State *L, void *context)
{
	lua_getglobal(L, context);
	lua_call(L, 0, 0);
}

/* Puts the test's name behind "FILE:LINE: ". */
static void name_error(const struct run *run, const char *name, struct shunt_error *error)
{
	const char *file = script_file_of(run->text->path);
	size_t size = strlen(file), place = 0;
	char text[2 * sizeof(error->text) + 128];

	if (strncmp(error->text, file, size) == 0 && error->text[size] == ':') {
		for (place = size + 1; isdigit((unsigned char)error->text[place]);)
			place++;
		place = strncmp(error->text + place, ": ", 2) == 0 ? place + 2 : 0;
	}
	(void)snprintf(text, sizeof(text), "%.*s%.100s: %s", (int)place, error->text, name,
		       error->text + place);
	memcpy(error->text, text, sizeof(error->text));
	error->text[sizeof(error->text) - 1] = '\0';
	error->code = SHUNT_PRECONDITION_FAILED;
}

static int run_opened(struct testing *testing, const char *name, struct shunt_error *error)
{
	struct script *script = testing->script;
	int result;

	if (script_start(script, error) < 0)
		return -1;
	result = call_run(script->states[0], CALL_TEST, call_test, (void *)(uintptr_t)name,
			  error) == CALL_OK
			 ? 0
			 : -1;
	/* what the script was told by then is freed with it; the rest is told */
	if (testing_settle(testing) < 0 && result == 0) {
		(void)snprintf(error->text, sizeof(error->text),
			       "publishing and what it is told go on for ever");
		result = -1;
	}
	testing_exchanges_destroy(testing);
	return result;
}

/* In a state, and with a host, of its own; with these settings, if they are not NULL. */
static int run_with(const struct run *run, struct testing *testing, const char *name,
		    struct shunt_error *error)
{
	int result;

	testing->report = run->report;
	testing->script =
		script_open_for_test(run->opened->language, &testing->host, run->text, error);
	if (!testing->script)
		return -1;
	result = run_opened(testing, name, error);
	script_close(testing->script);
	testing->script = NULL;
	return result;
}

static time_t now(void)
{
	struct timespec now_monotonic;

	(void)clock_gettime(CLOCK_MONOTONIC, &now_monotonic);
	return now_monotonic.tv_sec;
}

static int run_test(const struct run *run, const char *name, struct shunt_error *error)
{
	struct testing testing;
	char *settings;
	size_t size;
	int result;

	if (now() >= run->end) {
		(void)snprintf(error->text, sizeof(error->text),
			       "the tests take longer than %d seconds", SECONDS_MAX);
		return -1;
	}
	testing_host_init(&testing, run->opened->host);
	result = run_with(run, &testing, name, error);
	settings = testing.wanted;
	size = testing.wanted_size;
	testing.wanted = NULL;
	testing_host_fini(&testing);
	if (!settings)
		return result;
	/* it has said with which settings it wants to begin */
	testing_host_init(&testing, run->opened->host);
	testing.settings = settings;
	testing.settings_size = size;
	result = run_with(run, &testing, name, error);
	testing_host_fini(&testing);
	free(settings);
	return result;
}

/* ---- All of them ---- */

static void print(struct shunt_report *report, const char *text)
{
	if (report)
		report->print(report, (struct shunt_bytes){(const uint8_t *)text, strlen(text)});
}

static void run_and_report(struct run *run, const char *name, struct shunt_error *ret_first)
{
	struct shunt_error error = {0};
	char line[512];

	if (run_test(run, name, &error) == 0) {
		run->passed++;
		(void)snprintf(line, sizeof(line), "passed   %.200s\n", name);
	} else {
		name_error(run, name, &error);
		if (run->failed++ == 0)
			*ret_first = error;
		(void)snprintf(line, sizeof(line), "FAILED   %s\n", error.text);
	}
	print(run->report, line);
}

static int run_all(struct run *run, struct tests *tests, struct shunt_error *error)
{
	struct shunt_error first = {0};
	char line[64];

	if (tests->count > 0)
		qsort(tests->list, tests->count, sizeof(tests->list[0]), compare);
	for (size_t i = 0; i < tests->count; i++)
		run_and_report(run, tests->list[i].name, &first);
	(void)snprintf(line, sizeof(line), "%zu passed, %zu failed\n", run->passed, run->failed);
	print(run->report, line);
	if (run->failed == 0)
		return 0;
	*error = first;
	return -1;
}

int testing_run(struct script *opened, const struct shunt_script *text, struct shunt_report *report,
		struct shunt_error *error)
{
	struct run run = {
		.opened = opened, .text = text, .report = report, .end = now() + SECONDS_MAX};
	struct tests tests = {.count = 0};
	int result = -1;

	if (call_run(opened->states[0], CALL_LOAD, find, &tests, error) == CALL_OK)
		result = run_all(&run, &tests, error);
	tests_fini(&tests);
	return result;
}
