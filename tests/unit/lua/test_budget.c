/* SPDX-License-Identifier: MIT */

/* Calls that would never end, or take all memory, and what they try to go on nevertheless. */

#include "lua_case.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OVER   "failed: case.lua:1: it ran for more than `instructions`"
#define MEMORY "failed: case.lua:1: not enough memory (`memory`)"

/* A metatable whose __close never ends; the text goes on in the same line. */
#define CLOSER "local m = setmetatable({}, {__close = function() while true do end end}) "

static void expect(const char *right, const char *source)
{
	const char *text = lua_case_of(source);

	if (strcmp(text, right) != 0)
		printf("\n%s\n  %s\n", source, text);
	CU_ASSERT_STRING_EQUAL(text, right);
}

static void loops_end(void)
{
	expect(OVER, "function f() while true do end end");
	expect(OVER, "function f() repeat until false end");
	expect(OVER, "function f() ::again:: goto again end");
	expect(OVER, "function f() for i = 1, math.huge do end end");
	expect(OVER, "function f() return f() end");
	expect(OVER, "function f() for k in pairs(setmetatable({}, {__pairs = function() "
		     "return function() return 1 end end})) do end end");
	expect("refused: case.lua:1: it ran for more than `instructions`", "while true do end");
}

/* Whatever catches errors is passed by. */
static void nothing_catches_it(void)
{
	expect(OVER, "function f() while true do pcall(function() while true do end end) end end");
	expect(OVER, "local function g() while true do pcall(g) end end f = function() g() end");
	expect(OVER, "function f() pcall(function() while true do end end) return 1 end");
	expect(OVER, "function f() while true do pcall(pcall, pcall, function() while true do end "
		     "end) end end");
	expect(OVER, CLOSER "function f() local x <close> = m while true do end end");
	expect(OVER, CLOSER "local function r(n) local x <close> = m if n == 0 then while true do "
			    "end end r(n - 1) end function f() r(100) end");
	expect(OVER, "function f() local x <close> = setmetatable({}, {__close = function() while "
		     "true do pcall(f) end end}) while true do end end");
	expect(OVER, "function f() table.sort({1, 2, 3}, function() while true do end end) end");
	expect(OVER, "function f() ('x'):rep(9):gsub('x', function() while true do end end) end");
}

static void coroutines_end(void)
{
	expect(OVER, "function f() coroutine.wrap(function() while true do end end)() end");
	expect(OVER, "function f() while true do pcall(coroutine.wrap(function() while true do end "
		     "end)) end end");
	expect(OVER, "function f() while true do coroutine.resume(coroutine.create(function() "
		     "while true do end end)) end end");
	expect(OVER, "function f() local a = coroutine.wrap(function() return pcall(function() "
		     "while true do end end) end) return a() end");
	expect(OVER, "function f() while true do coroutine.create(f) end end");
	expect(OVER, "function f() local c = coroutine.wrap(function() while true do "
		     "coroutine.yield() end end) while true do c() end end");
	expect(OVER, CLOSER "function f() while true do local c = coroutine.create(function() "
			    "local x <close> = m while true do end end) coroutine.resume(c) "
			    "coroutine.close(c) end end");
	expect(OVER,
	       CLOSER "function f() local c = coroutine.create(function() local x <close> = m "
		      "coroutine.yield() end) coroutine.resume(c) coroutine.close(c) end");
	expect(OVER, CLOSER "function f() coroutine.wrap(function() local x <close> = m error() "
			    "end)() end");
}

/* What resumes a coroutine in which a call was over has no more instructions left than that one. */
static void resumer_ends(void)
{
	static const char ends[] = "local function endless() while true do end end ";
	static const char *const calls[] = {
		"coroutine.wrap(endless)()",
		"coroutine.resume(coroutine.create(endless))",
		"coroutine.wrap(function() coroutine.wrap(endless)() end)()",
		"coroutine.wrap(function() pcall(coroutine.wrap(endless)) endless() end)()",
		"local c = coroutine.create(function() local x <close> = setmetatable({}, {__close "
		"= "
		"endless}) coroutine.yield() end) coroutine.resume(c) coroutine.close(c)",
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		char source[600];

		(void)snprintf(
			source, sizeof(source),
			"%sfunction f() while true do pcall(function() pcall(function() %s end) "
			"endless() end) end end",
			ends, calls[i]);
		expect(OVER, source);
		(void)snprintf(
			source, sizeof(source),
			"%slocal function g() while true do pcall(function() pcall(function() %s "
			"end) endless() end) end end function f() while true do "
			"pcall(coroutine.wrap(g)) end end",
			ends, calls[i]);
		expect(OVER, source);
	}
}

