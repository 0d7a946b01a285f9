/* SPDX-License-Identifier: MIT */

/* Calls into a script: what they return, and that whatever a script does ends in one. */

#include "lua_case.h"
#include "unit.h"

#include <string.h>

static void returns(void)
{
	CU_ASSERT_STRING_EQUAL(lua_case_of("function f() return 1 + 1 end"), "2");
	CU_ASSERT_STRING_EQUAL(lua_case_of("function f() return ('x'):rep(3) end"), "xxx");
}

static void errors_name_line(void)
{
	CU_ASSERT_STRING_EQUAL(lua_case_of("\nfunction f() error('why') end"),
			       "failed: case.lua:2: why");
	CU_ASSERT_STRING_EQUAL(lua_case_of("\nfunction f() error('why', 0) end"),
			       "failed: case.lua:2: why");
	CU_ASSERT_STRING_EQUAL(lua_case_of("\nfunction f() error() end"),
			       "failed: case.lua:2: (error object is a nil value)");
	CU_ASSERT_STRING_EQUAL(lua_case_of("function f() local x = nil + 1 end"),
			       "failed: case.lua:1: attempt to perform arithmetic on a nil value");
	CU_ASSERT_STRING_EQUAL(lua_case_of("x = = 1"),
			       "refused: case.lua:1: unexpected symbol near '='");
}

static void endless_loop_ends(void)
{
	CU_ASSERT_STRING_EQUAL(lua_case_of("function f() while true do end end"),
			       "failed: case.lua:1: it ran for more than `instructions`");
	CU_ASSERT_STRING_EQUAL(lua_case_of("while true do end"),
			       "refused: case.lua:1: it ran for more than `instructions`");
}

UNIT_MAIN("lua_call", UNIT_TEST(returns), UNIT_TEST(errors_name_line), UNIT_TEST(endless_loop_ends))
