/* SPDX-License-Identifier: MIT */

/* Scripts that are no Lua, or raise what they like. */

#include "lua_case.h"
#include "unit.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

static void expect(const char *right, const char *source)
{
	const char *text = lua_case_of(source);

	if (strcmp(text, right) != 0)
		printf("\n%.200s\n  %s\n", source, text);
	CU_ASSERT_STRING_EQUAL(text, right);
}

static void syntax(void)
{
	expect("refused: case.lua:1: unexpected symbol near '='", "x = = 1");
	expect("refused: case.lua:3: 'end' expected (to close 'function' at line 1) near <eof>",
	       "function f()\n\n");
	expect("refused: case.lua:2: unfinished string near '\"x'", "\nx = \"x\n\"");
	expect("refused: case.lua:1: attempt to load a binary chunk (mode is 't')", "\33LuaT");
	expect("failed: attempt to call a nil value", "");
	expect("refused: case.lua:2: attempt to call a nil value (global 'nothing')",
	       "\nnothing()");
}

/* A string of n times a text. The caller frees it. */
static char *times(unsigned n, const char *text, const char *middle, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);
	char *all = malloc(n * (size + end_size) + strlen(middle) + 1);
	char *to = all;

	for (unsigned i = 0; i < n; i++, to += size)
		memcpy(to, text, size);
	memcpy(to, middle, strlen(middle));
	to += strlen(middle);
	for (unsigned i = 0; i < n; i++, to += end_size)
		memcpy(to, end, end_size);
	*to = '\0';
	return all;
}

static void expect_refused(const char *right, char *source)
{
	expect(right, source);
	free(source);
}

static void nesting(void)
{
	expect_refused("refused: case.lua:2: C stack overflow",
		       times(1, "",
			     "\nx = ((((((((((((((((((((((((((((((((((((((((((((((((((((("
			     "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
			     "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
			     "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
			     "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((",
			     ""));
	expect_refused("refused: case.lua:1: C stack overflow", times(300, "x={", "", "}"));
	expect_refused("refused: case.lua:1: C stack overflow", times(1000, "do ", "", "end "));
	expect_refused("refused: case.lua:1: C stack overflow",
		       times(1000, "function f() ", "", "end "));
}

/* More than there is room for. */
static void too_much(void)
{
	expect_refused("refused: case.lua:1: not enough memory (`memory`)",
		       times(200000, "x=1;", "", ""));
}