/* A coroutine in which a call was over is never run again: Lua calls no hook in it. */
static void coroutine_of_former_call(void)
{
	static const char source[] =
		CLOSER "local c function f() c = coroutine.create(function() local x <close> = m "
		       "while true do end end) coroutine.resume(c) end "
		       "function close() return tostring(select(2, coroutine.close(c))) end "
		       "function resume() return select(2, coroutine.resume(c)) end "
		       "local d = coroutine.create(function() coroutine.yield() while true do end "
		       "end) function later() coroutine.resume(d) end";
	static const char *const settings[] = {"cpu_time", "10000000", NULL};
	struct lua_case c;

	lua_case_open(&c, source, settings);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "f"), CALL_FAILED);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "close"), CALL_OK);
	CU_ASSERT_STRING_EQUAL(c.result, "its call was over");
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "resume"), CALL_OK);
	CU_ASSERT_STRING_EQUAL(c.result, "cannot resume dead coroutine");

	/* one that a former call has left asleep is counted like any */
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "later"), CALL_OK);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "later"), CALL_FAILED);
	CU_ASSERT_EQUAL(
		lua_case_state(&c)->stats.of_kind[CALL_PUBLISH].failures[FAILURE_INSTRUCTIONS], 2);
	lua_case_close(&c);
}

static void libraries_end(void)
{
	expect(OVER, "function f() table.move({}, 1, 1e18, 2) end");
	expect(OVER, "function f() table.move({1}, 1, math.maxinteger - 1, 2) end");
	expect(OVER, "function f() while true do pcall(table.unpack, {}, 1, 16000) end end");
	expect(OVER, "function f() return table.unpack({}, 1, 1e8) end");
	expect(OVER, "local t = setmetatable({}, {__len = function() return 1e9 end}) "
		     "function f() table.sort(t, function() return true end) end");
	expect(OVER, "local t = setmetatable({}, {__len = function() return 1e15 end, __index = "
		     "function() return '' end}) function f() return table.concat(t) end");
	expect(OVER, "local t = setmetatable({}, {__len = function() return 1e15 end}) "
		     "function f() table.insert(t, 1, 1) end");
	expect(OVER, "local t = setmetatable({}, {__len = function() return 1e15 end}) "
		     "function f() table.remove(t, 1) end");
	expect(OVER, "function f() while true do (('x'):rep(60000)):upper() end end");
	expect(OVER, "function f() while true do utf8.len(('x'):rep(60000)) end end");
	expect(OVER, "function f() while true do pcall(string.format, ('%d'):rep(30000)) end end");
	expect(OVER, "function f() while true do pcall(string.pack, ('i16'):rep(30000)) end end");
	expect(OVER, "function f() while true do tonumber(('1'):rep(60000)) end end");
	expect(OVER, "function f() while true do os.date(('%c'):rep(3000)) end end");
}

static void memory_ends(void)
{
	expect("failed: case.lua:1: resulting string too large",
	       "function f() return ('x'):rep(1e9) end");
	expect("failed: case.lua:1: resulting string too large",
	       "function f() return ('x'):rep(1 << 62, 'yy') end");
	expect(MEMORY, "function f() local s = 'x' while true do s = s .. s end end");
	expect(MEMORY, "function f() local s = 'x' while true do pcall(function() while true do "
		       "s = s .. s end end) end end");
	expect(MEMORY, "function f() local t = {} for i = 1, 1e9 do t[i] = i end end");
	expect(MEMORY, "function f() return 1 + f() end");
	expect("failed: case.lua:1: C stack overflow",
	       "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) "
	       "function f() return t[1] end");
	expect(OVER, "function f() while true do pcall(error, ('x'):rep(60000)) end end");
}

/* All memory is taken by what lives on: each call that follows ends, too. */
static void memory_is_full(void)
{
	static const char *const settings[] = {"quarantine_after", "0", "cpu_time", "10000000",
					       NULL};
	struct lua_case c;

	lua_case_open(&c,
		      "local t = {} function f() while true do t = {t} end end function g() t = "
		      "nil return 'free' end",
		      settings);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	for (unsigned i = 0; i < 50; i++)
		CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "f"), CALL_FAILED);
	CU_ASSERT_STRING_EQUAL(c.error.text, "case.lua:1: not enough memory (`memory`)");
	CU_ASSERT(atomic_load(&lua_case_state(&c)->heap.largest) <= c.script->limits.memory);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "g"), CALL_OK);
	lua_case_close(&c);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* However many instructions it may use: it is CPU time that counts, not that of the day. */
static void time_ends(void)
{
	static const char *const settings[] = {"instructions", "1000000000", "cpu_time", "20000",
					       "quarantine_after", "0", NULL};
	struct lua_case c;
	uint64_t start, taken, calls = 0;

	lua_case_open(&c, "function f() while true do end end", settings);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	/* a machine may count as ours what it gave to others amid a call, but not each time */
	do {
		calls++;
		start = cpu_ns();
		CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "f"), CALL_FAILED);
		taken = cpu_ns() - start;
		CU_ASSERT_STRING_EQUAL(c.error.text, "case.lua:1: it ran for longer than `cpu_time`");
		/* a half of it, when the machine has not let it run at the start */
		CU_ASSERT(taken >= 9000000u);
	} while (taken >= 30000000u && calls < 3);
	CU_ASSERT(taken < 30000000u);
	CU_ASSERT_EQUAL(lua_case_state(&c)->stats.of_kind[CALL_PUBLISH].failures[FAILURE_TIME], calls);
	lua_case_close(&c);
}

