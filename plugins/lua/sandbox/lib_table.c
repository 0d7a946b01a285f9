/* SPDX-License-Identifier: MIT */

/*
 * The table library, done anew: each loop charges for its steps, as what a metamethod says of a
 * length need not be true.
 */

#include "sandbox/lib.h"

#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>

#include "run/call.h"

/* A step of a loop: an element is read and written. */
#define STEP 2

/* An element is found at once, but through a chain of __index that may be long. */
static void step(lua_State *L, int index)
{
	if (!lua_getmetatable(L, index)) {
		call_charge(L, STEP);
		return;
	}
	lua_pop(L, 1);
	call_charge_slow(L, STEP);
}

/* What stands for a table must have the metamethods for what is done with it. */
static void check_has(lua_State *L, int index, const char *metamethod)
{
	if (luaL_getmetafield(L, index, metamethod) == LUA_TNIL)
		luaL_checktype(L, index, LUA_TTABLE);
	lua_pop(L, 1);
}

static void check_table(lua_State *L, int index, bool reads, bool writes, bool measures)
{
	if (lua_type(L, index) == LUA_TTABLE)
		return;
	if (reads)
		check_has(L, index, "__index");
	if (writes)
		check_has(L, index, "__newindex");
	if (measures)
		check_has(L, index, "__len");
}

static lua_Integer length_of(lua_State *L, int index, bool writes)
{
	check_table(L, index, true, writes, true);
	return luaL_len(L, index);
}

static int table_insert(lua_State *L)
{
	lua_Integer end = (lua_Integer)((lua_Unsigned)length_of(L, 1, true) + 1);
	lua_Integer at = end;

	if (lua_gettop(L) == 3) {
		at = luaL_checkinteger(L, 2);
		luaL_argcheck(L, (lua_Unsigned)at - 1u < (lua_Unsigned)end, 2,
			      "position out of bounds");
		for (lua_Integer i = end; i > at; i--) {
			step(L, 1);
			(void)lua_geti(L, 1, i - 1);
			lua_seti(L, 1, i);
		}
	} else if (lua_gettop(L) != 2) {
		return luaL_error(L, "wrong number of arguments to 'insert'");
	}
	lua_seti(L, 1, at);
	return 0;
}

static int table_remove(lua_State *L)
{
	lua_Integer size = length_of(L, 1, true);
	lua_Integer at = luaL_optinteger(L, 2, size);

	/* "#t + 1", too; and 0 or "#t" of an empty one */
	if (lua_gettop(L) > 1)
		luaL_argcheck(L,
			      (lua_Unsigned)at - 1u <= (lua_Unsigned)size || (size == 0 && at == 0),
			      2, "position out of bounds");
	(void)lua_geti(L, 1, at);
	for (; at < size; at++) {
		step(L, 1);
		(void)lua_geti(L, 1, at + 1);
		lua_seti(L, 1, at);
	}
	lua_pushnil(L);
	lua_seti(L, 1, at);
	return 1;
}

/* As the manual says: t[first..last] to target[to..]; from the end when they overlap. */
static int table_move(lua_State *L)
{
	lua_Integer first = luaL_checkinteger(L, 2);
	lua_Integer last = luaL_checkinteger(L, 3);
	lua_Integer to = luaL_checkinteger(L, 4);
	int target = lua_isnoneornil(L, 5) ? 1 : 5;
	lua_Integer count;
	bool upward;

	check_table(L, 1, true, false, false);
	check_table(L, target, false, true, false);
	if (last >= first) {
		luaL_argcheck(L, first > 0 || last < LUA_MAXINTEGER + first, 3,
			      "too many elements to move");
		count = last - first + 1;
		luaL_argcheck(L, to <= LUA_MAXINTEGER - count + 1, 4, "destination wrap around");
		upward = to > last || to <= first ||
			 (target != 1 && !lua_compare(L, 1, target, LUA_OPEQ));
		for (lua_Integer i = 0; i < count; i++) {
			lua_Integer offset = upward ? i : count - 1 - i;

			step(L, 1);
			(void)lua_geti(L, 1, first + offset);
			step(L, target);
			lua_seti(L, target, to + offset);
		}
	}
	lua_pushvalue(L, target);
	return 1;
}

static void add_field(lua_State *L, luaL_Buffer *buffer, lua_Integer i)
{
	step(L, 1);
	(void)lua_geti(L, 1, i);
	if (!lua_isstring(L, -1))
		luaL_error(L, "invalid value (%s) at index %I in table for 'concat'",
			   luaL_typename(L, -1), (LUAI_UACINT)i);
	lib_charge_bytes(L, lib_length(L, -1));
	luaL_addvalue(buffer);
}

