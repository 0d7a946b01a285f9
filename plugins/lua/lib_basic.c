/* SPDX-License-Identifier: MIT */

/* The basic functions: what of Lua's is allowed, and those that are ours. */

#include "lib.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "state.h"

/*
 * What a metatable says of __gc runs in the midst of a collection, where no hook is called. Lua
 * looks for it at setmetatable() only, so a field that comes later is none. Of tables with weak
 * keys a collection takes, in one piece, time by the square of their size.
 */
static void check_metatable(lua_State *L, int index)
{
	(void)lua_pushliteral(L, "__gc");
	if (lua_rawget(L, index) != LUA_TNIL)
		luaL_error(L, "__gc is not for scripts");
	(void)lua_pushliteral(L, "__mode");
	if (lua_rawget(L, index) == LUA_TSTRING && strchr(lua_tostring(L, -1), 'k'))
		luaL_error(L, "weak keys are not for scripts");
}

static int basic_setmetatable(lua_State *L)
{
	int type = lua_type(L, 2);

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	if (type == LUA_TTABLE)
		check_metatable(L, 2);
	lua_settop(L, 2);
	(void)lua_setmetatable(L, 1);
	return 1;
}

static int basic_collectgarbage(lua_State *L)
{
	const char *what = luaL_optstring(L, 1, "collect");
	const struct heap *heap = &state_of(L)->heap;

	if (strcmp(what, "count") != 0)
		return luaL_error(L, "collectgarbage: only \"count\" is for scripts");
	lua_pushnumber(L,
		       (lua_Number)atomic_load_explicit(&heap->used, memory_order_relaxed) / 1024);
	return 1;
}

/* A string is read as a number, which may have as many digits. */
static int basic_tonumber(lua_State *L)
{
	lib_charge_bytes(L, lib_length(L, 1) * 16);
	return lib_original(L);
}

/* select(n, ...) returns almost all that it is passed. */
static int basic_select(lua_State *L)
{
	call_charge(L, (uint64_t)lua_gettop(L) / 8);
	return lib_original(L);
}

static int basic_rawequal(lua_State *L)
{
	lib_charge_bytes(L, lib_length(L, 1));
	return lib_original(L);
}

void lib_basic_open(lua_State *L)
{
	static const char *const names[] = {
		"assert", "error",  "getmetatable", "ipairs", "next",	  "pairs", "pcall",
		"rawget", "rawlen", "rawset",	    "type",   "tostring", NULL,
	};
	static const luaL_Reg functions[] = {
		{"collectgarbage", basic_collectgarbage},
		{"setmetatable", basic_setmetatable},
		{NULL, NULL},
	};
	static const struct lib_wrapped wrapped[] = {
		{"rawequal", basic_rawequal},
		{"select", basic_select},
		{"tonumber", basic_tonumber},
		{NULL, NULL},
	};

	/* luaopen_base() fills the table of globals: this one is thrown away, but for what is named
	 */
	lib_copy(L, luaopen_base, names);
	lua_pushglobaltable(L);
	lib_wrap(L, wrapped);
	lua_pop(L, 1);
	luaL_setfuncs(L, functions, 0);
	(void)lua_pushliteral(L, LUA_VERSION);
	lua_setfield(L, -2, "_VERSION");
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, LUA_GNAME);
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}
