/* SPDX-License-Identifier: MIT */

/* log, print, settings, script. */

#include <stdio.h>
#include <string.h>

#include "lua_case.h"
#include "unit.h"

static const char *const some[] = {"on",      "true",	      "off",	  "false", "n",
				   "12",      "neg",	      "-3",	  "real",  "1.5",
				   "hex",     "0x10",	      "text",	  "a b",   "user.alice",
				   "1234",    "user.bob",     "s3",	  "a.b.c", "deep",
				   "version", "1.2.3",	      "on_error", "pass",  "on_error.route",
				   "deny",    "instructions", "50000",	  NULL};

/* What f() returns with those settings. */
static const char *with(const char *const *settings, const char *source)
{
	static char said[1024];
	struct lua_case c;

	lua_case_open(&c, source, settings);
	if (!c.script)
		(void)snprintf(said, sizeof(said), "refused: %s", c.error.text);
	else if (lua_case_call(&c, CALL_TIMER, "f") == CALL_OK)
		(void)snprintf(said, sizeof(said), "%s", c.result);
	else
		(void)snprintf(said, sizeof(said), "failed: %s", lua_case_state(&c)->last_error);
	lua_case_close(&c);
	return said;
}

/* Its type, and as text. */
static const char *value(const char *expression)
{
	char source[256];

	(void)snprintf(source, sizeof(source),
		       "function f() local v = %s return (math.type(v) or type(v)) .. ' ' .. "
		       "tostring(v) end",
		       expression);
	return with(some, source);
}

static void settings_have_types(void)
{
	CU_ASSERT_STRING_EQUAL(value("settings.on"), "boolean true");
	CU_ASSERT_STRING_EQUAL(value("settings.off"), "boolean false");
	CU_ASSERT_STRING_EQUAL(value("settings.n"), "integer 12");
	CU_ASSERT_STRING_EQUAL(value("settings.neg"), "integer -3");
	CU_ASSERT_STRING_EQUAL(value("settings.real"), "float 1.5");
	CU_ASSERT_STRING_EQUAL(value("settings.hex"), "string 0x10");
	CU_ASSERT_STRING_EQUAL(value("settings.text"), "string a b");
	CU_ASSERT_STRING_EQUAL(value("settings.version"), "string 1.2.3");
	CU_ASSERT_STRING_EQUAL(value("settings.user.alice"), "integer 1234");
	CU_ASSERT_STRING_EQUAL(value("settings.a.b.c"), "string deep");
	CU_ASSERT_STRING_EQUAL(value("settings.nothing"), "nil nil");
	/* the broker's own are none of the script's */
	CU_ASSERT_STRING_EQUAL(value("settings.on_error"), "nil nil");
	CU_ASSERT_STRING_EQUAL(value("settings.instructions"), "nil nil");
}

static void settings_are_listed(void)
{
	CU_ASSERT_STRING_EQUAL(with(some, "function f() local t = {} "
					  "for k, v in pairs(settings.user) do "
					  "t[#t + 1] = k .. '=' .. v end "
					  "table.sort(t) return table.concat(t, ' ') end"),
			       "alice=1234 bob=s3");
	CU_ASSERT_STRING_EQUAL(with(some, "function f() for k in pairs(settings) do "
					  "if k == 'require' then return 'shown' end end "
					  "return 'hidden' end"),
			       "hidden");
	CU_ASSERT_STRING_EQUAL(with(NULL, "function f() return next(settings) == nil end"), "true");
}

/* Names of users have dots: "alice" and "alice.smith" are two. */
static void settings_with_dots_are_one_table(void)
{
	static const char *const users[] = {"user.alice",    "01",  "user.alice.smith", "2.5",
					    "user.bob.b.ob", "3",   "users.eve",	"4",
					    "bad.alice",     "1",   "bad.bob",		"many",
					    "plain",	     "text", NULL};
	const char *list = "function f() local t = {} for k, v in pairs(settings.user) do "
			   "t[#t + 1] = k .. '=' .. v end table.sort(t) "
			   "return table.concat(t, ' ') .. ' ' .. "
			   "tostring(pcall(function() settings.user.x = 1 end)) end";
	char source[512];

	(void)snprintf(source, sizeof(source), "settings.require{ user = 'numbers' } %s", list);
	CU_ASSERT_STRING_EQUAL(with(users, source), "alice.smith=2.5 alice=1 bob.b.ob=3 false");
	(void)snprintf(source, sizeof(source), "settings.require{ user = 'strings' } %s", list);
	CU_ASSERT_STRING_EQUAL(with(users, source), "alice.smith=2.5 alice=01 bob.b.ob=3 false");
	CU_ASSERT_STRING_EQUAL(with(users, "settings.require{ bad = 'numbers?' }"),
			       "refused: case.lua:1: setting script.case.bad.bob: number expected");
	CU_ASSERT_STRING_EQUAL(with(users, "settings.require{ plain = 'numbers?' }"),
			       "refused: case.lua:1: setting script.case.plain: numbers expected");
}

/* Both orders; as a table only one of the two could be seen. */
static void settings_that_hide_others_are_refused(void)
{
	static const char *const down[] = {"a.b", "1", "a.b.c", "2", NULL};
	static const char *const up[] = {"a.b.c", "2", "a.b", "1", NULL};
	static const char *const *const both[] = {down, up};

	for (size_t i = 0; i < 2; i++) {
		CU_ASSERT_STRING_EQUAL(
			with(both[i], ""),
			"refused: setting 'a.b' has a value, and others stand below it");
		CU_ASSERT_STRING_EQUAL(
			with(both[i], "settings.require{ ['a.b'] = 'numbers' }"),
			i == 0 ? "refused: case.lua:1: setting script.case.a.b: numbers expected"
			       : "refused: setting 'a.b' has a value, and others stand below it");
		CU_ASSERT_STRING_EQUAL(with(both[i],
					    "settings.require{ a = 'numbers' } function f() return "
					    "settings.a.b + settings.a['b.c'] end"),
				       "3");
	}
}

