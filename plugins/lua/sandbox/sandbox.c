/* SPDX-License-Identifier: MIT */

#include "sandbox/sandbox.h"

#include <lauxlib.h>
#include <lualib.h>

#include "sandbox/lib.h"
#include "run/state.h"

static int run_original(lua_State *L)
{
	call_charge(L, 1);
	return lib_original(L);
}

/* The value on top, if it is a function; those with upvalues would not find them (math.random). */
static void wrap_plain(lua_State *L)
{
	if (!lua_iscfunction(L, -1))
		return;
	if (lua_getupvalue(L, -1, 1))
		lua_pop(L, 1);
	else
		lua_pushcclosure(L, run_original, 1);
}

/* Bytes of a string that are read as a number in the time of an instruction. */
#define BYTES_READ 2u

void lib_copy(lua_State *L, lua_CFunction open, const char *const *names)
{
	lua_newtable(L);
	lua_pushcfunction(L, open);
	lua_call(L, 0, 1);
	for (; *names; names++) {
		(void)lua_getfield(L, -1, *names);
		wrap_plain(L);
		lua_setfield(L, -3, *names);
	}
	lua_pop(L, 1);
}

void lib_wrap(lua_State *L, const struct lib_wrapped *functions)
{
	for (; functions->name; functions++) {
		(void)lua_getfield(L, -1, functions->name);
		lua_pushcclosure(L, functions->function, 1);
		lua_setfield(L, -3, functions->name);
	}
}

/* Lua's functions of libraries that are wrapped have no upvalues of their own. */
int lib_original(lua_State *L)
{
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

size_t lib_length(lua_State *L, int index)
{
	return lua_type(L, index) == LUA_TSTRING ? (size_t)lua_rawlen(L, index) : 0;
}

void lib_charge_bytes(lua_State *L, size_t bytes)
{
	call_charge(L, 1 + bytes / BUDGET_BYTES);
}

void lib_charge_numbers(lua_State *L)
{
	uint64_t instructions = 1;

	for (int i = lua_gettop(L); i > 0; i--)
		instructions += 1 + lib_length(L, i) / BYTES_READ;
	call_charge(L, instructions);
}

/*
 * What Lua keeps for its buffers is made with the first large one. Should memory be out in the
 * midst of that, then no large buffer could ever be made in the state: so it is made at once.
 */
static void prepare_buffers(lua_State *L)
{
	luaL_Buffer buffer;

	(void)luaL_buffinitsize(L, &buffer, LUAL_BUFFERSIZE + 1);
	luaL_pushresultsize(&buffer, 0);
	lua_pop(L, 1);
}

void sandbox_open(lua_State *L)
{
	prepare_buffers(L);
	lib_basic_open(L);
	lib_coroutine_open(L);
	lib_math_open(L);
	lib_os_open(L);
	lib_string_open(L);
	lib_table_open(L);
	lib_utf8_open(L);
}