static void zero_bytes_and_bytecode(void)
{
	static const char text[] = "-- a\n\0x = 1";
	struct shunt_script script = {
		.size = sizeof(script),
		.name = "case",
		.path = "case.lua",
		.source = {(const uint8_t *)text, sizeof(text) - 1},
	};
	struct lua_case c;

	lua_case_open(&c, "", NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_PTR_NULL(
		script_open(&c.language, &c.fake.host, &script, SHUNT_SCRIPT_RUN, NULL, &c.error));
	CU_ASSERT_STRING_EQUAL(c.error.text, "case.lua:2: a zero byte: not a text");
	CU_ASSERT_EQUAL(c.error.code, 0);

	script.source.size = 0;
	script.source.data = NULL;
	script_close(c.script);
	c.script =
		script_open(&c.language, &c.fake.host, &script, SHUNT_SCRIPT_RUN, NULL, &c.error);
	CU_ASSERT_PTR_NOT_NULL(c.script);
	lua_case_close(&c);
}

static void error_values(void)
{
	expect("failed: case.lua:1: why", "function f() error('why') end");
	expect("failed: case.lua:2: why", "function f()\nerror('why', 0) end");
	expect("failed: case.lua:1: (error object is a nil value)", "function f() error() end");
	expect("failed: case.lua:1: (error object is a table value)", "function f() error({}) end");
	expect("failed: case.lua:1: (error object is a function value)",
	       "function f() error(print) end");
	expect("failed: case.lua:1: 5", "function f() error(5) end");
	expect("failed: case.lua:1: 2.5", "function f() error(2.5) end");
	expect("failed: case.lua:1: true", "function f() error(true) end");
	expect("failed: case.lua:1: mine", "function f() error(setmetatable({}, {__tostring = "
					   "function() return 'mine' end})) end");
	expect("failed: case.lua:1: (error object is a table value)",
	       "function f() error(setmetatable({}, {__tostring = function() error('x') end})) "
	       "end");
	expect("failed: case.lua:1: (error object is a table value)",
	       "function f() error(setmetatable({}, {__tostring = function() while true do end "
	       "end})) "
	       "end");
	expect("failed: case.lua:1: (error object is a table value)",
	       "function f() error(setmetatable({}, {__tostring = function() return {} end})) end");
	expect("failed: case.lua:1: (error object is a table value)",
	       "local t t = setmetatable({}, {__tostring = function() return tostring(t) end}) "
	       "function f() error(t) end");
}

static void closing_raises(void)
{
	expect("failed: case.lua:1: b", "function f() local x <close> = setmetatable({}, {__close "
					"= function() error('b') end}) "
					"error('a') end");
	expect("failed: case.lua:1: b", "function f() local x <close> = setmetatable({}, {__close "
					"= function() error('b') end}) "
					"return 1 end");
	expect("failed: case.lua:1: coroutines are closed within each other too deep",
	       "local function nest(n) local co = coroutine.create(function() local x <close> = "
	       "setmetatable({}, {__close = function() nest(n + 1) end}) coroutine.yield() end) "
	       "coroutine.resume(co) local ok, e = coroutine.close(co) if not ok then error(e, 0) "
	       "end "
	       "end function f() nest(1) end");
}

static void one_clean_line(void)
{
	char right[400] = "failed: case.lua:1: ";
	const char *text;

	expect("failed: case.lua:1: a b  c", "function f() error('a\\nb\\r\\0c') end");
	expect("failed: case.lua:1: a b\xc3\xa4 c", "function f() error('a\\nb\\u{e4}\\tc') end");
	text = lua_case_of("function f() error(('x'):rep(5000)) end");
	memset(right + strlen(right), 'x', 253 - strlen("case.lua:1: "));
	CU_ASSERT_STRING_EQUAL(text, right);
	text = lua_case_of("function f() error(('\\u{20ac}'):rep(5000)) end");
	CU_ASSERT_EQUAL((strlen(text) - strlen("failed: case.lua:1: ")) % 3, 0);
}

/* Memory of the host runs out at each place in turn: it is an ordinary error, and nothing is lost.
 */
static void out_of_memory(void)
{
	static const char source[] =
		"local t = {} for i = 1, 20 do t[i] = ('x'):rep(i * 600) end "
		"function f() local u = {} for i = 1, 50 do u[i] = {('y'):rep(i * 200)} end "
		"return #coroutine.wrap(function() return 'abc' end)() end";
	long opened = -1;

	for (long n = 1; n < 3000 && opened < 0; n++) {
		struct lua_case c;

		lua_case_fail_at(n);
		lua_case_open(&c, source, NULL);
		lua_case_fail_at(0);
		if (c.script)
			opened = n;
		else
			CU_ASSERT_PTR_NOT_NULL(strstr(c.error.text, "memory"));
		lua_case_close(&c);
	}
	CU_ASSERT(opened > 100);
}

static void out_of_memory_in_call(void)
{
	static const char source[] =
		"function f() local u = {} for i = 1, 50 do u[i] = {('y'):rep(i * 200)} end "
		"return coroutine.wrap(function() return 'abc' end)() end";
	struct lua_case c;
	bool ended = false;

	lua_case_open(&c, source,
		      (const char *const[]){"quarantine_after", "0", "cpu_time", "10000000", NULL});
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	for (long n = 1; n < 1000 && !ended; n++) {
		fake_host_fail(&c.fake, n, true);
		ended = lua_case_call(&c, CALL_PUBLISH, "f") == CALL_OK;
		fake_host_fail_off(&c.fake);
		/* before the first line runs there is none to be named */
		if (!ended)
			CU_ASSERT_PTR_NOT_NULL(
				strstr(c.error.text, "not enough memory (`memory`)"));
	}
	CU_ASSERT(ended);
	lua_case_close(&c);
}

UNIT_MAIN("lua_bad", UNIT_TEST(syntax), UNIT_TEST(nesting), UNIT_TEST(too_much),
	  UNIT_TEST(zero_bytes_and_bytecode), UNIT_TEST(error_values), UNIT_TEST(closing_raises),
	  UNIT_TEST(one_clean_line), UNIT_TEST(out_of_memory), UNIT_TEST(out_of_memory_in_call))
