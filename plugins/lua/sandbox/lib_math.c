/* SPDX-License-Identifier: MIT */

/* The math library: Lua's. Those that take any number of arguments charge for them. */

#include "sandbox/lib.h"

#include <lualib.h>

static int math_many(lua_State *L)
{
	lib_charge_numbers(L);
	return lib_original(L);
}

void lib_math_open(lua_State *L)
{
	static const char *const names[] = {
		"abs",	"acos",	     "asin", "atan",   "ceil",	     "cos",	   "deg",
		"exp",	"floor",     "fmod", "huge",   "log",	     "maxinteger", "mininteger",
		"modf", "pi",	     "rad",  "random", "randomseed", "sin",	   "sqrt",
		"tan",	"tointeger", "type", "ult",    NULL,
	};
	static const struct lib_wrapped wrapped[] = {
		{"max", math_many},
		{"min", math_many},
		{NULL, NULL},
	};

	lib_copy(L, luaopen_math, names);
	lua_pushcfunction(L, luaopen_math);
	lua_call(L, 0, 1);
	lib_wrap(L, wrapped);
	lua_pop(L, 1);
	lua_setglobal(L, LUA_MATHLIBNAME);
}
