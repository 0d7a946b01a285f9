/* SPDX-License-Identifier: MIT */

#include "sandbox.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stddef.h>
#include <string.h>

/* Of Lua's basic functions. */
static const char *const basic_names[] = {
	"assert", "error",  "getmetatable", "ipairs",	"next",	    "pairs",	"pcall",
	"rawequal", "rawget", "rawlen",	    "rawset",	"select",   "setmetatable", "tonumber",
	"tostring", "type",   "_VERSION",   NULL,
};

static const luaL_Reg libraries[] = {
	{LUA_MATHLIBNAME, luaopen_math},    {LUA_UTF8LIBNAME, luaopen_utf8},
	{LUA_TABLIBNAME, luaopen_table},    {LUA_COLIBNAME, luaopen_coroutine},
	{LUA_STRLIBNAME, luaopen_string},   {NULL, NULL},
};

/* From the table on top to the one below it, which are left there. */
static void copy_names(lua_State *L, const char *const *names)
{
	for (; *names; names++) {
		(void)lua_getfield(L, -1, *names);
		lua_setfield(L, -3, *names);
	}
}

/* Lua's functions add themselves to the globals; only those named stay. */
static void open_basics(lua_State *L)
{
	lua_newtable(L);
	luaL_requiref(L, LUA_GNAME, luaopen_base, 0);
	copy_names(L, basic_names);
	lua_pop(L, 1);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, LUA_GNAME);
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

void sandbox_open(lua_State *L)
{
	open_basics(L);
	for (const luaL_Reg *library = libraries; library->name; library++) {
		lua_pushcfunction(L, library->func);
		lua_pushstring(L, library->name);
		lua_call(L, 1, 1);
		lua_setglobal(L, library->name);
	}
}
