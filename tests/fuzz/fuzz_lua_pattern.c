/* SPDX-License-Identifier: MIT */
/*
 * Lua's patterns, by our matcher and by Lua's own: the same answer, or the same error. The pattern
 * is what stands before the first line's end, the text is the rest. What our matcher gives up, as
 * it takes too many steps, Lua is not asked.
 */
#include "fuzz.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "../plugin/fake_host.h"
#include "../plugin/fake_services.h"
#include "run/call.h"
#include "script.h"
#include "run/state.h"

/* All that a question gives, as one text; errors without where and which argument it was. */
static const char source[] = "local function text(...)\n"
			     "	local t = table.pack(...)\n"
			     "	for i = 1, t.n do t[i] = type(t[i]) .. tostring(t[i]) end\n"
			     "	return table.concat(t, '|')\n"
			     "end\n"
			     "local function all(s, p)\n"
			     "	local t = {}\n"
			     "	for a, b in string.gmatch(s, p) do t[#t + 1] = text(a, b) end\n"
			     "	return table.concat(t, ';')\n"
			     "end\n"
			     "function ask(s, p)\n"
			     "	return text(pcall(string.find, s, p)) .. '\\n' .. "
			     "text(pcall(string.match, s, p, 2))\n"
			     "		.. '\\n' .. text(pcall(all, s, p)) .. '\\n' .. "
			     "text(pcall(string.gsub, s, p, '<%0>'))\n"
			     "		.. '\\n' .. text(pcall(string.find, s, p, 1, true))\n"
			     "end\n";

struct question {
	struct slice text, pattern;
	char *answer;
	size_t size;
};

static void ask(lua_State *L, void *context)
{
	struct question *question = context;
	const char *answer;

	lua_getglobal(L, "ask");
	(void)lua_pushlstring(L, (const char *)question->text.data, question->text.size);
	(void)lua_pushlstring(L, (const char *)question->pattern.data, question->pattern.size);
	lua_call(L, 2, 1);
	answer = lua_tolstring(L, -1, &question->size);
	question->answer = malloc(question->size + 1);
	fuzz_check(question->answer != NULL);
	memcpy(question->answer, answer, question->size);
}

static lua_State *lua;

static int ask_protected(lua_State *L)
{
	ask(L, lua_touserdata(L, 1));
	return 0;
}

static void compare(struct question *question)
{
	struct question right = *question;

	lua_settop(lua, 0);
	lua_pushcfunction(lua, ask_protected);
	lua_pushlightuserdata(lua, &right);
	fuzz_check(lua_pcall(lua, 1, 0, 0) == LUA_OK);
	if (right.size != question->size || memcmp(right.answer, question->answer, right.size) != 0)
		(void)fprintf(stderr, "Lua: %.*s\nwe: %.*s\n", (int)right.size, right.answer,
			      (int)question->size, question->answer);
	fuzz_check(right.size == question->size);
	fuzz_check(memcmp(right.answer, question->answer, right.size) == 0);
	free(right.answer);
}

static uint64_t stable_hash(const struct shunt_host *host, const void *data, size_t size,
			    uint64_t seed)
{
	return host->hash(host, data, size) ^ seed;
}

static struct script *open_script(void)
{
	static const char *const settings[] = {"quarantine_after", "0", "cpu_time", "10000000",
					       NULL};
	static struct fake_host fake;
	static struct language language;
	struct shunt_script text = {.size = sizeof(text),
				    .name = "fuzz",
				    .path = "fuzz.lua",
				    .source = {(const uint8_t *)source, sizeof(source) - 1}};
	struct shunt_error error;
	struct script *script;

	fake_host_init(&fake, 1);
	fake.host.stable_hash = stable_hash;
	fake.settings = settings;
	fake.options = script_options;
	language.host = &fake.host;
	script = script_open(&language, &fake.host, &text, SHUNT_SCRIPT_CHECK, NULL, &error);
	fuzz_check(script != NULL);
	return script;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct script *script;
	const uint8_t *end = memchr(data, '\n', size);
	struct question question = {.answer = NULL};

	if (!end || size > 4096)
		return 0;
	if (!script) {
		script = open_script();
		lua = luaL_newstate();
		fuzz_check(lua != NULL);
		luaL_openlibs(lua);
		fuzz_check(luaL_loadbuffer(lua, source, sizeof(source) - 1, "@fuzz.lua") == LUA_OK);
		fuzz_check(lua_pcall(lua, 0, 0, 0) == LUA_OK);
	}
	question.pattern = slice_make(data, (size_t)(end - data));
	question.text = slice_make(end + 1, size - question.pattern.size - 1);
	if (call_run(script->states[0], CALL_PUBLISH, ask, &question, NULL) == CALL_OK)
		compare(&question);
	free(question.answer);
	return 0;
}
