/* SPDX-License-Identifier: MIT */

#include "fault.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "state.h"

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

static int call_tostring(lua_State *L)
{
	(void)luaL_tolstring(L, 1, NULL);
	return 1;
}

/* Leaves a string or something else on the stack. */
static void make_string(lua_State *L)
{
	struct budget *budget = &state_of(L)->budget;

	if (budget->left > TOSTRING_INSTRUCTIONS)
		budget->left = TOSTRING_INSTRUCTIONS;
	lua_pushcfunction(L, call_tostring);
	lua_pushvalue(L, -2);
	if (lua_pcall(L, 1, 1, 0) != LUA_OK)
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

/* One line: control bytes become blanks, and a character in UTF-8 is not cut in two. */
static void clean(char *text, size_t size)
{
	size_t length = strlen(text);

	if (length + 1 == size) {
		while (length > 0 && ((unsigned char)text[length - 1] & 0xc0) == 0x80)
			length--;
		if (length > 0 && (unsigned char)text[length - 1] >= 0xc0)
			length--;
		text[length] = '\0';
	}
	for (char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	}
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

	if (!what) {
		if (lua_type(L, -1) != LUA_TSTRING)
			make_string(L);
		what = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
	}
	if (!what) {
		(void)snprintf(other, sizeof(other), "(error value is a %s)", luaL_typename(L, -1));
		what = other;
	}
	if (place.source[0] && !has_place(what, &place))
		(void)snprintf(text, size, "%s:%d: %s", place.source, place.line, what);
	else
		(void)snprintf(text, size, "%s", what);
	clean(text, size);
}
