/* SPDX-License-Identifier: MIT */
#include "library/json_write.h"

#include <lauxlib.h>
#include <jansson.h>
#include <string.h>

#include "run/call.h"
#include "library/json.h"

#define VALUE_COST 40u
#define DUMP_FLAGS (JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS)

/* As in json.c: jansson's values are made under a pcall, and each is part of the root at once, so
 * that they are freed by whoever has the root, whatever was raised. */
struct writing {
	json_t *root;
	size_t bytes; /* of names and texts */
};

/* Where the next value belongs. */
struct place {
	json_t *parent;	  /* NULL: it is the root */
	const char *name; /* of an object's */
};

static void put(lua_State *L, struct writing *writing, struct place place, int depth);

static void charge(lua_State *L, struct writing *writing, size_t size)
{
	call_charge(L, VALUE_COST + size / 4);
	writing->bytes += size;
	if (writing->bytes > JSON_TEXT_MAX)
		luaL_error(L, "JSON of more than %d bytes", (int)JSON_TEXT_MAX);
}

/* Takes the value; NULL: memory is out, as it was checked before that it can be. */
static json_t *add(lua_State *L, struct writing *writing, struct place place, json_t *value)
{
	int status = 0;

	if (!value)
		luaL_error(L, "not enough memory");
	if (!place.parent)
		writing->root = value;
	else if (place.name)
		status = json_object_set_new_nocheck(place.parent, place.name, value);
	else
		status = json_array_append_new(place.parent, value);
	if (status < 0)
		luaL_error(L, "not enough memory");
	return value;
}

/* ---- Tables ---- */

static bool is_marked(lua_State *L, int table)
{
	bool marked = false;

	if (!lua_getmetatable(L, table))
		return false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &json_array_key);
	marked = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return marked;
}

/* An array has no keys but 1 to its length; an empty table is one when it was said to be. */
static bool is_array(lua_State *L, int table)
{
	lua_Unsigned length = lua_rawlen(L, table), count = 0;

	if (length == 0)
		return is_marked(L, table);
	lua_pushnil(L);
	while (lua_next(L, table)) {
		lua_pop(L, 1);
		call_charge(L, 1);
		if (!lua_isinteger(L, -1))
			luaL_error(L, "a table with places and names cannot be JSON");
		count++;
	}
	if (count != length)
		luaL_error(L, "an array with holes cannot be JSON");
	return true;
}

static void put_array(lua_State *L, struct writing *writing, json_t *array, int table, int depth)
{
	lua_Integer length = (lua_Integer)lua_rawlen(L, table);

	for (lua_Integer i = 1; i <= length; i++) {
		lua_rawgeti(L, table, i);
		put(L, writing, (struct place){.parent = array}, depth);
		lua_pop(L, 1);
	}
}

static const char *check_name(lua_State *L, struct writing *writing)
{
	const char *name;
	size_t size;

	if (lua_type(L, -2) != LUA_TSTRING)
		luaL_error(L, "a table with a key that is a %s cannot be JSON",
			   luaL_typename(L, -2));
	name = lua_tolstring(L, -2, &size);
	charge(L, writing, size);
	if (strlen(name) != size)
		luaL_error(L, "a name with a zero byte cannot be JSON");
	return name;
}

static void put_object(lua_State *L, struct writing *writing, json_t *object, int table, int depth)
{
	lua_pushnil(L);
	while (lua_next(L, table)) {
		const char *name = check_name(L, writing);
		json_t *text = json_string(name);

		json_decref(text);
		if (!text)
			luaL_error(L, "a name that is not UTF-8 cannot be JSON");
		put(L, writing, (struct place){.parent = object, .name = name}, depth);
		lua_pop(L, 1);
	}
}

static void put_table(lua_State *L, struct writing *writing, struct place place, int depth)
{
	int table = lua_gettop(L);

	if (depth >= JSON_DEPTH_MAX)
		luaL_error(L, "more than %d tables in each other", JSON_DEPTH_MAX);
	luaL_checkstack(L, 6, "JSON");
	if (luaL_getmetafield(L, table, "__pairs") != LUA_TNIL)
		luaL_error(L, "only plain tables can be JSON");
	charge(L, writing, 2);
	if (is_array(L, table))
		put_array(L, writing, add(L, writing, place, json_array()), table, depth + 1);
	else
		put_object(L, writing, add(L, writing, place, json_object()), table, depth + 1);
}

/* ---- Other values ---- */

static void put_string(lua_State *L, struct writing *writing, struct place place)
{
	size_t size;
	const char *text = lua_tolstring(L, -1, &size);
	json_t *value;

	charge(L, writing, size);
	value = json_stringn(text, size);
	if (!value)
		luaL_error(L, "a string that is not UTF-8 cannot be JSON");
	(void)add(L, writing, place, value);
}

static void put_number(lua_State *L, struct writing *writing, struct place place)
{
	json_t *value;

	charge(L, writing, 1);
	if (lua_isinteger(L, -1)) {
		(void)add(L, writing, place, json_integer(lua_tointeger(L, -1)));
		return;
	}
	value = json_real(lua_tonumber(L, -1));
	if (!value)
		luaL_error(L, "%f cannot be JSON", lua_tonumber(L, -1));
	(void)add(L, writing, place, value);
}

/* What is on top of the stack. */
static void put(lua_State *L, struct writing *writing, struct place place, int depth)
{
	switch (lua_type(L, -1)) {
	case LUA_TTABLE:
		put_table(L, writing, place, depth);
		break;
	case LUA_TSTRING:
		put_string(L, writing, place);
		break;
	case LUA_TNUMBER:
		put_number(L, writing, place);
		break;
	case LUA_TBOOLEAN:
		charge(L, writing, 4);
		(void)add(L, writing, place, json_boolean(lua_toboolean(L, -1)));
		break;
	case LUA_TNIL:
		charge(L, writing, 4);
		(void)add(L, writing, place, json_null());
		break;
	default:
		if (!json_null_is(L, -1))
			luaL_error(L, "a %s cannot be JSON", luaL_typename(L, -1));
		charge(L, writing, 4);
		(void)add(L, writing, place, json_null());
		break;
	}
}

/* ---- The text ---- */

static int encode_protected(lua_State *L)
{
	struct writing *writing = lua_touserdata(L, 2);
	size_t size;
	char *text;

	lua_settop(L, 1);
	put(L, writing, (struct place){NULL, NULL}, 0);
	lua_settop(L, 1);
	size = json_dumpb(writing->root, NULL, 0, DUMP_FLAGS);
	if (size == 0)
		return luaL_error(L, "not enough memory");
	if (size > JSON_TEXT_MAX)
		return luaL_error(L, "JSON of more than %d bytes", (int)JSON_TEXT_MAX);
	call_charge(L, size / 4);
	text = lua_newuserdatauv(L, size, 0);
	(void)json_dumpb(writing->root, text, size, DUMP_FLAGS);
	lua_pushlstring(L, text, size);
	return 1;
}

int json_encode(lua_State *L)
{
	struct writing writing = {.root = NULL};
	int status;

	luaL_checkany(L, 1);
	lua_settop(L, 1);
	lua_pushcfunction(L, encode_protected);
	lua_insert(L, 1);
	lua_pushlightuserdata(L, &writing);
	status = lua_pcall(L, 2, 1, 0);
	json_decref(writing.root);
	return status == LUA_OK ? 1 : lua_error(L);
}
