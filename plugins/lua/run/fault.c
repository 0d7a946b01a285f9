/* SPDX-License-Identifier: MIT */

#include "run/fault.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "run/state.h"

/* What a __tostring of an error value may take. */
#define TOSTRING_INSTRUCTIONS 2000

int fault_handler(lua_State *L)
{
	struct budget *budget = &state_of(L)->budget;

	if (budget->over == BUDGET_IS_LEFT)
		place_find(&budget->place, L);
	return 1;
}

enum failure fault_sort(lua_State *L, int status)
{
	switch (state_of(L)->budget.over) {
	case BUDGET_INSTRUCTIONS:
		return FAILURE_INSTRUCTIONS;
	case BUDGET_TIME:
		return FAILURE_TIME;
	case BUDGET_MEMORY:
		return FAILURE_MEMORY;
	case BUDGET_IS_LEFT:
		break;
	}
	return status == LUA_ERRMEM ? FAILURE_MEMORY : FAILURE_ERROR;
}

/* A table's or a userdata's address, which Lua would show, tells nobody anything. */
static int find_text(lua_State *L)
{
	int type = lua_type(L, 1);

	if (type != LUA_TNUMBER && type != LUA_TBOOLEAN &&
	    luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL)
		return 0;
	(void)luaL_tolstring(L, 1, NULL);
	return 1;
}

/* Leaves a string or something else on the stack. Protected, as also a name to look for may be one
 * for which there is no memory. */
static void make_string(lua_State *L)
{
	struct budget *budget = &state_of(L)->budget;

	if (budget->left > TOSTRING_INSTRUCTIONS)
		budget->left = TOSTRING_INSTRUCTIONS;
	lua_pushcfunction(L, find_text);
	lua_pushvalue(L, -2);
	if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_isnil(L, -1))
		lua_pop(L, 1);
}

static const char *text_of_sort(enum failure sort)
{
	static const char *const texts[FAILURE_SORTS] = {
		[FAILURE_INSTRUCTIONS] = "it ran for more than `instructions`",
		[FAILURE_TIME] = "it ran for longer than `cpu_time`",
		[FAILURE_MEMORY] = "not enough memory (`memory`)",
	};

	return texts[sort];
}

/*
 * Adds `what` to the text, of which `used` bytes are there: as one line, so control bytes become
 * blanks, and a character in UTF-8 is not cut in two.
 */
static void add_line(char *text, size_t size, size_t used, const char *what, size_t length)
{
	if (used >= size)
		used = size - 1;
	if (length >= size - used) {
		length = size - used - 1;
		while (length > 0 && ((unsigned char)what[length] & 0xc0) == 0x80)
			length--;
	}
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)what[i];

		text[used + i] = c < ' ' || c == 0x7f ? ' ' : (char)c;
	}
	text[used + length] = '\0';
}

/* Whether Lua has written already where it was: "SOURCE:LINE:". */
static bool has_place(const char *text, const struct place *place)
{
	size_t length = strlen(place->source);

	return strncmp(text, place->source, length) == 0 && text[length] == ':' &&
	       text[length + 1] >= '0' && text[length + 1] <= '9';
}

void fault_text(lua_State *L, enum failure sort, char *text, size_t size)
{
	struct place place = state_of(L)->budget.place;
	const char *what = text_of_sort(sort);
	char other[64];
	size_t length;
	int used = 0;

	if (!what) {
		if (lua_type(L, -1) != LUA_TSTRING)
			make_string(L);
		what = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
	} else {
		length = strlen(what);
	}
	if (!what) {
		length = (size_t)snprintf(other, sizeof(other), "(error object is a %s value)",
					  luaL_typename(L, -1));
		what = other;
	}
	if (place.source[0] && !has_place(what, &place))
		used = snprintf(text, size, "%s:%d: ", place.source, place.line);
	add_line(text, size, used > 0 ? (size_t)used : 0, what, length);
}