/* A call that is over leaves the next one its whole budget. */
static void next_call_is_whole(void)
{
	static const char *const settings[] = {"cpu_time", "10000000", NULL};
	struct lua_case c;

	lua_case_open(&c,
		      "function f() while true do end end "
		      "function g() local n = 0 for i = 1, 20000 do n = n + 1 end return n end",
		      settings);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "f"), CALL_FAILED);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_DELIVER, "g"), CALL_OK);
	CU_ASSERT_STRING_EQUAL(c.result, "20000");
	CU_ASSERT(lua_case_instructions(&c, CALL_DELIVER) > 30000);
	CU_ASSERT(lua_case_instructions(&c, CALL_DELIVER) < 60000);
	lua_case_close(&c);
}

/*
 * The machine may have been slow in the call before, or in this one: 20 us are enough. After a short one
 * that is forgotten. Returns after how many instructions the hook comes.
 */
static int interval_after_nothing(struct lua_case *c)
{
	int interval = 0;

	for (unsigned i = 0; i < 1000 && interval != 50; i++) {
		CU_ASSERT_EQUAL(lua_case_call(c, CALL_PUBLISH, "nothing"), CALL_OK);
		interval = lua_case_state(c)->budget.interval;
	}
	return interval;
}

/* Strings so long that an instruction may take long: the hook comes after fewer. */
static void long_strings_count(void)
{
	struct lua_case c;

	lua_case_open(&c,
		      "function f() s = ('x'):rep(9000) end "
		      "function g() s = ('x'):rep(70000) end "
		      "function h() s = nil local t = {} for i = 1, 10000 do t[i] = {} end end "
		      "function nothing() end",
		      (const char *const[]){"cpu_time", "10000000", NULL});
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_EQUAL(interval_after_nothing(&c), 50);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "f"), CALL_OK);
	CU_ASSERT(lua_case_state(&c)->budget.interval <= 10);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "g"), CALL_OK);
	CU_ASSERT_EQUAL(lua_case_state(&c)->budget.interval, 2);
	CU_ASSERT(lua_case_state(&c)->heap.huge_strings >= 1);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "h"), CALL_OK);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "h"), CALL_OK);
	CU_ASSERT_EQUAL(lua_case_state(&c)->heap.big_strings, 0);
	CU_ASSERT_EQUAL(interval_after_nothing(&c), 50);
	lua_case_close(&c);
}

/* Instructions that take long, as they go through a long chain of tables: the hook comes sooner. */
static void slow_instructions_count(void)
{
	struct lua_case c;

	lua_case_open(&c,
		      "local t = {} for i = 1, 1990 do t = setmetatable({}, {__index = t}) end "
		      "function f() for i = 1, 40 do local x = t.a, t.b, t.c, t.d, t.e end end "
		      "function g() for i = 1, 1000 do end end",
		      (const char *const[]){"cpu_time", "10000000", NULL});
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "f"), CALL_OK);
	CU_ASSERT_EQUAL(lua_case_state(&c)->budget.interval, 5);
	CU_ASSERT(lua_case_state(&c)->budget.is_slow);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "f"), CALL_OK);
	CU_ASSERT_EQUAL(lua_case_state(&c)->budget.interval, 5);
	lua_case_close(&c);
}

/* As deep as Lua lets it, with as much of the C stack as there is of ours. */
static void c_stack_suffices(void)
{
	static const char source[] =
		"local function deep(n) return (('x'):gsub('.', function() deep(n + 1) end)) end "
		"local function nest(n) local co = coroutine.create(function() local x <close> = "
		"setmetatable({}, {__close = function() pcall(deep, 1) nest(n + 1) end}) "
		"coroutine.yield() end) coroutine.resume(co) local ok, e = coroutine.close(co) "
		"if not ok then error(e, 0) end end "
		"function f() local function g(n) if n == 0 then nest(1) end "
		"return (('x'):gsub('.', function() g(n - 1) end)) end g(50) end";

	expect("failed: case.lua:1: coroutines are closed within each other too deep", source);
	expect("failed: case.lua:1: C stack overflow",
	       "local function deep() return (('x'):gsub('.', deep)) end f = deep");
}

UNIT_MAIN("lua_budget", UNIT_TEST(loops_end), UNIT_TEST(nothing_catches_it),
	  UNIT_TEST(coroutines_end), UNIT_TEST(resumer_ends), UNIT_TEST(coroutine_of_former_call),
	  UNIT_TEST(libraries_end), UNIT_TEST(memory_ends), UNIT_TEST(memory_is_full),
	  UNIT_TEST(time_ends), UNIT_TEST(next_call_is_whole), UNIT_TEST(long_strings_count),
	  UNIT_TEST(slow_instructions_count), UNIT_TEST(c_stack_suffices))
