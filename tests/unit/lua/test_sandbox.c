/* SPDX-License-Identifier: MIT */

/* What of Lua's libraries a script has, and that it does what Lua's does. */

#include "lua_case.h"
#include "unit.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

/* All that there is besides what our own modules bring. */
static const char *const allowed =
	"_G _VERSION assert collectgarbage coroutine.close coroutine.create "
	"coroutine.isyieldable coroutine.resume coroutine.running coroutine.status coroutine.wrap "
	"coroutine.yield error getmetatable ipairs math.abs math.acos math.asin math.atan "
	"math.ceil math.cos math.deg math.exp math.floor math.fmod math.huge math.log math.max "
	"math.maxinteger math.min math.mininteger math.modf math.pi math.rad math.random "
	"math.randomseed math.sin math.sqrt math.tan math.tointeger math.type math.ult next "
	"os.clock os.date os.time pairs pcall print rawequal rawget rawlen rawset select "
	"setmetatable string.byte string.char string.find string.format string.gmatch string.gsub "
	"string.len string.lower string.match string.pack string.packsize string.rep "
	"string.reverse string.sub string.unpack string.upper table.concat table.insert "
	"table.move table.pack table.remove table.sort table.unpack tonumber tostring type "
	"utf8.char utf8.charpattern utf8.codepoint utf8.codes utf8.len utf8.offset";

static void only_what_is_allowed(void)
{
	static char result[4096];
	static const char source[] =
		"local own = {log = 1, settings = 1, script = 1, exchange = 1, access = 1, hook = "
		"1, "
		"timer = 1, broker = 1, shared = 1, json = 1, crypto = 1}\n"
		"function f() local names = {}\n"
		"for name, value in pairs(_G) do\n"
		"	if name == 'f' or name == 'g' or own[name] then\n"
		"	elseif type(value) == 'table' and name ~= '_G' then\n"
		"		for member in pairs(value) do names[#names + 1] = name .. '.' .. "
		"member end\n"
		"	else names[#names + 1] = name end\n"
		"end\n"
		"table.sort(names) all = table.concat(names, ' ') return #all end\n"
		"function g(from) return all:sub(tonumber(from), tonumber(from) + 399) end\n";
	struct lua_case c;

	lua_case_open(&c, source, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_TEST, "f"), CALL_OK);
	for (size_t from = 1; from <= strlen(allowed) + 400; from += 400) {
		char text[16];
		int size = snprintf(text, sizeof(text), "%zu", from);

		CU_ASSERT_EQUAL(lua_case_call_with(&c, CALL_TEST, "g", text, (size_t)size),
				CALL_OK);
		strcat(result, c.result);
	}
	CU_ASSERT_STRING_EQUAL(result, allowed);
	lua_case_close(&c);
}

static void refuses(void)
{
	CU_ASSERT_STRING_EQUAL(
		lua_case_of("function f() setmetatable({}, {__gc = function() end}) end"),
		"failed: case.lua:1: __gc is not for scripts");
	CU_ASSERT_STRING_EQUAL(
		lua_case_of("local mt = {} function f() setmetatable({}, mt) mt.__gc = true "
			    "setmetatable({}, mt) end"),
		"failed: case.lua:1: __gc is not for scripts");
	CU_ASSERT_STRING_EQUAL(
		lua_case_of(
			"function f() setmetatable({}, setmetatable({}, {__index = {__gc = f}})) "
			"return 1 end"),
		"1");
	CU_ASSERT_STRING_EQUAL(lua_case_of("function f() setmetatable({}, {__mode = 'kv'}) end"),
			       "failed: case.lua:1: weak keys are not for scripts");
	CU_ASSERT_STRING_EQUAL(
		lua_case_of("function f() local t = setmetatable({}, {__metatable = 1}) "
			    "return setmetatable(t, nil) end"),
		"failed: case.lua:1: cannot change a protected metatable");
	CU_ASSERT_STRING_EQUAL(lua_case_of("function f() collectgarbage() end"),
			       "failed: case.lua:1: collectgarbage: only \"count\" is for scripts");
	CU_ASSERT_STRING_EQUAL(
		lua_case_of(
			"function f() local n = collectgarbage('count') return n > 1 and n < 200 "
			"end"),
		"true");
	CU_ASSERT_STRING_EQUAL(lua_case_of("function f() coroutine.yield() end"),
			       "failed: case.lua:1: attempt to yield from outside a coroutine");
}

/* Asked here and of Lua's own libraries. What is raised counts, where all versions of Lua say the
 * same. */
