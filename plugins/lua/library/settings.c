/* SPDX-License-Identifier: MIT */
#include "library/settings.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "run/call.h"
#include "script.h"
#include "run/state.h"

/*
 * A table that scripts see is empty, and has the one with the values behind it (__index), so that
 * writing raises. The registry has, by the keys as they stand in the configuration, the tables
 * with the values (that of the key "" has all), and the values as they were written. Keys that have
 * a value and others below them are noted, as only a list (make_list()) can show both.
 */
static const char tables_key, texts_key, doubles_key;

#define LEVELS_MAX 16

/* ---- Making it ---- */

static int refuse_write(lua_State *L)
{
	return luaL_error(L, "settings are not to be changed");
}

/* The table with the values is the upvalue: it is not for scripts. */
static int next_setting(lua_State *L)
{
	lua_settop(L, 2);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 2);
	if (lua_next(L, 2) != 0)
		return 2;
	lua_pushnil(L);
	return 1;
}

static int pairs(lua_State *L)
{
	luaL_getmetafield(L, 1, "__index");
	lua_pushcclosure(L, next_setting, 1);
	return 1;
}

/* Pushes what scripts see of the table on top of the stack, in its place. */
static void hide(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"__newindex", refuse_write}, {"__pairs", pairs}, {NULL, NULL}};

	lua_newtable(L);
	lua_createtable(L, 0, 4);
	luaL_setfuncs(L, functions, 0);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushliteral(L, "settings");
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_replace(L, -2);
}

static void note_double(lua_State *L, const char *key, size_t size)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &doubles_key);
	lua_pushlstring(L, key, size);
	lua_pushboolean(L, 1);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

/* Pushes the table with the values below a key, which it makes when there is none. */
static void push_table(lua_State *L, const char *key, size_t size, int level)
{
	const char *dot = memrchr(key, '.', size), *name = dot ? dot + 1 : key;

	if (level > LEVELS_MAX)
		luaL_error(L, "setting '%s': more than %d dots", key, LEVELS_MAX);
	luaL_checkstack(L, 6, "settings");
	lua_rawgetp(L, LUA_REGISTRYINDEX, &tables_key);
	lua_pushlstring(L, key, size);
	if (lua_rawget(L, -2) == LUA_TNIL) {
		lua_newtable(L);
		lua_replace(L, -2);
		lua_pushlstring(L, key, size);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
		push_table(L, key, dot ? (size_t)(dot - key) : 0, level + 1);
		lua_pushlstring(L, name, size - (size_t)(name - key));
		if (lua_rawget(L, -2) != LUA_TNIL) {
			note_double(L, key, size);
			lua_pop(L, 1);
		} else {
			lua_pop(L, 1);
			lua_pushlstring(L, name, size - (size_t)(name - key));
			lua_pushvalue(L, -3);
			hide(L);
			lua_rawset(L, -3);
		}
		lua_pop(L, 1);
	}
	lua_replace(L, -2);
}

static void push_value(lua_State *L, const char *text)
{
	size_t size = strlen(text);
	const char *digits = text[0] == '-' ? text + 1 : text;

	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
		lua_pushboolean(L, text[0] == 't');
		return;
	}
	/* Lua's reader takes more: blanks, hexadecimal numbers */
	if (isdigit((unsigned char)digits[0]) && !strpbrk(text, "xX \t\r\n") &&
	    lua_stringtonumber(L, text) == size + 1)
		return;
	lua_pushlstring(L, text, size);
}

static void put(lua_State *L, const char *key, const char *text)
{
	const char *dot = strrchr(key, '.'), *name = dot ? dot + 1 : key;

	if (strncmp(key, "require", 7) == 0 && (key[7] == '\0' || key[7] == '.'))
		luaL_error(L, "a setting cannot be called 'require'");
	push_table(L, key, dot ? (size_t)(dot - key) : 0, 0);
	lua_pushstring(L, name);
	if (lua_rawget(L, -2) != LUA_TNIL) {
		note_double(L, key, strlen(key));
		lua_pop(L, 1);
	} else {
		lua_pop(L, 1);
		lua_pushstring(L, name);
		push_value(L, text);
		lua_rawset(L, -3);
	}
	lua_rawgetp(L, LUA_REGISTRYINDEX, &texts_key);
	lua_pushstring(L, text);
	lua_setfield(L, -2, key);
	lua_pop(L, 2);
}

/* ---- settings.require ---- */

/* Pushes the table with the values where the key's value would be, and its name there. */
static void push_place(lua_State *L, const char *key)
{
	const char *dot = strrchr(key, '.');

	lua_rawgetp(L, LUA_REGISTRYINDEX, &tables_key);
	lua_pushlstring(L, key, dot ? (size_t)(dot - key) : 0);
	if (lua_rawget(L, -2) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
	}
	lua_replace(L, -2);
	lua_pushstring(L, dot ? dot + 1 : key);
}

/* Makes the value of the key the text that was written. */
static void make_text(lua_State *L, const char *key)
{
	push_place(L, key);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &texts_key);
	lua_getfield(L, -1, key);
	lua_replace(L, -2);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

/* Pushes the value that is written as the text on top of the stack. */
static void push_listed(lua_State *L, const char *key, bool are_numbers)
{
	if (!are_numbers) {
		lua_pushvalue(L, -1);
		return;
	}
	push_value(L, lua_tostring(L, -1));
	if (lua_type(L, -1) != LUA_TNUMBER)
		luaL_error(L, "setting script.%s.%s: number expected", state_of(L)->script->name,
			   key);
}

