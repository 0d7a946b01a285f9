/* SPDX-License-Identifier: MIT */
#include "lua_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_services.h"
#include "unit.h"

static struct lua_case *case_of(const struct shunt_host *host)
{
	return (struct lua_case *)(uintptr_t)host;
}

static void log_line(const struct shunt_host *host, enum shunt_log_level level, const char *text)
{
	struct lua_case *c = case_of(host);

	(void)level;
	(void)snprintf(c->log, sizeof(c->log), "%s", text);
	c->log_lines++;
}

static uint64_t stable_hash(const struct shunt_host *host, const void *data, size_t size,
			    uint64_t seed)
{
	return host->hash(host, data, size) ^ seed;
}

const struct shunt_option *lua_case_options(void)
{
	static struct shunt_option options[16];
	size_t count = 0;

	for (const struct shunt_option *option = script_options; option->name; option++, count++) {
		if (count + 1 == sizeof(options) / sizeof(*options))
			abort();
		options[count] = *option;
		if (strcmp(option->name, "cpu_time") == 0)
			options[count].default_value = "10000000";
	}
	return options;
}

static long fail_at;

void lua_case_fail_at(long n)
{
	fail_at = n;
}

void lua_case_open_loops(struct lua_case *c, const char *source, const char *const *settings,
			 unsigned loops)
{
	struct shunt_script text = {
		.size = sizeof(text),
		.name = "case",
		.path = "case.lua",
		.source = {(const uint8_t *)source, strlen(source)},
	};

	memset(c, 0, sizeof(*c));
	fake_host_init(&c->fake, loops);
	c->fake.host.log = log_line;
	c->fake.host.stable_hash = stable_hash;
	c->fake.settings = settings;
	c->fake.options = lua_case_options();
	c->fake.as_is = true;
	c->language.host = &c->fake.host;
	if (fail_at > 0)
		fake_host_fail(&c->fake, fail_at, true);
	c->script =
		script_open(&c->language, &c->fake.host, &text, SHUNT_SCRIPT_RUN, NULL, &c->error);
	fake_host_fail_off(&c->fake);
}

void lua_case_open(struct lua_case *c, const char *source, const char *const *settings)
{
	lua_case_open_loops(c, source, settings, 1);
}

void lua_case_close(struct lua_case *c)
{
	script_close(c->script);
	fake_services_fini(&c->fake);
	CU_ASSERT_EQUAL(atomic_load(&c->fake.live), 0);
	CU_ASSERT_EQUAL(atomic_load(&c->fake.bytes), 0);
}

struct named_call {
	struct lua_case *c;
	const char *function, *argument;
	size_t size;
};

static void call_function(lua_State *L, void *context)
{
	struct named_call *call = context;

	lua_getglobal(L, call->function);
	if (call->argument)
		lua_pushlstring(L, call->argument, call->size);
	lua_call(L, call->argument ? 1 : 0, 1);
	(void)snprintf(call->c->result, sizeof(call->c->result), "%s", luaL_tolstring(L, -1, NULL));
}

enum call_result lua_case_call_with(struct lua_case *c, enum call_kind kind, const char *function,
				    const char *argument, size_t size)
{
	struct named_call call = {c, function, argument, size};

	c->result[0] = '\0';
	return call_run(lua_case_state(c), kind, call_function, &call, &c->error);
}

enum call_result lua_case_call(struct lua_case *c, enum call_kind kind, const char *function)
{
	return lua_case_call_with(c, kind, function, NULL, 0);
}

struct state *lua_case_state(const struct lua_case *c)
{
	return c->script->states[0];
}

uint64_t lua_case_instructions(const struct lua_case *c, enum call_kind kind)
{
	return atomic_load(&lua_case_state(c)->stats.of_kind[kind].instructions);
}

const char *lua_case_of(const char *source)
{
	/* so that instructions decide, how slow the machine may be */
	static const char *const settings[] = {"cpu_time", "10000000", NULL};
	static struct lua_case c;
	static char text[600];

	lua_case_open(&c, source, settings);
	if (!c.script)
		(void)snprintf(text, sizeof(text), "refused: %s", c.error.text);
	else if (lua_case_call(&c, CALL_PUBLISH, "f") == CALL_OK)
		(void)snprintf(text, sizeof(text), "%s", c.result);
	else
		(void)snprintf(text, sizeof(text), "failed: %s", c.error.text);
	lua_case_close(&c);
	return text;
}
