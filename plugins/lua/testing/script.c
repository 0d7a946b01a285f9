/* SPDX-License-Identifier: MIT */

/* The global `test`: its functions that ask nothing of the script, and all of them together. */

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "run/call.h"
#include "script.h"
#include "run/state.h"
#include "testing/testing.h"
#include "testing/access.h"
#include "testing/check.h"
#include "testing/exchange.h"
#include "testing/hook.h"
#include "testing/message.h"

#define SECONDS_MAX  1e10
#define LEVELS_MAX   16
#define DATE_MAX     1000000
#define CLOCK_US_MAX UINT64_C(1000000000000000000)

/* ---- Settings ---- */

/* As luaL_tolstring(), of what a setting can be. */
static void push_text(lua_State *L, int index)
{
	int type = lua_type(L, index);

	if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
		luaL_error(L, "a setting cannot be a %s", lua_typename(L, type));
	(void)luaL_tolstring(L, index, NULL);
	if (strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
		luaL_error(L, "a setting has a zero byte");
}

static void add_settings(lua_State *L, int table, int prefix, int level);

/* To the pieces at 2; key and value are on top. */
static void add_setting(lua_State *L, int prefix, int level)
{
	int key = lua_gettop(L) - 1;
	const char *before = lua_tostring(L, prefix);

	if (lua_type(L, key) != LUA_TSTRING || strlen(lua_tostring(L, key)) != lua_rawlen(L, key))
		luaL_error(L, "a setting has no name");
	lua_pushfstring(L, "%s%s%s", before, before[0] ? "." : "", lua_tostring(L, key));
	if (lua_type(L, key + 1) == LUA_TTABLE) {
		add_settings(L, key + 1, key + 2, level + 1);
	} else {
		if (script_option_is_own(lua_tostring(L, -1)))
			luaL_error(L, "'%s' is no setting of the script's", lua_tostring(L, -1));
		lua_pushlstring(L, "", 1);
		push_text(L, key + 1);
		lua_pushlstring(L, "", 1);
		lua_concat(L, 4);
		lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
	}
	lua_settop(L, key + 1);
}

static void add_settings(lua_State *L, int table, int prefix, int level)
{
	if (level > LEVELS_MAX)
		luaL_error(L, "more than %d tables in each other", LEVELS_MAX);
	luaL_checkstack(L, 10, "test");
	lua_pushnil(L);
	while (lua_next(L, table)) {
		add_setting(L, prefix, level);
		lua_pop(L, 1);
	}
}

/* Pushes all pieces as one string. */
static void concatenate(lua_State *L, int pieces)
{
	luaL_Buffer buffer;
	lua_Integer count = (lua_Integer)lua_rawlen(L, pieces);

	luaL_buffinit(L, &buffer);
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, pieces, i);
		luaL_addvalue(&buffer);
	}
	luaL_pushresult(&buffer);
}

/* test.settings{...}: the test begins anew with these. */
static int settings(lua_State *L)
{
	struct testing *testing = testing_of(L);
	const char *bytes;

	luaL_checktype(L, 1, LUA_TTABLE);
	if (testing->settings_were_set)
		return luaL_error(L, "a test sets its settings once");
	testing->settings_were_set = true;
	if (testing->settings)
		return 0;
	lua_settop(L, 1);
	lua_newtable(L);
	lua_pushliteral(L, "");
	add_settings(L, 1, 3, 0);
	concatenate(L, 2);
	bytes = lua_tolstring(L, -1, &testing->wanted_size);
	testing->wanted = malloc(testing->wanted_size + 1);
	if (!testing->wanted)
		return luaL_error(L, "not enough memory");
	memcpy(testing->wanted, bytes, testing->wanted_size + 1);
	return luaL_error(L, "begins anew");
}

/* ---- Time ---- */

static lua_Number check_seconds(lua_State *L, int argument)
{
	lua_Number seconds = luaL_checknumber(L, argument);

	luaL_argcheck(L, seconds >= 0 && seconds <= SECONDS_MAX, argument, "seconds expected");
	return seconds;
}

static int field(lua_State *L, const char *name, int fallback)
{
	lua_Integer value = fallback;
	int isnum;

	if (lua_getfield(L, 1, name) != LUA_TNIL) {
		value = lua_tointegerx(L, -1, &isnum);
		if (!isnum || value < -DATE_MAX || value > DATE_MAX)
			luaL_error(L, "'%s' must be an integer, as in a date", name);
	}
	lua_pop(L, 1);
	return (int)value;
}