/* The list on top of the stack, of that key, shows them. */
static void forget_doubles(lua_State *L, const char *key)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &doubles_key);
	lua_pushnil(L);
	while (lua_next(L, -3)) {
		lua_pushfstring(L, "%s.%s", key, lua_tostring(L, -2));
		lua_pushnil(L);
		lua_rawset(L, -5);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* Makes the key's value one table of all that stands below it: the rest of a key is the name, also
 * when it has dots, as names of users may have. */
static void make_list(lua_State *L, const char *key, bool are_numbers)
{
	size_t size = strlen(key);
	int list;

	luaL_checkstack(L, 10, "settings");
	push_place(L, key);
	lua_newtable(L);
	list = lua_gettop(L);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &texts_key);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		const char *other = lua_tostring(L, -2);

		if (strncmp(other, key, size) == 0 && other[size] == '.') {
			push_listed(L, other, are_numbers);
			lua_setfield(L, list, other + size + 1);
		}
		lua_pop(L, 1);
	}
	lua_settop(L, list);
	forget_doubles(L, key);
	hide(L);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

/* Whether the value on top of the stack, of that key, is what is asked for; makes it so. */
static bool fits(lua_State *L, const char *key, const char *kind)
{
	int type = lua_type(L, -1);

	if (strcmp(kind, "integer") == 0)
		return lua_isinteger(L, -1);
	if (strcmp(kind, "strings") == 0 || strcmp(kind, "numbers") == 0) {
		if (type == LUA_TTABLE)
			make_list(L, key, kind[0] == 'n');
		return type == LUA_TTABLE;
	}
	if (strcmp(kind, "string") != 0)
		return strcmp(kind, lua_typename(L, type)) == 0;
	if (type != LUA_TTABLE)
		make_text(L, key);
	return type != LUA_TTABLE;
}

static void check_kind(lua_State *L, const char *kind)
{
	static const char *const kinds[] = {"integer", "number",  "string",  "boolean",
					    "table",   "strings", "numbers", NULL};

	for (const char *const *name = kinds; *name; name++)
		if (strcmp(*name, kind) == 0)
			return;
	luaL_error(L, "settings.require: '%s' is no type", kind);
}

/* What is missing is noted in the table at 2. */
static void require_one(lua_State *L, const char *key, const char *kind)
{
	size_t size = strlen(kind);
	bool may_be_missing = size > 0 && kind[size - 1] == '?';

	kind = lua_pushlstring(L, kind, may_be_missing ? size - 1 : size);
	check_kind(L, kind);
	push_place(L, key);
	if (lua_rawget(L, -2) == LUA_TNIL) {
		if (!may_be_missing) {
			lua_pushstring(L, kind);
			lua_setfield(L, 2, key);
		}
	} else if (!fits(L, key, kind)) {
		luaL_error(L, "setting script.%s.%s: %s expected", state_of(L)->script->name, key,
			   kind);
	}
	lua_pop(L, 3);
}

/* Pushes the first key behind that one in the table at 2, and what is expected of it. False: there
 * is none. */
static bool push_next_missing(lua_State *L, const char *before)
{
	const char *first = NULL;

	lua_pushnil(L);
	while (lua_next(L, 2)) {
		const char *key = lua_tostring(L, -2);

		if (strcmp(key, before) > 0 && (!first || strcmp(key, first) < 0))
			first = key;
		lua_pop(L, 1);
	}
	if (!first)
		return false;
	lua_pushstring(L, first);
	lua_getfield(L, 2, first);
	return true;
}

#define MISSING_SHOWN 16

/* Of those that are noted. Who only looks at a script is told how to hand it some. */
static void refuse_missing(lua_State *L)
{
	const struct script *script = state_of(L)->script;
	const char *list = "", *key = "";

	for (int i = 0; i < MISSING_SHOWN && push_next_missing(L, key); i++) {
		key = lua_tostring(L, -2);
		call_charge(L, 100);
		list = lua_pushfstring(L, "%s%s%s (%s)", list, i > 0 ? ", " : "", key,
				       lua_tostring(L, -1));
	}
	if (key[0] != '\0')
		luaL_error(L, "settings of script.%s are missing: %s%s", script->name, list,
			   script->is_looked_at ? "; KEY=VALUE behind the file gives one" : "");
}

static int require(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	lua_newtable(L);
	luaL_checkstack(L, 4 * MISSING_SHOWN, "settings");
	lua_pushnil(L);
	while (lua_next(L, 1)) {
		call_charge(L, 20);
		if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING ||
		    lua_rawlen(L, -2) == 0)
			return luaL_error(L, "settings.require{ NAME = \"TYPE\" } expected");
		require_one(L, lua_tostring(L, -2), lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	refuse_missing(L);
	return 0;
}

/* ---- All of it ---- */

static void put_all(lua_State *L, const struct shunt_host *host)
{
	const char *key, *text;
	size_t position = 0;

	while (host->config_next(host, &position, &key, &text))
		if (!script_option_is_own(key))
			put(L, key, text);
}

void settings_open(lua_State *L, struct state *state)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &texts_key);
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &doubles_key);
	lua_newtable(L);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "");
	lua_insert(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &tables_key);
	put_all(L, state->script->host);
	/* found when it is asked for, but not among what pairs() gives */
	lua_newtable(L);
	lua_newtable(L);
	lua_pushcfunction(L, require);
	lua_setfield(L, -2, "require");
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	hide(L);
	lua_setglobal(L, "settings");
}

void settings_look(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &doubles_key);
	lua_pushnil(L);
	if (lua_next(L, -2))
		luaL_error(L, "setting '%s' has a value, and others stand below it",
			   lua_tostring(L, -2));
}
