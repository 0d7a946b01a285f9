/* SPDX-License-Identifier: MIT */
#ifndef LUA_STATE_H
#define LUA_STATE_H

/* A Lua state of a script: of one loop, which alone uses it once the script is in force. */

#include <lauxlib.h>
#include <lua.h>

#include "budget.h"
#include "heap.h"
#include "module.h"
#include "stats.h"

struct script;

struct state {
	struct script *script;
	lua_State *lua;
	unsigned loop;
	struct heap heap;
	struct budget budget;
	struct stats stats;
	void *of_module[MODULE_COUNT]; /* what each module keeps for the state */
};

/* With the allow-listed libraries and the modules opened; nothing has run. NULL: memory is out. */
struct state *state_create(struct script *script, unsigned loop);
void state_destroy(struct state *state);

#endif
