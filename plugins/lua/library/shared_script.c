/* SPDX-License-Identifier: MIT */

/* The global `shared`. */

#include <lauxlib.h>
#include <math.h>

#include "run/call.h"
#include "run/clock.h"
#include "module.h"
#include "script.h"
#include "library/shared.h"
#include "run/state.h"

/* What a look-up costs, in instructions of the Lua machine. */
#define LOOKUP_COST 20u
#define SECONDS_MAX 1e9

static struct shared_name check_name(lua_State *L)
{
	struct shared_name name;

	name.data = luaL_checklstring(L, 1, &name.size);
	luaL_argcheck(L, name.size <= SHARED_NAME_SIZE_MAX, 1, "longer than 255 bytes");
	call_charge(L, LOOKUP_COST + name.size / 8);
	return name;
}

static struct shared_number check_number(lua_State *L, int argument)
{
	struct shared_number number = {.is_float = false};

	luaL_checktype(L, argument, LUA_TNUMBER);
	if (lua_isinteger(L, argument)) {
		number.integer = lua_tointeger(L, argument);
	} else {
		number.is_float = true;
		number.real = lua_tonumber(L, argument);
	}
	return number;
}

static uint64_t check_ttl(lua_State *L, int argument)
{
	lua_Number seconds;

	if (lua_isnoneornil(L, argument))
		return 0;
	seconds = luaL_checknumber(L, argument);
	luaL_argcheck(L, seconds > 0 && seconds <= SECONDS_MAX, argument,
		      "seconds, more than 0, expected");
	return (uint64_t)ceil(seconds * 1e6);
}

static void push_number(lua_State *L, struct shared_number number)
{
	if (number.is_float)
		lua_pushnumber(L, number.real);
	else
		lua_pushinteger(L, number.integer);
}

static struct shared_table *table_of(lua_State *L)
{
	return state_of(L)->script->of_module[MODULE_SHARED];
}

static int add(lua_State *L)
{
	struct shared_name name = check_name(L);
	struct shared_number n = {.integer = 1}, sum;
	uint64_t ttl_us = check_ttl(L, 3);

	if (!lua_isnoneornil(L, 2))
		n = check_number(L, 2);
	if (shared_add(table_of(L), name, n, ttl_us, clock_steady_us(state_of(L)->script), &sum) <
	    0)
		return luaL_error(L, "not enough memory");
	push_number(L, sum);
	return 1;
}

static int set(lua_State *L)
{
	struct shared_name name = check_name(L);
	struct shared_number n = check_number(L, 2);
	uint64_t ttl_us = check_ttl(L, 3);

	if (shared_set(table_of(L), name, n, ttl_us, clock_steady_us(state_of(L)->script)) < 0)
		return luaL_error(L, "not enough memory");
	return 0;
}

static int get(lua_State *L)
{
	struct shared_name name = check_name(L);

	push_number(L, shared_get(table_of(L), name, clock_steady_us(state_of(L)->script)));
	return 1;
}

static int take(lua_State *L)
{
	struct shared_name name = check_name(L);
	lua_Number per_second = luaL_checknumber(L, 2), burst = luaL_optnumber(L, 3, per_second);
	bool taken;

	luaL_argcheck(L, per_second >= 0 && per_second <= SECONDS_MAX, 2, "0 or more expected");
	/* one that holds less than a token would never give one */
	if (lua_isnoneornil(L, 3) && burst < 1)
		burst = 1;
	luaL_argcheck(L, burst >= 1 && burst <= SECONDS_MAX, 3, "1 or more expected");
	if (shared_take(table_of(L), name, per_second, burst, clock_steady_us(state_of(L)->script),
			&taken) < 0)
		return luaL_error(L, "not enough memory");
	lua_pushboolean(L, taken);
	return 1;
}

/* ---- The module ---- */

static void open(lua_State *L, struct state *state)
{
	static const luaL_Reg functions[] = {
		{"add", add}, {"set", set}, {"get", get}, {"take", take}, {NULL, NULL}};
	struct script *script = state->script;
	struct shared_table **table = (struct shared_table **)&script->of_module[MODULE_SHARED];

	/* what a test counts is its own */
	if (!*table)
		*table = shared_table_acquire(script->is_test ? NULL : script->language->shared,
					      script->name);
	if (!*table)
		luaL_error(L, "not enough memory");
	luaL_newlib(L, functions);
	lua_setglobal(L, "shared");
}

static void close(struct script *script)
{
	shared_table_release(script->of_module[MODULE_SHARED]);
}

const struct module shared_module = {.open = open, .close = close};
