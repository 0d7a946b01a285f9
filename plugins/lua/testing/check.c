/* SPDX-License-Identifier: MIT */
#include "testing/check.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "run/call.h"
#include "script.h"
#include "run/state.h"

#define DEPTH_MAX	16
#define SHOWN_DEPTH_MAX 3
#define TEXT_MAX	90 /* bytes that a message shows of a value */

/* ---- Comparing ---- */

static bool equal(lua_State *L, int a, int b, int depth);

/* Each entry of one is in the other. */
static bool covers(lua_State *L, int a, int b, int depth)
{
	lua_pushnil(L);
	while (lua_next(L, a)) {
		int value = lua_gettop(L);
		bool same;

		lua_pushvalue(L, value - 1);
		lua_rawget(L, b);
		same = equal(L, value, value + 1, depth + 1);
		lua_settop(L, value - 1);
		if (!same) {
			lua_pop(L, 1);
			return false;
		}
	}
	return true;
}

static bool equal(lua_State *L, int a, int b, int depth)
{
	call_charge(L, 10);
	if (lua_type(L, a) != LUA_TTABLE || lua_type(L, b) != LUA_TTABLE)
		return lua_compare(L, a, b, LUA_OPEQ);
	if (lua_rawequal(L, a, b))
		return true;
	if (depth >= DEPTH_MAX)
		luaL_error(L, "more than %d tables in each other", DEPTH_MAX);
	luaL_checkstack(L, 8, "test");
	return covers(L, a, b, depth) && covers(L, b, a, depth);
}

/* ---- Showing ---- */

/* A short text that may be cut. */
struct text {
	char data[TEXT_MAX];
	size_t size;
};

static void add(struct text *text, const char *data, size_t size)
{
	for (size_t i = 0; i < size && text->size < sizeof(text->data) - 1; i++)
		text->data[text->size++] = (char)(isprint((unsigned char)data[i]) ? data[i] : '?');
	text->data[text->size] = '\0';
}

static void add_text(struct text *text, const char *data)
{
	add(text, data, strlen(data));
}

static void show(lua_State *L, struct text *text, int index, int depth);

/* What lua_next() has pushed; *place: the last one of a sequence that was shown. */
static void show_entry(lua_State *L, struct text *text, lua_Integer *place, int depth)
{
	int value = lua_gettop(L);

	add_text(text, text->data[text->size - 1] == '{' ? "" : ", ");
	if (lua_isinteger(L, value - 1) && lua_tointeger(L, value - 1) == *place + 1) {
		++*place;
	} else if (lua_type(L, value - 1) == LUA_TSTRING) {
		size_t size;
		const char *name = lua_tolstring(L, value - 1, &size);

		add(text, name, size);
		add_text(text, " = ");
	} else {
		add_text(text, "[");
		show(L, text, value - 1, depth + 1);
		add_text(text, "] = ");
	}
	show(L, text, value, depth + 1);
}

static void show_table(lua_State *L, struct text *text, int index, int depth)
{
	lua_Integer place = 0;

	luaL_checkstack(L, 8, "test");
	add_text(text, "{");
	lua_pushnil(L);
	while (text->size < sizeof(text->data) - 1 && lua_next(L, index)) {
		show_entry(L, text, &place, depth);
		lua_pop(L, 1);
	}
	add_text(text, "}");
}

/* Pushes nothing. */
static void show(lua_State *L, struct text *text, int index, int depth)
{
	int top = lua_gettop(L);
	size_t size;
	const char *shown;

	if (lua_type(L, index) == LUA_TTABLE && depth < SHOWN_DEPTH_MAX) {
		show_table(L, text, index, depth);
	} else if (lua_type(L, index) == LUA_TTABLE) {
		add_text(text, "{...}");
	} else {
		shown = luaL_tolstring(L, index, &size);
		add_text(text, lua_type(L, index) == LUA_TSTRING ? "\"" : "");
		add(text, shown, size);
		add_text(text, lua_type(L, index) == LUA_TSTRING ? "\"" : "");
	}
	lua_settop(L, top);
}

/* ---- The functions ---- */

int testing_equal(lua_State *L)
{
	struct text got = {.size = 0}, expected = {.size = 0};
	const char *what = luaL_optstring(L, 3, "");

	luaL_checkany(L, 2);
	if (equal(L, 1, 2, 0))
		return 0;
	show(L, &got, 1, 0);
	show(L, &expected, 2, 0);
	return luaL_error(L, "%s%sgot %s, expected %s", what, what[0] ? ": " : "", got.data,
			  expected.data);
}

/* "FILE:LINE: " in front of a message is where it was raised, not what. */
static const char *without_place(lua_State *L, const char *text)
{
	const char *file = state_of(L)->script->file;
	size_t size = strlen(file);
	const char *rest = text + size;

	if (strncmp(text, file, size) != 0 || *rest != ':')
		return text;
	for (rest++; isdigit((unsigned char)*rest);)
		rest++;
	return strncmp(rest, ": ", 2) == 0 ? rest + 2 : text;
}

int testing_refused(lua_State *L)
{
	luaL_checkany(L, 1);
	if (lua_pcall(L, lua_gettop(L) - 1, 0, 0) == LUA_OK)
		return luaL_error(L, "it was not refused");
	if (call_is_over(L))
		return lua_error(L);
	if (lua_type(L, -1) == LUA_TSTRING)
		lua_pushstring(L, without_place(L, lua_tostring(L, -1)));
	return 1;
}
