/* SPDX-License-Identifier: MIT */

/* The utf8 library: Lua's, charged by how much of a text is looked at. */

#include "sandbox/lib.h"

#include <lauxlib.h>
#include <lualib.h>

#include "run/call.h"

/* Characters that are decoded in the time of an instruction, about. */
#define PER_INSTRUCTION 2u

static void charge_characters(lua_State *L, lua_Unsigned characters)
{
	size_t length = lib_length(L, 1);

	if (characters > length)
		characters = length;
	call_charge(L, 1 + characters / PER_INSTRUCTION);
}

/* utf8.len(text, i, j): i and j as string.sub() counts. */
static int utf8_len(lua_State *L)
{
	charge_characters(L, lib_length(L, 1));
	return lib_original(L);
}

/* utf8.codepoint(text, i, j): j is i, if it is not said. */
static int utf8_codepoint(lua_State *L)
{
	charge_characters(L, lua_isnoneornil(L, 3) ? 1 : lib_length(L, 1));
	return lib_original(L);
}

static int utf8_char(lua_State *L)
{
	lib_charge_numbers(L);
	return lib_original(L);
}

/* utf8.offset(text, n, i): n characters on, each of up to six bytes; and back to where one begins.
 */
static int utf8_offset(lua_State *L)
{
	lua_Integer n = luaL_checkinteger(L, 2);
	lua_Unsigned steps = n < 0 ? 0u - (lua_Unsigned)n : (lua_Unsigned)n;
	size_t length = lib_length(L, 1);

	/* with 0 it goes over bytes that do not begin a character, however many there are */
	charge_characters(L, n == 0 || steps > length ? length : steps * 6);
	return lib_original(L);
}

void lib_utf8_open(lua_State *L)
{
	static const struct lib_wrapped wrapped[] = {
		{"char", utf8_char}, {"codepoint", utf8_codepoint},
		{"len", utf8_len},   {"offset", utf8_offset},
		{NULL, NULL},
	};

	lua_newtable(L);
	lua_pushcfunction(L, luaopen_utf8);
	lua_call(L, 0, 1);
	lib_wrap(L, wrapped);
	(void)lua_getfield(L, -1, "codes");
	lua_setfield(L, -3, "codes");
	(void)lua_getfield(L, -1, "charpattern");
	lua_setfield(L, -3, "charpattern");
	lua_pop(L, 1);
	lua_setglobal(L, LUA_UTF8LIBNAME);
}
