/* SPDX-License-Identifier: MIT */

/*
 * The string library but for patterns: Lua's, charged by the length of what is looked at. What
 * would be larger than a string may be is refused before Lua begins to make it.
 */

#include "sandbox/lib.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "run/state.h"

static int string_whole(lua_State *L)
{
	lib_charge_bytes(L, lib_length(L, 1) * 4); /* byte by byte */
	return lib_original(L);
}

static int string_sub(lua_State *L)
{
	lib_charge_bytes(L, lib_length(L, 1) / 4); /* mostly, a small part of it is copied */
	return lib_original(L);
}

/* string.byte(s, i, j) returns a value for each byte; without j only one. */
static int string_byte(lua_State *L)
{
	call_charge(L, lua_isnoneornil(L, 3) ? 1 : 1 + lib_length(L, 1) / 4);
	return lib_original(L);
}

static int string_char(lua_State *L)
{
	lib_charge_numbers(L);
	return lib_original(L);
}

/* A text of `size` bytes, of which the first `done` are there, becomes their repetition. */
static void repeat(char *text, size_t done, size_t size)
{
	while (done < size) {
		size_t more = done < size - done ? done : size - done;

		memcpy(text + done, text, more);
		done += more;
	}
}

/* string.rep(s, n, separator) */
static int string_rep(lua_State *L)
{
	size_t limit = state_of(L)->heap.block;
	size_t length, between;
	const char *text = luaL_checklstring(L, 1, &length);
	lua_Integer times = luaL_checkinteger(L, 2);
	const char *separator = luaL_optlstring(L, 3, "", &between);
	luaL_Buffer buffer;
	size_t size;
	char *to;

	if (times <= 0 || length + between == 0) {
		(void)lua_pushliteral(L, "");
		return 1;
	}
	if (length + between > limit / (size_t)times)
		return luaL_error(L, "resulting string too large");
	size = (length + between) * (size_t)times - between;
	lib_charge_bytes(L, size);
	to = luaL_buffinitsize(L, &buffer, size + between);
	memcpy(to, text, length);
	memcpy(to + length, separator, between);
	repeat(to, length + between, size);
	luaL_pushresultsize(&buffer, size);
	return 1;
}

/* What writing a number takes, as if it were so many bytes that are looked at. */
#define INTEGER_BYTES (8 * BUDGET_BYTES)
#define REAL_BYTES    (50 * BUDGET_BYTES)

static size_t size_of_argument(lua_State *L, int index)
{
	if (lua_isinteger(L, index))
		return INTEGER_BYTES;
	return lua_type(L, index) == LUA_TNUMBER ? REAL_BYTES : lib_length(L, index) * 8;
}

/* string.format, pack: of each argument at most as much as it has. */
static int string_arguments(lua_State *L)
{
	size_t size = lib_length(L, 1) * 16;

	for (int i = lua_gettop(L); i > 1; i--)
		size += size_of_argument(L, i);
	call_charge(L, 8);
	lib_charge_bytes(L, size);
	return lib_original(L);
}

/* The text is not looked at, but for what the format says. */
static int string_formatted(lua_State *L)
{
	lib_charge_bytes(L, lib_length(L, 1) * 16);
	return lib_original(L);
}

/* `s:name()` looks into this table, too: the one that Lua has made as the metatable's __index. */
void lib_string_open(lua_State *L)
{
	static const struct lib_wrapped wrapped[] = {
		{"byte", string_byte},
		{"char", string_char},
		{"format", string_arguments},
		{"lower", string_whole},
		{"pack", string_arguments},
		{"packsize", string_formatted},
		{"reverse", string_whole},
		{"sub", string_sub},
		{"unpack", string_formatted},
		{"upper", string_whole},
		{NULL, NULL},
	};

	lua_newtable(L);
	lua_pushcfunction(L, luaopen_string);
	lua_call(L, 0, 1);
	lib_wrap(L, wrapped);
	(void)lua_getfield(L, -1, "len");
	lua_setfield(L, -3, "len");
	lua_pop(L, 1);
	lua_pushcfunction(L, string_rep);
	lua_setfield(L, -2, "rep");
	lib_pattern_add(L);

	(void)lua_pushliteral(L, "");
	(void)lua_getmetatable(L, -1);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	/* what setmetatable() refuses could be put into it otherwise: __call, __close */
	(void)lua_pushliteral(L, "string");
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
	lua_setglobal(L, LUA_STRLIBNAME);
}