static int table_concat(lua_State *L)
{
	lua_Integer size = length_of(L, 1, false);
	size_t length;
	const char *separator = luaL_optlstring(L, 2, "", &length);
	lua_Integer i = luaL_optinteger(L, 3, 1);
	luaL_Buffer buffer;

	size = luaL_optinteger(L, 4, size);
	luaL_buffinit(L, &buffer);
	for (; i < size; i++) {
		add_field(L, &buffer, i);
		lib_charge_bytes(L, length);
		luaL_addlstring(&buffer, separator, length);
	}
	if (i == size)
		add_field(L, &buffer, i);
	luaL_pushresult(&buffer);
	return 1;
}

static int table_pack(lua_State *L)
{
	int count = lua_gettop(L);

	call_charge(L, (uint64_t)count);
	lua_createtable(L, count, 1);
	lua_insert(L, 1);
	for (int i = count; i >= 1; i--)
		lua_seti(L, 1, i);
	lua_pushinteger(L, count);
	lua_setfield(L, 1, "n");
	return 1;
}

static int table_unpack(lua_State *L)
{
	lua_Integer first = luaL_optinteger(L, 2, 1);
	lua_Integer last = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
	lua_Unsigned count;
	bool is_plain; /* and stays so, as nothing of the script runs */

	if (first > last)
		return 0;
	count = (lua_Unsigned)last - (lua_Unsigned)first;
	if (count >= INT_MAX)
		return luaL_error(L, "too many results to unpack");
	count++;
	call_charge(L, count);
	if (!lua_checkstack(L, (int)count))
		return luaL_error(L, "too many results to unpack");
	is_plain = !lua_getmetatable(L, 1);
	if (!is_plain)
		lua_pop(L, 1);
	for (lua_Unsigned i = 0; i < count; i++) {
		if (!is_plain)
			step(L, 1);
		(void)lua_geti(L, 1, (lua_Integer)((lua_Unsigned)first + i));
	}
	return (int)count;
}

/* ---- Sorting: a heap, so that no order of the elements, nor a comparison that lies, makes it slow
 * ---- */

/* Whether the value at one index of the stack is less than another one. */
static bool is_less(lua_State *L, int a, int b)
{
	bool less;

	call_charge(L, 4 + (lib_length(L, a) + lib_length(L, b)) / 64);
	if (lua_isnil(L, 2))
		return lua_compare(L, a, b, LUA_OPLT);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, a - 1);
	lua_pushvalue(L, b - 2);
	lua_call(L, 2, 1);
	less = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return less;
}

/* The value on top sinks from the place, of which the first `count` are a heap; pops it. */
static void sift(lua_State *L, lua_Integer place, lua_Integer count)
{
	while (place * 2 <= count) {
		lua_Integer child = place * 2;

		step(L, 1);
		(void)lua_geti(L, 1, child);
		if (child < count) {
			(void)lua_geti(L, 1, child + 1);
			if (is_less(L, -2, -1)) {
				lua_remove(L, -2);
				child++;
			} else {
				lua_pop(L, 1);
			}
		}
		if (!is_less(L, -2, -1)) {
			lua_pop(L, 1);
			break;
		}
		lua_seti(L, 1, place);
		place = child;
	}
	lua_seti(L, 1, place);
}

static int table_sort(lua_State *L)
{
	lua_Integer count = length_of(L, 1, true);

	luaL_argcheck(L, count < INT_MAX, 1, "array too big");
	if (!lua_isnoneornil(L, 2))
		luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	for (lua_Integer i = count / 2; i >= 1; i--) {
		step(L, 1);
		(void)lua_geti(L, 1, i);
		sift(L, i, count);
	}
	for (lua_Integer i = count; i > 1; i--) {
		step(L, 1);
		(void)lua_geti(L, 1, i);
		(void)lua_geti(L, 1, 1);
		lua_seti(L, 1, i);
		sift(L, 1, i - 1);
	}
	return 0;
}

void lib_table_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"concat", table_concat}, {"insert", table_insert},
		{"move", table_move},	  {"pack", table_pack},
		{"remove", table_remove}, {"sort", table_sort},
		{"unpack", table_unpack}, {NULL, NULL},
	};

	luaL_newlib(L, functions);
	lua_setglobal(L, LUA_TABLIBNAME);
}
