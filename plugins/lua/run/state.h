/* SPDX-License-Identifier: MIT */
#ifndef LUA_STATE_H
#define LUA_STATE_H

/* A Lua state of a script: of one loop, which alone uses it once the script is in force. */

#include <lauxlib.h>
#include <lua.h>

#include "run/budget.h"
#include "run/heap.h"
#include "run/lines.h"
#include "module.h"
#include "run/stats.h"

struct script;

struct state {
	struct script *script;
	lua_State *lua;
	unsigned loop;
	_Atomic uintptr_t entered; /* by which thread; 0: nobody is in it (call_run()) */
	struct call *call;	   /* that which runs now; NULL: none */
	struct heap heap;
	struct budget budget;
	struct stats stats;
	struct lines lines;	       /* to be logged, from calls that must not do so themselves */
	uint64_t failures;	       /* of calls of all kinds */
	char last_error[254];	       /* of the last one: "FILE:LINE: text" */
	void *of_module[MODULE_COUNT]; /* what each module keeps for the state */
};

/*
 * A thread whose last error was that a call is over: Lua runs no hooks in it any more (lua_resume()
 * does not turn them on again), so nothing may run in it: not even what is to be closed.
 */
void state_spoil_thread(lua_State *L);
bool state_is_thread_spoilt(lua_State *L);

/* With the allow-listed libraries and the modules opened; nothing has run. NULL: *error. */
struct state *state_create(struct script *script, unsigned loop, struct shunt_error *error);
void state_destroy(struct state *state);

#endif
