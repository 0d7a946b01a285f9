/* SPDX-License-Identifier: MIT */

/*
 * What calls cost, in CPU time. Not a test. First a call that does nothing, and one that loops;
 * then, in calls that would never end, or work hard at being slow, the longest one of each: with
 * the limits that are in force by default it delays everybody else by so much.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CUnit/CUnit.h>

#include "lua_case.h"

#define CALLS	  1000000
#define BAD_CALLS 200
#define UNROLLED  300
#define MUCH	  (1u << 20)

struct bad_case {
	const char *name, *before, *line, *after; /* `line` many times */
};

static const struct bad_case cases[] = {
	{"endless loop", "function f() while true do", " ", "end end"},
	{"pcall in a loop", "function f() while true do pcall(f) end end", "", ""},
	{"coroutines", "function f() while true do coroutine.wrap(function() end)() end end", "",
	 ""},
	{"errors", "function f() while true do pcall(error) end end", "", ""},
	{"long __index",
	 "local t = {} for i = 1, 1990 do t = setmetatable({}, {__index = t}) end "
	 "function f() while true do local x",
	 " x = t.a", " end end"},
	{"next() of nothing",
	 "local t = {} for i = 1, 8000 do t['k' .. i] = i end for i = 1, 8000 do "
	 "t['k' .. i] = nil end function f() while true do local x",
	 " x = next(t)", " end end"},
	{"long strings compared",
	 "function f() local a, b = ('x'):rep(2e5) .. 1, ('x'):rep(2e5) .. 2 "
	 "while true do local x",
	 " x = a == b", " end end"},
	{"long numbers", "function f() local a = ('1'):rep(8000) while true do local x",
	 " x = a + 1", " end end"},
	{"pattern", "function f() return (('a'):rep(10000)):find('.-.-.-b') end", "", ""},
	{"sorting", "function f() local t = {} for i = 1, 10000 do t[i] = -i end table.sort(t) end",
	 "", ""},
	{"memory that is kept", "local t = {} function f() while true do t = {t} end end", "", ""},
	{"garbage", "function f() while true do local t = {{}, {}} end end", "", ""},
	{"garbage beside much",
	 "local t = {} for i = 1, 25000 do t = {t} end local k = t function f() while true do "
	 "local x "
	 "= {{}, {}} end return k end",
	 "", ""},
	{"full memory",
	 "local t = {} for i = 1, 27000 do t = {t} end local k = t function f() while "
	 "true do pcall(string.rep, 'x', 262000) end return k end",
	 "", ""},
	{"many to be closed",
	 "local m = setmetatable({}, {__close = function() error() end}) local function r(n) local "
	 "x "
	 "<close> = m if n == 0 then while true do end end r(n - 1) end function f() "
	 "r(3000) end",
	 "", ""},
};

static uint64_t cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void call_f(lua_State *L, void *context)
{
	(void)context;
	lua_getglobal(L, "f");
	lua_call(L, 0, 0);
}

static void open_case(struct lua_case *c, const char *source)
{
	static const char *const settings[] = {"quarantine_after", "0", "cpu_time", "1000", NULL};

	lua_case_open(c, source, settings);
	if (c->script)
		return;
	printf("%s\n", c->error.text);
	exit(EXIT_FAILURE);
}

static void run_good(const char *name, const char *source, unsigned calls)
{
	struct lua_case c;
	uint64_t start;

	open_case(&c, source);
	start = cpu_ns();
	for (unsigned i = 0; i < calls; i++)
		(void)call_run(lua_case_state(&c), CALL_PUBLISH, call_f, NULL, NULL);
	printf("%-24s %8.1f ns a call\n", name, (double)(cpu_ns() - start) / calls);
	script_close(c.script);
}

static char *make_source(const struct bad_case *bad)
{
	char *source = malloc(MUCH);

	if (!source)
		abort();
	(void)snprintf(source, MUCH, "%s", bad->before);
	for (unsigned i = 0; i < UNROLLED; i++)
		strcat(source, bad->line);
	strcat(source, bad->after);
	return source;
}

static void run_bad(const struct bad_case *bad)
{
	char *source = make_source(bad);
	uint64_t longest = 0, sum = 0;
	struct lua_case c;

	open_case(&c, source);
	for (unsigned i = 0; i < BAD_CALLS; i++) {
		uint64_t start = cpu_ns(), ns;

		(void)call_run(lua_case_state(&c), CALL_PUBLISH, call_f, NULL, NULL);
		ns = cpu_ns() - start;
		sum += ns;
		longest = ns > longest ? ns : longest;
	}
	printf("%-24s %8.0f us, longest %8.0f us\n", bad->name, (double)sum / BAD_CALLS / 1000,
	       (double)longest / 1000);
	script_close(c.script);
	free(source);
}

int main(void)
{
	run_good("nothing", "function f() end", CALLS);
	run_good("100 rounds of a loop", "function f() for i = 1, 100 do end end", CALLS);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		run_bad(&cases[i]);
	return 0;
}