static const char *const questions[] = {
	"table.concat({1, 2, 'c'}, '-')",
	"table.concat({1, 2, 3, 4}, ', ', 2, 3)",
	"table.concat({})",
	"table.concat({1, {}, 3})",
	"table.concat({'a', 'b'}, 'x', 2, 1)",
	"(function() local t = {1, 2, 3} table.insert(t, 2, 9) return table.concat(t, ',') end)()",
	"(function() local t = {1, 2, 3} table.insert(t, 4) return table.concat(t, ',') end)()",
	"(function() local t = {1, 2, 3} table.insert(t, 5, 9) end)()",
	"(function() local t = {1} table.insert(t, 0, 9) end)()",
	"table.insert({1})",
	"table.insert({1}, 1, 2, 3)",
	"(function() local t = {1, 2, 3} return table.remove(t, 1), table.concat(t, ',') end)()",
	"(function() local t = {1, 2, 3} return table.remove(t), table.concat(t, ',') end)()",
	"(function() local t = {1, 2, 3} return table.remove(t, 4), table.concat(t, ',') end)()",
	"(pcall(table.remove, {1, 2, 3}, 5))",
	"table.remove({}, 0)",
	"table.remove({})",
	"(pcall(table.remove, {1}, 0))",
	"table.concat(table.move({1, 2, 3}, 1, 3, 2), ',')",
	"table.concat(table.move({1, 2, 3}, 2, 3, 1), ',')",
	"table.concat(table.move({1, 2, 3}, 1, 3, 1, {7, 8, 9, 10}), ',')",
	"table.concat(table.move({1, 2, 3}, 1, 0, 2), ',')",
	"table.move({1}, math.mininteger, 1, 2)",
	"table.move({1}, 1, 2, math.maxinteger)",
	"table.move({1}, 1, 2)",
	"table.move(1, 1, 1, 1)",
	"table.pack(1, nil, 3).n",
	"table.unpack({1, 2, 3})",
	"table.unpack({1, 2, 3}, 2)",
	"table.unpack({1, 2, 3}, -1, 1)",
	"table.unpack({}, math.mininteger, math.maxinteger)",
	"table.unpack('abc', 1, 1)",
	"(function() local t = {3, 1, 2} table.sort(t) return table.concat(t, ',') end)()",
	"(function() local t = {'b', 'a', 'c'} table.sort(t, function(a, b) return a > b end) "
	"return table.concat(t, ',') end)()",
	"(function() local t = {} for i = 1, 100 do t[i] = i * 7919 % 101 end table.sort(t) return "
	"table.concat(t, ',') end)()",
	"(pcall(table.sort, {1, 'a'}))",
	"table.sort({1, 2}, 5)",
	"table.sort(5)",
	"(function() local t = {1} table.sort(t) return t[1] end)()",
	"('ab'):rep(3, '-')",
	"('ab'):rep(1, '-')",
	"('ab'):rep(0, '-')",
	"('ab'):rep(-5)",
	"(''):rep(100)",
	"(''):rep(3, 'x')",
	"string.rep(12, 3)",
	"string.rep('x')",
	"('hello'):sub(-3, -2), ('hello'):upper(), ('Hello'):lower(), ('abc'):reverse()",
	"('hello'):byte(1, -1)",
	"string.char(104, 105)",
	"string.char(256)",
	"string.format('%d %s %5.1f %q %x', 3, 'x', 2.25, 'a\\nb', 255)",
	"string.format('%d', 'x')",
	"#string.pack('i4z', 7, 'abc'), string.unpack('z', 'abc\\0')",
	"string.packsize('i4i8')",
	"utf8.char(228, 8364), utf8.len('a\\u{e4}'), utf8.codepoint('\\u{20ac}')",
	"utf8.len('a\\xff')",
	"utf8.offset('a\\u{e4}b', 3), utf8.offset('a\\u{e4}b', -1)",
	"(function() local t = {} for p, c in utf8.codes('a\\u{e4}b') do t[#t + 1] = p .. '=' .. c "
	"end return table.concat(t, ' ') end)()",
	"tonumber('0x10'), tonumber('z', 36), tonumber('x'), tonumber(' 5 ')",
	"select('#', 1, 2), select(2, 'a', 'b'), select(-1, 'a', 'b')",
	"rawequal('a', 'a'), rawlen({1, 2}), rawget({5}, 1)",
	"'10' + 5, '3' * '4', 10 .. 20",
	"os.date('!%Y-%m-%d %H:%M:%S', 86400), os.time({year = 2000, month = 1, day = 1, hour = "
	"12})",
	"os.date('!*t', 0).year, os.date('%Ez', 0)",
	"os.date('%', 0)",
	"math.type(1), math.type(1.0), math.tointeger(3.0), math.ult(1, -1)",
	"math.random(5, 5), math.random(0) ~= math.random(0), math.random() < 1",
	"(function() math.randomseed(7) local a = math.random(0) math.randomseed(7) return a == "
	"math.random(0) end)()",
	"(function() local t = {} for i, v in ipairs({'a', 'b'}) do t[#t + 1] = i .. v end for k, "
	"v in "
	"pairs({c = 1}) do t[#t + 1] = k .. v end return table.concat(t, ' ') end)()",
	"pcall(pcall, error, 'x'), pcall(coroutine.yield)",
	"coroutine.wrap(function() return pcall(function() return coroutine.yield(1) end) end)()",
	"error('x')",
	"error('x', 2)",
	"assert(false, 'no')",
	"assert(nil)",
	"('a\\0b'):find('%z'), ('a\\0b'):find('%Z', 2)",
	"coroutine.wrap(function(...) return ... end)(1, 2)",
	"(function() local c = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return "
	"b * 2 "
	"end) return c(1), c(5) end)()",
	"coroutine.resume(coroutine.create(function() error('x') end))",
	"coroutine.resume(coroutine.create(function() error({}) end)) == false",
	"(pcall(coroutine.resume, 5))",
	"coroutine.create(5)",
	"(function() local c = coroutine.create(function() end) coroutine.resume(c) return "
	"coroutine.status(c), coroutine.resume(c) end)()",
	"(function() local c c = coroutine.create(function() return coroutine.resume(c) end) "
	"return "
	"coroutine.resume(c) end)()",
	"coroutine.wrap(function() error('x') end)()",
	"coroutine.wrap(function() error() end)()",
	"(function() local c = coroutine.wrap(function() end) c() c() end)()",
	"coroutine.close(coroutine.create(print))",
	"(function() local log = '' local c = coroutine.create(function() local x <close> = "
	"setmetatable({}, {__close = function() log = log .. 'closed' end}) coroutine.yield() end) "
	"coroutine.resume(c) return coroutine.close(c), log, coroutine.status(c) end)()",
	"(function() local c = coroutine.create(function() local x <close> = setmetatable({}, "
	"{__close "
	"= function() error('y', 0) end}) coroutine.yield() end) coroutine.resume(c) return "
	"coroutine.close(c) end)()",
	"(function() local c = coroutine.create(function() error('z', 0) end) coroutine.resume(c) "
	"return coroutine.close(c) end)()",
	"coroutine.wrap(function() return coroutine.close(coroutine.running()) end)()",
	"coroutine.isyieldable(), coroutine.wrap(function() return coroutine.isyieldable() end)()",
	"select('#', coroutine.running()), select(2, coroutine.running())",
	"coroutine.wrap(function() return pcall(error, 'e') end)()",
	"pcall(error)",
	"pcall(error, nil)",
	"(''):len(), ('').len == string.len, ('').none, getmetatable(12)",
	"setmetatable({}, {__index = {a = 1}}).a, #setmetatable({}, {__len = function() return 7 "
	"end})",
	"setmetatable(1, {})",
	"setmetatable({})",
};