/* As os.time() does, in local time; what is missing is as it is now, but midnight. */
static lua_Number date(lua_State *L, const struct testing *testing)
{
	static const char *const fields[] = {"year", "month", "day", "hour", "min", "sec", NULL};
	time_t now = (time_t)(testing->wall_us / 1000000), then;
	struct tm tm;

	testing_check_fields(L, 1, fields);
	if (!localtime_r(&now, &tm))
		luaL_error(L, "no such time");
	tm.tm_year = field(L, "year", tm.tm_year + 1900) - 1900;
	tm.tm_mon = field(L, "month", tm.tm_mon + 1) - 1;
	tm.tm_mday = field(L, "day", tm.tm_mday);
	tm.tm_hour = field(L, "hour", 0);
	tm.tm_min = field(L, "min", 0);
	tm.tm_sec = field(L, "sec", 0);
	tm.tm_isdst = -1;
	then = mktime(&tm);
	if (then < 0)
		luaL_error(L, "no such time");
	return (lua_Number)then;
}

static int now(lua_State *L)
{
	struct testing *testing = testing_of(L);
	lua_Number seconds = lua_istable(L, 1) ? date(L, testing) : check_seconds(L, 1);

	testing->wall_us = (int64_t)(seconds * 1e6);
	return 0;
}

static int advance(lua_State *L)
{
	uint64_t failures = state_of(L)->failures;
	uint64_t us = (uint64_t)(check_seconds(L, 1) * 1e6);

	if (testing_of(L)->steady_us + us > CLOCK_US_MAX)
		return luaL_error(L, "too far in the future");
	if (testing_advance(testing_of(L), us) < 0)
		return luaL_error(L, "timers that fire too often");
	testing_check_failures(L, failures);
	return 0;
}

/* test.startup(): the script is put in force. */
static int startup(lua_State *L)
{
	struct testing *testing = testing_of(L);
	uint64_t failures = state_of(L)->failures;

	if (testing->in_force)
		return luaL_error(L, "the script is in force already");
	testing->in_force = true;
	for (unsigned i = 0; i < MODULE_COUNT; i++)
		if (modules[i]->activate)
			modules[i]->activate(testing->script);
	testing_check_failures(L, failures);
	testing_check_settled(L);
	return 0;
}

/* ---- What was published ---- */

static void push_published(lua_State *L)
{
	const struct testing *testing = testing_of(L);
	lua_Integer count = 0;

	lua_newtable(L);
	for (const struct testing_draft *draft = testing->published; draft; draft = draft->next) {
		testing_message_push(L, &draft->message);
		lua_rawseti(L, -2, ++count);
	}
}

static int outcome(lua_State *L)
{
	static const char *const names[] = {"routed", "unroutable", "refused", NULL};

	testing_of(L)->outcome = (enum shunt_outcome)luaL_checkoption(L, 1, NULL, names);
	return 0;
}

/* ---- The table ---- */

/* test.published is made when it is asked for. */
static int read_field(lua_State *L)
{
	if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "published") == 0)
		push_published(L);
	else
		return luaL_error(L, "there is no test.%s", luaL_tolstring(L, 2, NULL));
	return 1;
}

/* Before it is opened a script has registered nothing. */
static int guard(lua_State *L)
{
	if (call_kind_now(L) != CALL_TEST)
		return luaL_error(L, "test is for functions test_*");
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void testing_open(lua_State *L, struct state *state)
{
	static const luaL_Reg functions[] = {{"exchange", testing_exchange},
					     {"publish", testing_publish},
					     {"deliver", testing_deliver},
					     {"authenticate", testing_authenticate},
					     {"authorize", testing_authorize},
					     {"equal", testing_equal},
					     {"refused", testing_refused},
					     {"settings", settings},
					     {"now", now},
					     {"advance", advance},
					     {"startup", startup},
					     {"outcome", outcome},
					     {NULL, NULL}};

	(void)state;
	lua_newtable(L);
	for (const luaL_Reg *function = functions; function->name; function++) {
		lua_pushcfunction(L, function->func);
		lua_pushcclosure(L, guard, 1);
		lua_setfield(L, -2, function->name);
	}
	lua_newtable(L);
	lua_pushcfunction(L, read_field);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_setglobal(L, "test");
}
