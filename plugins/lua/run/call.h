/* SPDX-License-Identifier: MIT */
#ifndef LUA_CALL_H
#define LUA_CALL_H

/*
 * How C calls into a script: always through call_run(), which is the only place where Lua runs, so
 * that errors, budgets, quarantine and figures are in one place.
 */

#include <lua.h>
#include <stdbool.h>

#include <shunt/plugin.h>

struct script;
struct state;

enum call_kind {
	CALL_LOAD,    /* the source itself; not counted among failures */
	CALL_STARTUP, /* startup() */
	CALL_TIMER,
	CALL_VALIDATE, /* validate, validate_binding */
	CALL_BIND,     /* bind, unbind: replayed */
	CALL_ROUTE,
	CALL_AUTHENTICATE,
	CALL_AUTHORIZE,
	CALL_PUBLISH,
	CALL_DELIVER,
	CALL_DONE, /* what broker.publish() is told */
	CALL_TEST, /* a test_* function; has a budget of its own */
	CALL_KINDS,
};

const char *call_kind_name(enum call_kind kind);

enum call_result {
	CALL_OK,
	CALL_FAILED, /* error, budget, memory: counted and logged (at a limited rate) by call_run()
		      */
	CALL_QUARANTINED, /* not called at all */
	CALL_BUSY,	  /* of call_try_run() */
};

/*
 * Runs body(L, context) protected, with a fresh budget, in the state, whose loop calls this (or: of
 * one that is not in force yet, by whoever has it alone). The body pushes functions and arguments,
 * calls them with lua_call(), and reads results into the context; any Lua API may be used in it, as
 * whatever raises ends up here. The stack is as before afterwards. A body holds nothing that an
 * error would leak.
 * error: NULL, or where what went wrong is put besides: "FILE:LINE: text", or that it was not
 * called, code 0.
 */
enum call_result call_run(struct state *state, enum call_kind kind,
			  void (*body)(lua_State *L, void *context), void *context,
			  struct shunt_error *error);

/*
 * A state is entered by one thread at a time: call_run() waits until another one has left, which is
 * rare and short (bindings are replayed by home). The thread that is in may enter again: a test
 * asks its own script. call_try_run() does nothing, and says CALL_BUSY, if anybody is in.
 */
enum call_result call_try_run(struct state *state, enum call_kind kind,
			      void (*body)(lua_State *L, void *context), void *context,
			      struct shunt_error *error);

/*
 * Charges the present call for work of a C function (1: a Lua instruction, some 5 ns; 64 bytes that
 * are looked at once). Raises when the budget is spent. To be called before the work, by every
 * function whose work grows with an argument.
 */
void call_charge(lua_State *L, uint64_t instructions);

/* For what may take much longer than it charges (1 at least): the clock is looked at, too. */
void call_charge_slow(lua_State *L, uint64_t instructions);

/* The budget of the present call is spent: whatever catches errors must not go on. */
bool call_is_over(lua_State *L);

/* The kind of the present call. */
enum call_kind call_kind_now(lua_State *L);

/* The present call is a route(), in which not everything of the host may be called. */
bool call_is_in_route(const struct state *state);

/* Of any thread (coroutine) of a state. */
struct state *state_of(lua_State *L);

#endif