static void settings_are_not_changed(void)
{
	CU_ASSERT_PTR_NOT_NULL(strstr(with(some, "function f() settings.n = 1 end"),
				      "settings are not to be changed"));
	CU_ASSERT_PTR_NOT_NULL(strstr(with(some, "function f() settings.user.eve = 1 end"),
				      "settings are not to be changed"));
	CU_ASSERT_STRING_EQUAL(with(some, "function f() local _, values = pairs(settings) "
					  "return tostring(values) end"),
			       "nil");
}

static void settings_are_required(void)
{
	static const char all[] =
		"settings.require{ n = 'integer', real = 'number', on = 'boolean', "
		"text = 'string', user = 'strings', ['a.b.c'] = 'string', "
		"nothing = 'integer?', a = 'table', neg = 'number', "
		"['x.y'] = 'string?' } "
		"function f() return math.type(settings.n) .. ' ' .. "
		"type(settings.user.alice) .. ' ' .. settings.user.alice end";

	CU_ASSERT_STRING_EQUAL(with(some, all), "integer string 1234");
	CU_ASSERT_STRING_EQUAL(with(some, "settings.require{ n = 'string' } "
					  "function f() return type(settings.n) end"),
			       "string");
	CU_ASSERT_STRING_EQUAL(
		with(some, "\nsettings.require{ x = 'integer' }"),
		"refused: case.lua:2: settings of script.case are missing: x (integer)");
	CU_ASSERT_STRING_EQUAL(with(some, "settings.require{ z = 'number', n = 'integer', "
					  "['a.z'] = 'string', y = 'strings?' }"),
			       "refused: case.lua:1: settings of script.case are missing: "
			       "a.z (string), z (number)");
	CU_ASSERT_STRING_EQUAL(with(some, "settings.require{ [''] = 'string' }"),
			       "refused: case.lua:1: settings.require{ NAME = \"TYPE\" } expected");
	CU_ASSERT_STRING_EQUAL(with(some, "settings.require{ text = 'integer' }"),
			       "refused: case.lua:1: setting script.case.text: integer expected");
	CU_ASSERT_STRING_EQUAL(with(some, "settings.require{ text = 'table?' }"),
			       "refused: case.lua:1: setting script.case.text: table expected");
	CU_ASSERT_STRING_EQUAL(with(some, "settings.require{ user = 'string' }"),
			       "refused: case.lua:1: setting script.case.user: string expected");
	CU_ASSERT_STRING_EQUAL(with(some, "settings.require{ real = 'integer' }"),
			       "refused: case.lua:1: setting script.case.real: integer expected");
	CU_ASSERT_STRING_EQUAL(with(some, "settings.require{ n = 'int' }"),
			       "refused: case.lua:1: settings.require: 'int' is no type");
}

static void contradictions_are_refused(void)
{
	static const char *const below[] = {"a", "1", "a.b", "2", NULL};
	static const char *const above[] = {"a.b", "2", "a", "1", NULL};
	static const char *const taken[] = {"require", "1", NULL};
	static const char *const taken_below[] = {"require.x", "1", NULL};

	CU_ASSERT_PTR_NOT_NULL(strstr(with(below, ""), "refused: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(with(above, ""), "refused: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(with(taken, ""), "cannot be called 'require'"));
	CU_ASSERT_PTR_NOT_NULL(strstr(with(taken_below, ""), "cannot be called 'require'"));
}

static void lines_are_logged(void)
{
	struct lua_case c;

	lua_case_open(&c,
		      "function f() log.info('a', 1, nil, true) end "
		      "function g() print('x\\ny\\0z') end "
		      "function h() log.error(setmetatable({}, {__tostring = function() "
		      "return 'shown' end})) end "
		      "function r() for i = 1, 300 do log.debug(i) end end ",
		      NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_TIMER, "f"), CALL_OK);
	CU_ASSERT_STRING_EQUAL(c.log, "a 1 nil true");
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_TIMER, "g"), CALL_OK);
	CU_ASSERT_STRING_EQUAL(c.log, "x y z");
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_TIMER, "h"), CALL_OK);
	CU_ASSERT_STRING_EQUAL(c.log, "shown");
	/* a line for each message would hold the loop up */
	c.log_lines = 0;
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_TIMER, "r"), CALL_OK);
	CU_ASSERT(c.log_lines >= 90 && c.log_lines <= 110);
	lua_case_close(&c);
}

static void script_tells_of_itself(void)
{
	CU_ASSERT_STRING_EQUAL(
		with(NULL, "function f() return script.name .. script.loop .. script.loops .. "
			   "#script.version end"),
		"case0116");
}

UNIT_MAIN("lua/basics", UNIT_TEST(settings_have_types), UNIT_TEST(settings_are_listed),
	  UNIT_TEST(settings_with_dots_are_one_table),
	  UNIT_TEST(settings_that_hide_others_are_refused),
	  UNIT_TEST(settings_are_not_changed), UNIT_TEST(settings_are_required),
	  UNIT_TEST(contradictions_are_refused), UNIT_TEST(lines_are_logged),
	  UNIT_TEST(script_tells_of_itself))
