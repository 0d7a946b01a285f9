/* SPDX-License-Identifier: MIT */

/*
 * setmetatable() and getmetatable().
 *
 * A table does not get the metatable that the script has, but a copy of its metamethods, as they
 * are at that time. For the script could give its own one a field __mode later, and no function
 * would notice: of tables with weak keys a collection takes, in one piece in which no hook comes,
 * time by the square of their size. And __close is called many times after the end of a call, when
 * only functions of Lua's are stopped at once. There is one copy of a metatable, as long as a table
 * has it, and each setmetatable() brings it up to date.
 */

#include "sandbox/lib.h"

#include <lauxlib.h>
#include <string.h>

#include "run/call.h"

#define CHARGE 40

/* Of a copy: where it has the metatable that it is one of. */
static const char origin_key;

static const char *const copied[] = {
	"__index", "__newindex", "__call",  "__add",	   "__sub",	 "__mul",
	"__div",   "__mod",	 "__pow",   "__unm",	   "__idiv",	 "__band",
	"__bor",   "__bxor",	 "__shl",   "__shr",	   "__bnot",	 "__concat",
	"__len",   "__eq",	 "__lt",    "__le",	   "__tostring", "__name",
	"__pairs", "__mode",	 "__close", "__metatable", NULL,
};

/* The script's metatable is at 2. */
static void check_metatable(lua_State *L)
{
	(void)lua_pushliteral(L, "__gc"); /* would run in the midst of a collection */
	if (lua_rawget(L, 2) != LUA_TNIL)
		luaL_error(L, "__gc is not for scripts");
	(void)lua_pushliteral(L, "__mode");
	if (lua_rawget(L, 2) == LUA_TSTRING && strchr(lua_tostring(L, -1), 'k'))
		luaL_error(L, "weak keys are not for scripts");
	(void)lua_pushliteral(L, "__close");
	if (lua_rawget(L, 2) != LUA_TNIL && (!lua_isfunction(L, -1) || lua_iscfunction(L, -1)))
		luaL_error(L, "__close must be a function of the script");
	/* Of tables that call tables Lua puts all into the arguments, one after the other, in one
	 * instruction: time by the square of their number, and one that calls itself has no end. */
	(void)lua_pushliteral(L, "__call");
	if (lua_rawget(L, 2) != LUA_TNIL && !lua_isfunction(L, -1))
		luaL_error(L, "__call must be a function");
	lua_settop(L, 2);
}

/* Pushes the copy of the metatable at 2. Upvalue 2: by its address, the copy; weak. */
static void push_copy(lua_State *L)
{
	const void *address = lua_topointer(L, 2);

	if (lua_rawgetp(L, lua_upvalueindex(2), address) != LUA_TNIL)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_pushvalue(L, 2);
	lua_rawsetp(L, -2, &origin_key);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, lua_upvalueindex(2), address);
}

/* From the metatable at 2 to the copy on the top. Upvalue 1: the names. */
static void copy_metamethods(lua_State *L)
{
	int copy = lua_gettop(L);

	for (int i = 1; copied[i - 1]; i++) {
		(void)lua_rawgeti(L, lua_upvalueindex(1), i);
		lua_pushvalue(L, -1);
		(void)lua_rawget(L, 2);
		lua_rawset(L, copy);
	}
}

static int basic_setmetatable(lua_State *L)
{
	int type = lua_type(L, 2);

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	lua_settop(L, 2);
	if (type == LUA_TTABLE) {
		call_charge(L, CHARGE);
		check_metatable(L);
		push_copy(L);
		copy_metamethods(L);
	}
	(void)lua_setmetatable(L, 1);
	lua_settop(L, 1);
	return 1;
}

static int basic_getmetatable(lua_State *L)
{
	luaL_checkany(L, 1);
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return 1;
	if (!lua_getmetatable(L, 1))
		lua_pushnil(L);
	else
		(void)lua_rawgetp(L, -1, &origin_key);
	return 1;
}

static void push_names(lua_State *L)
{
	lua_newtable(L);
	for (int i = 1; copied[i - 1]; i++) {
		lua_pushstring(L, copied[i - 1]);
		lua_rawseti(L, -2, i);
	}
}

static void push_weak(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	(void)lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	(void)lua_setmetatable(L, -2);
}

void lib_metatable_add(lua_State *L)
{
	push_names(L);
	push_weak(L);
	lua_pushcclosure(L, basic_setmetatable, 2);
	lua_setfield(L, -2, "setmetatable");
	lua_pushcfunction(L, basic_getmetatable);
	lua_setfield(L, -2, "getmetatable");
}
