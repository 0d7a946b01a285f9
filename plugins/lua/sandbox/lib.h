/* SPDX-License-Identifier: MIT */
#ifndef LUA_LIB_H
#define LUA_LIB_H

/*
 * What scripts get of Lua's libraries: a function of Lua itself where it takes no longer than an
 * instruction or two, or calls Lua functions only; else one that charges for what it does, and
 * either calls Lua's, or does it itself.
 */

#include <lua.h>
#include <stddef.h>

/* They may raise; each makes its global. */
void lib_basic_open(lua_State *L);
void lib_coroutine_open(lua_State *L);
void lib_math_open(lua_State *L);
void lib_metatable_add(lua_State *L); /* setmetatable, getmetatable: to the table on top */
void lib_os_open(lua_State *L);
void lib_pattern_add(lua_State *L); /* find, match, gmatch, gsub: to the table on top */
void lib_string_open(lua_State *L);
void lib_table_open(lua_State *L);
void lib_utf8_open(lua_State *L);

/*
 * Pushes a table with those values of the library; functions charge for an instruction, so that
 * they raise at once when the call is over: thousands of them may be waiting to be called, as
 * __close.
 */
void lib_copy(lua_State *L, lua_CFunction open, const char *const *names);

/*
 * One that charges, and then is Lua's function of that name: within the charging one lib_original()
 * calls it, with the same arguments. The library, as Lua makes it, is on top, a table below it.
 */
struct lib_wrapped {
	const char *name;
	lua_CFunction function;
};

void lib_wrap(lua_State *L, const struct lib_wrapped *functions);
int lib_original(lua_State *L);

/* The length of an argument that may be a string (a number is as one), else 0. */
size_t lib_length(lua_State *L, int index);

/* Charges for arguments that are to be numbers: strings are read as such, however long they are. */
void lib_charge_numbers(lua_State *L);

/* Charges for looking at so many bytes. */
void lib_charge_bytes(lua_State *L, size_t bytes);

#endif
