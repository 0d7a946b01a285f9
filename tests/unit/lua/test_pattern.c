/* SPDX-License-Identifier: MIT */

/* Lua's patterns, as our matcher does them: as Lua's own does, and never for long. */

#include "lua_case.h"
#include "unit.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

/*
 * The thread sanitizer does not know __longjmp_chk(), by which Debian's Lua raises: it does not see
 * that functions are left, so with each error its idea of the stack grows, and it keeps that with
 * each allocation: 24 GB in 10000 rounds. There is one thread here; the other builds do all.
 */
#ifdef __SANITIZE_THREAD__
#define ROUNDS 100
#else
#define ROUNDS 10000
#endif

/* What both are asked, and all that they answer as one text. */
static const char source[] =
	"local function text(...)\n"
	"	local t = table.pack(...)\n"
	"	for i = 1, t.n do t[i] = type(t[i]) .. tostring(t[i]) end\n"
	"	return table.concat(t, '|')\n"
	"end\n"
	"local function all(s, p)\n"
	"	local t = {}\n"
	"	for a, b in s:gmatch(p) do t[#t + 1] = text(a, b) end\n"
	"	return table.concat(t, ';')\n"
	"end\n"
	"local ways = {\n"
	"	function(s, p) return text(s:find(p)) end,\n"
	"	function(s, p) return text(s:find(p, 3)) end,\n"
	"	function(s, p) return text(s:find(p, -2)) end,\n"
	"	function(s, p) return text(s:find(p, 1, true)) end,\n"
	"	function(s, p) return text(s:match(p)) end,\n"
	"	function(s, p) return text(s:match(p, 2)) end,\n"
	"	all,\n"
	"	function(s, p) return text(s:gsub(p, '<%0>')) end,\n"
	"	function(s, p) return text(s:gsub(p, '%2%%%1', 2)) end,\n"
	"	function(s, p) return text(s:gsub(p, {a = 'A', b = false, ab = 1})) end,\n"
	"	function(s, p) return text(s:gsub(p, function(...) return text(...) end)) end,\n"
	"	function(s, p) return text(s:gsub(p, '%')) end,\n"
	"}\n"
	"function f(both)\n"
	"	local s, p = both:match('^([^\\1]*)\\1(.*)$')\n"
	"	local t = {}\n"
	"	for i, way in ipairs(ways) do t[i] = text(pcall(way, s, p)) end\n"
	"	-- some versions of Lua say more\n"
	"	return (table.concat(t, '\\n'):gsub(' in replacement string', ''))\n"
	"end\n";

