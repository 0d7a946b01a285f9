/* SPDX-License-Identifier: MIT */

#include "run/state.h"

#include <string.h>

#include "sandbox/sandbox.h"
#include "script.h"

/* What Lua keeps for each thread: the state, and beside it, as it is aligned, whether it is spoilt.
 */
#define SPOILT ((uintptr_t)1)

static uintptr_t extra_of(lua_State *L)
{
	return *(uintptr_t *)lua_getextraspace(L);
}

struct state *state_of(lua_State *L)
{
	return (struct state *)(extra_of(L) & ~SPOILT);
}

void state_spoil_thread(lua_State *L)
{
	*(uintptr_t *)lua_getextraspace(L) |= SPOILT;
}

bool state_is_thread_spoilt(lua_State *L)
{
	return (extra_of(L) & SPOILT) != 0;
}

static void open_all(lua_State *L, void *context)
{
	struct state *state = context;

	sandbox_open(L);
	for (unsigned i = 0; i < MODULE_COUNT; i++) {
		if (modules[i]->open)
			modules[i]->open(L, state);
	}
	lua_settop(L, 0);
	(void)lua_gc(L, LUA_GCCOLLECT);
}

struct state *state_create(struct script *script, unsigned loop, struct shunt_error *error)
{
	const struct shunt_host *host = script->host;
	struct state *state = host->allocate(host, sizeof(*state));

	*error = (struct shunt_error){SHUNT_RESOURCE_ERROR, "out of memory"};
	if (!state)
		return NULL;
	memset(state, 0, sizeof(*state));
	state->script = script;
	state->loop = loop;
	heap_init(&state->heap, host, &state->budget, script->limits.memory, script->limits.block);
	state->lua = lua_newstate(heap_allocate, &state->heap);
	if (!state->lua)
		goto fail;
	*(struct state **)lua_getextraspace(state->lua) = state;
	/* small steps, begun early: nobody waits long for one, and memory has a limit */
	(void)lua_gc(state->lua, LUA_GCINC, 150, 200, 10);
	if (call_run(state, CALL_LOAD, open_all, state, error) == CALL_OK)
		return state;
fail:
	state_destroy(state);
	return NULL;
}

void state_destroy(struct state *state)
{
	const struct shunt_host *host;

	if (!state)
		return;
	host = state->script->host;
	lines_flush(state);
	if (state->lua)
		lua_close(state->lua);
	for (unsigned i = 0; i < MODULE_COUNT; i++) {
		if (modules[i]->close_state)
			modules[i]->close_state(state);
	}
	host->free(host, state);
}