static void ask(lua_State *L, const char *question)
{
	luaL_Buffer buffer;
	int top = lua_gettop(L);
	int status;

	lua_getglobal(L, question);
	status = lua_pcall(L, 0, LUA_MULTRET, 0);
	for (int i = top + 1; i <= lua_gettop(L); i++)
		(void)luaL_tolstring(L, i, NULL), lua_replace(L, i);
	luaL_buffinit(L, &buffer);
	luaL_addstring(&buffer, status == LUA_OK ? "" : "raised ");
	for (int i = top + 1; lua_type(L, i) == LUA_TSTRING && i < 250; i++) {
		luaL_addstring(&buffer, lua_tostring(L, i));
		luaL_addchar(&buffer, ' ');
	}
	luaL_pushresult(&buffer);
	lua_insert(L, top + 1);
	lua_settop(L, top + 1);
}

struct asked {
	const char *name;
	char answer[2048];
};

static void ask_case(lua_State *L, void *context)
{
	struct asked *asked = context;

	ask(L, asked->name);
	(void)snprintf(asked->answer, sizeof(asked->answer), "%s", lua_tostring(L, -1));
}

static void as_lua_does(void)
{
	static char source[32768];
	static struct asked asked;
	lua_State *L = luaL_newstate();
	struct lua_case c;

	for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++) {
		size_t used = strlen(source);

		(void)snprintf(source + used, sizeof(source) - used,
			       "function q%zu() return %s end\n", i, questions[i]);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(L);
	luaL_openlibs(L);
	CU_ASSERT_EQUAL_FATAL(luaL_loadbuffer(L, source, strlen(source), "@case.lua"), LUA_OK);
	CU_ASSERT_EQUAL_FATAL(lua_pcall(L, 0, 0, 0), LUA_OK);
	lua_case_open(&c, source, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "q%zu", i);
		lua_settop(L, 0);
		ask(L, name);
		asked.name = name;
		asked.answer[0] = '\0';
		CU_ASSERT_EQUAL(call_run(lua_case_state(&c), CALL_TEST, ask_case, &asked, &c.error),
				CALL_OK);
		CU_ASSERT_STRING_EQUAL(asked.answer, lua_tostring(L, -1));
		if (strcmp(asked.answer, lua_tostring(L, -1)) != 0)
			printf("\n%s\nLua: %s\nwe:  %s\n", questions[i], lua_tostring(L, -1),
			       asked.answer);
	}
	lua_case_close(&c);
	lua_close(L);
}

UNIT_MAIN("lua_sandbox", UNIT_TEST(only_what_is_allowed), UNIT_TEST(refuses),
	  UNIT_TEST(as_lua_does))