static uint64_t next_random(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

static size_t pick(uint64_t *random, size_t count)
{
	return (size_t)(next_random(random) >> 20) % count;
}

static void add_piece(uint64_t *random, char *text)
{
	static const char *const pieces[] = {
		"a",	  "b",	    "ab",   ".",     "%a",    "%A",   "%d",   "%s",   "%w",
		"%W",	  "[ab]",   "[^a]", "[a-c]", "[%d_]", "[]a]", "[^]]", "[a-]", "[%-a]",
		"(",	  ")",	    "()",   "(a)",   "%1",    "%2",   "%b()", "%bab", "%f[a]",
		"%f[%W]", "^",	    "$",    "%%",    "%.",    "%",    "[",    "]",    "-",
		"_",	  "[%a-z]", "%0",   "%f",    "%b",    "(.-)", "[a",   "x",
	};
	static const char *const times[] = {"*", "+", "-", "?"};

	strcat(text, pieces[pick(random, sizeof(pieces) / sizeof(*pieces))]);
	if (pick(random, 3) == 0)
		strcat(text, times[pick(random, 4)]);
}

/* A text, a byte 1, a pattern. */
static void make_question(uint64_t *random, char *text)
{
	static const char letters[] = "aabbc()1 _].\xc3-";
	size_t length = pick(random, 12);
	size_t pieces = pick(random, 6);

	for (size_t i = 0; i < length; i++)
		text[i] = letters[pick(random, sizeof(letters) - 1)];
	text[length] = '\1';
	text[length + 1] = '\0';
	if (pick(random, 8) == 0)
		strcat(text, "^");
	while (pieces-- > 0)
		add_piece(random, text);
}

static const char *ask_lua(lua_State *L, const char *question)
{
	lua_settop(L, 0);
	lua_getglobal(L, "f");
	lua_pushstring(L, question);
	if (lua_pcall(L, 1, 1, 0) != LUA_OK)
		return NULL;
	return lua_tostring(L, -1);
}

struct asked {
	const char *question;
	char answer[8192];
};

static void ask(lua_State *L, void *context)
{
	struct asked *asked = context;

	lua_getglobal(L, "f");
	lua_pushstring(L, asked->question);
	lua_call(L, 1, 1);
	(void)snprintf(asked->answer, sizeof(asked->answer), "%s", lua_tostring(L, -1));
}

static void as_lua_does(void)
{
	static const char *const settings[] = {"instructions", "100000000", "cpu_time", "10000000",
					       NULL};
	static struct asked asked;
	char question[256];
	uint64_t random = 88172645463325252u;
	lua_State *L = luaL_newstate();
	unsigned different = 0;
	struct lua_case c;

	CU_ASSERT_PTR_NOT_NULL_FATAL(L);
	luaL_openlibs(L);
	CU_ASSERT_EQUAL_FATAL(luaL_loadbuffer(L, source, strlen(source), "@case.lua"), LUA_OK);
	CU_ASSERT_EQUAL_FATAL(lua_pcall(L, 0, 0, 0), LUA_OK);
	lua_case_open(&c, source, settings);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	for (unsigned i = 0; i < ROUNDS && different < 5; i++) {
		const char *right;

		make_question(&random, question);
		right = ask_lua(L, question);
		CU_ASSERT_PTR_NOT_NULL_FATAL(right);
		asked.question = question;
		CU_ASSERT_EQUAL_FATAL(
			call_run(lua_case_state(&c), CALL_PUBLISH, ask, &asked, &c.error), CALL_OK);
		if (strcmp(right, asked.answer) == 0)
			continue;
		different++;
		printf("\n%s\nLua: %s\nwe: %s\n", question, right, asked.answer);
	}
	CU_ASSERT_EQUAL(different, 0);
	lua_case_close(&c);
	lua_close(L);
}

static void expect_over(const char *text)
{
	CU_ASSERT_STRING_EQUAL(lua_case_of(text),
			       "failed: case.lua:1: it ran for more than `instructions`");
}

static void bombs_end(void)
{
	expect_over(
		"function f() return (('a'):rep(28)):find(('a?'):rep(28) .. ('a'):rep(28)) end");
	expect_over("function f() return (('a'):rep(10000)):find('.-.-.-.-.-.-b') end");
	expect_over("function f() return (('a'):rep(30000)):match('(.-)%1%1b') end");
	expect_over("function f() return (('('):rep(30000)):find('%b()') end");
	expect_over("function f() return (('a'):rep(30000)):gsub('a*b', 'x') end");
	expect_over("function f() for w in (('a'):rep(30000)):gmatch('a*b') do end end");
	expect_over("function f() while true do pcall(string.find, ('a'):rep(10000), '.-.-.-b') "
		    "end end");
	expect_over("function f() return (('a'):rep(60000)):rep(4):gsub('.', string.reverse) end");
}

static void depth_ends(void)
{
	CU_ASSERT_STRING_EQUAL(
		lua_case_of("function f() return (('a'):rep(300)):find(('a?'):rep(300)) end"),
		"failed: case.lua:1: pattern too complex");
	CU_ASSERT_STRING_EQUAL(lua_case_of("function f() return (''):find(('('):rep(300)) end"),
			       "failed: case.lua:1: too many captures");
}

UNIT_MAIN("lua_pattern", UNIT_TEST(as_lua_does), UNIT_TEST(bombs_end), UNIT_TEST(depth_ends))
