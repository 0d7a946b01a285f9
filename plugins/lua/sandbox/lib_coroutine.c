/* SPDX-License-Identifier: MIT */

/*
 * Coroutines, as the manual says, but for what a call that is over must not get away with: resume,
 * wrap and close do not return then, and a coroutine that ended by it is never run again, not even
 * what it has to close, as Lua runs no hooks in it any more.
 */

#include "sandbox/lib.h"

#include <lauxlib.h>
#include <lualib.h>

#include "run/state.h"

#define CREATE_CHARGE 100 /* a new one may run almost so many without a hook */
#define RESUME_CHARGE 10

/* Each level of lua_resetthread() begins to count C calls anew, so their stack is bounded here. */
#define CLOSING_MAX 5u

static lua_State *check_coroutine(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);

	luaL_argexpected(L, co, 1, "coroutine");
	return co;
}

/* Back in L after co has run. */
static void leave(lua_State *L, lua_State *co, bool failed)
{
	struct budget *budget = &state_of(L)->budget;

	budget->running = L;
	budget_arm(budget, L);
	if (budget->over == BUDGET_IS_LEFT)
		return;
	if (failed)
		state_spoil_thread(co);
	budget_raise(L, budget);
}

static void enter(lua_State *co)
{
	struct budget *budget = &state_of(co)->budget;

	budget->running = co;
	budget_arm(budget, co);
}

static bool is_dead(lua_State *L, lua_State *co)
{
	lua_Debug frame;

	if (L == co || lua_status(co) == LUA_YIELD)
		return false;
	return lua_status(co) != LUA_OK ||
	       (lua_getstack(co, 0, &frame) == 0 && lua_gettop(co) == 0);
}

/* Returns how many values are on top of L, or -1: an error value is. */
static int resume(lua_State *L, lua_State *co, int arguments)
{
	int results;
	int status;

	call_charge(L, RESUME_CHARGE);
	if (is_dead(L, co) || state_is_thread_spoilt(co)) {
		(void)lua_pushliteral(L, "cannot resume dead coroutine");
		return -1;
	}
	if (!lua_checkstack(co, arguments)) {
		(void)lua_pushliteral(L, "too many arguments to resume");
		return -1;
	}
	lua_xmove(L, co, arguments);
	enter(co);
	status = lua_resume(co, L, arguments, &results);
	leave(L, co, status != LUA_OK && status != LUA_YIELD);
	if (status != LUA_OK && status != LUA_YIELD) {
		lua_xmove(co, L, 1);
		return -1;
	}
	if (!lua_checkstack(L, results + 1)) {
		lua_pop(co, results);
		(void)lua_pushliteral(L, "too many results to resume");
		return -1;
	}
	lua_xmove(co, L, results);
	return results;
}

static int coroutine_resume(lua_State *L)
{
	int results = resume(L, check_coroutine(L), lua_gettop(L) - 1);

	lua_pushboolean(L, results >= 0);
	if (results < 0)
		results = 1;
	lua_insert(L, -(results + 1));
	return results + 1;
}

/* Runs what is to be closed; what that raises, or what has ended it, is on top of co. */
static int reset(lua_State *L, lua_State *co)
{
	struct budget *budget = &state_of(L)->budget;
	int status;

	if (budget->closing >= CLOSING_MAX)
		return luaL_error(L, "coroutines are closed within each other too deep");
	budget->closing++;
	enter(co);
	status = lua_resetthread(co);
	budget->closing--;
	leave(L, co, status != LUA_OK);
	return status;
}

static bool is_status(lua_State *L, lua_State *co, int status)
{
	lua_Debug frame;

	return L != co && lua_status(co) == status &&
	       (status == LUA_YIELD || lua_getstack(co, 0, &frame) == 0);
}

static int coroutine_close(lua_State *L)
{
	lua_State *co = check_coroutine(L);

	call_charge(L, RESUME_CHARGE);
	if (!is_status(L, co, LUA_YIELD) && !is_status(L, co, LUA_OK) && !is_dead(L, co))
		return luaL_error(L, "cannot close a running coroutine");
	if (state_is_thread_spoilt(co)) {
		lua_pushboolean(L, 0);
		(void)lua_pushliteral(L, "its call was over");
		return 2;
	}
	if (reset(L, co) == LUA_OK) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushboolean(L, 0);
	lua_xmove(co, L, 1);
	return 2;
}

static int run_wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));
	int results = resume(L, co, lua_gettop(L));
	int status = lua_status(co);

	if (results >= 0)
		return results;
	if (status != LUA_OK && status != LUA_YIELD && !state_is_thread_spoilt(co)) {
		(void)reset(L, co);
		lua_xmove(co, L, 1);
	}
	if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

static int coroutine_create(lua_State *L)
{
	lua_State *co;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	call_charge_slow(L, CREATE_CHARGE);
	co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	return 1;
}

static int coroutine_wrap(lua_State *L)
{
	(void)coroutine_create(L);
	lua_pushcclosure(L, run_wrapped, 1);
	return 1;
}

void lib_coroutine_open(lua_State *L)
{
	static const char *const names[] = {"isyieldable", "running", "status", "yield", NULL};
	static const luaL_Reg functions[] = {
		{"close", coroutine_close},
		{"create", coroutine_create},
		{"resume", coroutine_resume},
		{"wrap", coroutine_wrap},
		{NULL, NULL},
	};

	lib_copy(L, luaopen_coroutine, names);
	luaL_setfuncs(L, functions, 0);
	lua_setglobal(L, LUA_COLIBNAME);
}
