/* SPDX-License-Identifier: MIT */

/* The basic functions: what of Lua's is allowed, and those that are ours. */

#include "sandbox/lib.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "run/state.h"

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
		"assert", "error",  "ipairs", "next",	  "pairs", "pcall",
		"rawget", "rawlen", "rawset",	    "type",   "tostring", NULL,
	};
	static const luaL_Reg functions[] = {
		{"collectgarbage", basic_collectgarbage},
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
	lib_metatable_add(L);
	(void)lua_pushliteral(L, LUA_VERSION);
	lua_setfield(L, -2, "_VERSION");
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, LUA_GNAME);
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}
