/* SPDX-License-Identifier: MIT */

/* Time and date: from the clock of the script, which a test may set. */

#include "sandbox/lib.h"

#include <lauxlib.h>
#include <lualib.h>

#include "run/clock.h"
#include "run/state.h"

/* They may ask the system for the time zone. */
#define TIME_CHARGE 100

/* Of a format of os.date: two of them may stand for a whole date. */
#define PER_CHARACTER 20

static lua_Integer now_seconds(lua_State *L)
{
	int64_t us = clock_wall_us(state_of(L)->script);

	return us >= 0 ? us / 1000000 : (us - 999999) / 1000000;
}

static int os_time(lua_State *L)
{
	call_charge(L, TIME_CHARGE);
	if (!lua_isnoneornil(L, 1))
		return lib_original(L);
	lua_pushinteger(L, now_seconds(L));
	return 1;
}

static int os_date(lua_State *L)
{
	call_charge(L, TIME_CHARGE + lib_length(L, 1) * PER_CHARACTER);
	if (lua_isnoneornil(L, 2)) {
		lua_settop(L, 1);
		lua_pushinteger(L, now_seconds(L));
	}
	return lib_original(L);
}

static int os_clock(lua_State *L)
{
	call_charge(L, TIME_CHARGE);
	return lib_original(L);
}

void lib_os_open(lua_State *L)
{
	static const struct lib_wrapped wrapped[] = {
		{"clock", os_clock},
		{"date", os_date},
		{"time", os_time},
		{NULL, NULL},
	};

	lua_newtable(L);
	lua_pushcfunction(L, luaopen_os);
	lua_call(L, 0, 1);
	lib_wrap(L, wrapped);
	lua_pop(L, 1);
	lua_setglobal(L, LUA_OSLIBNAME);
}
