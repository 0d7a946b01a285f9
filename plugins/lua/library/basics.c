/* SPDX-License-Identifier: MIT */
#include "library/basics.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "run/call.h"
#include "run/clock.h"
#include "module.h"
#include "script.h"
#include "library/settings.h"
#include "run/state.h"
#include "testing/testing.h"

/* What a state may log at once, and a second: a line for each message would hold the loop up. */
#define LINES_AT_ONCE  100
#define LINES_A_SECOND 20
#define TEXT_SIZE_MAX  LINE_SIZE

/* Of a state: how much it has logged. */
struct logging {
	uint64_t filled_us;
	uint64_t microlines; /* millionths of a line that may be written */
	uint64_t left_out;
};

/* ---- log ---- */

static void tell_left_out(struct state *state, struct logging *logging)
{
	char text[64];

	if (logging->left_out == 0)
		return;
	(void)snprintf(text, sizeof(text), "%llu lines were left out",
		       (unsigned long long)logging->left_out);
	lines_log(state, SHUNT_LOG_WARNING, text);
	logging->left_out = 0;
}

static bool may_log(struct state *state)
{
	struct logging *logging = state->of_module[MODULE_BASICS];
	const uint64_t line = 1000000, most = LINES_AT_ONCE * line;
	uint64_t now_us = clock_steady_us(state->script), room = most - logging->microlines;

	if (state->script->is_test)
		return true;
	if (now_us - logging->filled_us >= room / LINES_A_SECOND)
		logging->microlines = most;
	else
		logging->microlines += (now_us - logging->filled_us) * LINES_A_SECOND;
	logging->filled_us = now_us;
	if (logging->microlines < line) {
		logging->left_out++;
		return false;
	}
	logging->microlines -= line;
	tell_left_out(state, logging);
	return true;
}

/* One line: what would end it, or is no text, becomes a blank. */
static void add_text(luaL_Buffer *buffer, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		luaL_addchar(buffer, (char)(c < ' ' || c == 0x7f ? ' ' : c));
	}
}

/* The level is the upvalue. */
static int log_line(lua_State *L)
{
	struct state *state = state_of(L);
	int count = lua_gettop(L);
	size_t left = TEXT_SIZE_MAX;
	luaL_Buffer buffer;

	for (int i = 1; i <= count; i++) {
		(void)luaL_tolstring(L, i, NULL);
		lua_replace(L, i);
	}
	luaL_buffinit(L, &buffer);
	for (int i = 1; i <= count; i++) {
		size_t size;
		const char *text = lua_tolstring(L, i, &size);

		size = size < left ? size : left;
		left -= size;
		call_charge(L, 10 + size / 4);
		if (i > 1)
			luaL_addchar(&buffer, ' ');
		add_text(&buffer, text, size);
	}
	luaL_pushresult(&buffer);
	call_charge(L, 200);
	if (may_log(state))
		lines_log(state, (enum shunt_log_level)lua_tointeger(L, lua_upvalueindex(1)),
			  lua_tostring(L, -1));
	return 0;
}

static void open_log(lua_State *L)
{
	static const char *const names[] = {[SHUNT_LOG_ERROR] = "error",
					    [SHUNT_LOG_WARNING] = "warning",
					    [SHUNT_LOG_INFO] = "info",
					    [SHUNT_LOG_DEBUG] = "debug"};

	lua_newtable(L);
	for (int level = SHUNT_LOG_ERROR; level <= SHUNT_LOG_DEBUG; level++) {
		lua_pushinteger(L, level);
		lua_pushcclosure(L, log_line, 1);
		lua_setfield(L, -2, names[level]);
	}
	lua_getfield(L, -1, "info");
	lua_setglobal(L, "print");
	lua_setglobal(L, "log");
}

/* ---- script ---- */

static void open_script(lua_State *L, const struct state *state)
{
	const struct script *script = state->script;

	lua_createtable(L, 0, 4);
	lua_pushstring(L, script->name);
	lua_setfield(L, -2, "name");
	lua_pushstring(L, script->version);
	lua_setfield(L, -2, "version");
	lua_pushinteger(L, state->loop);
	lua_setfield(L, -2, "loop");
	lua_pushinteger(L, script->n_states);
	lua_setfield(L, -2, "loops");
	lua_setglobal(L, "script");
}

/* ---- The module ---- */

static void open(lua_State *L, struct state *state)
{
	struct logging *logging = calloc(1, sizeof(*logging));

	state->of_module[MODULE_BASICS] = logging;
	if (!logging)
		luaL_error(L, "not enough memory");
	open_log(L);
	settings_open(L, state);
	open_script(L, state);
	if (state->script->is_test)
		testing_open(L, state);
}

static void close_state(struct state *state)
{
	free(state->of_module[MODULE_BASICS]);
}

static void look(lua_State *L, struct state *state)
{
	(void)state;
	settings_look(L);
}

const struct module basics_module = {.open = open, .look = look, .close_state = close_state};
