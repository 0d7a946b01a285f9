/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <lauxlib.h>
#include <jansson.h>
#include <string.h>

#include "call.h"
#include "json_write.h"
#include "module.h"

/* What a value costs to make, in instructions of the Lua machine. */
#define VALUE_COST 8u

/*
 * jansson's values are outside of what Lua frees, and pushing may raise at any place. So all
 * pushing is done by push_protected(), under a pcall, and what it raised goes on when the values
 * have been freed.
 */
struct reading {
	json_t *root;
	struct shunt_bytes path;
};

const char json_array_key;

/* Where the registry has json.null. */
static const char null_key;

/* Its address is raised, and comes no further than push_take(). */
static const char too_deep;

/* ---- From jansson to Lua ---- */

static void push_value(lua_State *L, const json_t *value, int depth);

static void push_object(lua_State *L, const json_t *object, int depth)
{
	const char *name;
	json_t *value;

	lua_createtable(L, 0, (int)json_object_size(object));
	/* jansson's iterators take no constant object, and change nothing */
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		if (json_is_null(value))
			continue;
		push_value(L, value, depth);
		lua_setfield(L, -2, name);
	}
}

static void push_array(lua_State *L, const json_t *array, int depth)
{
	size_t count = json_array_size(array);

	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		push_value(L, json_array_get(array, i), depth);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_rawgetp(L, LUA_REGISTRYINDEX, &json_array_key);
	lua_setmetatable(L, -2);
}

static void push_nested(lua_State *L, const json_t *value, int depth)
{
	if (depth >= JSON_DEPTH_MAX) {
		lua_pushlightuserdata(L, (void *)(uintptr_t)&too_deep);
		lua_error(L);
	}
	luaL_checkstack(L, 4, "JSON");
	if (json_is_object(value))
		push_object(L, value, depth + 1);
	else
		push_array(L, value, depth + 1);
}

static void push_value(lua_State *L, const json_t *value, int depth)
{
	call_charge(L, VALUE_COST);
	switch (json_typeof(value)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		push_nested(L, value, depth);
		break;
	case JSON_STRING:
		lua_pushlstring(L, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		lua_pushinteger(L, json_integer_value(value));
		break;
	case JSON_REAL:
		lua_pushnumber(L, json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		lua_pushboolean(L, json_is_true(value));
		break;
	case JSON_NULL:
		json_null_push(L);
		break;
	}
}

/* ---- Reading ---- */

/* A place of an array; 0 if it is none. */
static size_t place_of(struct shunt_bytes name)
{
	size_t place = 0;

	if (name.size == 0 || name.size > 6)
		return 0;
	for (size_t i = 0; i < name.size; i++) {
		if (name.data[i] < '0' || name.data[i] > '9')
			return 0;
		place = place * 10 + (size_t)(name.data[i] - '0');
	}
	return place;
}

static const json_t *member(const json_t *value, struct shunt_bytes name)
{
	char text[256];
	size_t place;

	if (json_is_object(value) && name.size < sizeof(text)) {
		memcpy(text, name.data, name.size);
		text[name.size] = '\0';
		return json_object_get(value, text);
	}
	place = json_is_array(value) ? place_of(name) : 0;
	return place > 0 ? json_array_get(value, place - 1) : NULL;
}

static const json_t *at(const json_t *value, struct shunt_bytes path)
{
	bool more = path.size > 0;

	while (value && more) {
		const uint8_t *dot = memchr(path.data, '.', path.size);
		struct shunt_bytes name = path;

		more = dot != NULL;
		if (more) {
			name.size = (size_t)(dot - path.data);
			path.data = dot + 1;
			path.size -= name.size + 1;
		}
		value = member(value, name);
	}
	return value;
}

static int push_protected(lua_State *L)
{
	const struct reading *reading = lua_touserdata(L, 1);
	const json_t *value = at(reading->root, reading->path);

	if (value && !json_is_null(value))
		push_value(L, value, 0);
	else
		lua_pushnil(L);
	return 1;
}

/* NULL: it is not JSON; *ret_error says why. Charges for it. */
static json_t *load(lua_State *L, struct shunt_bytes text, json_error_t *ret_error)
{
	json_t *root;

	ret_error->line = ret_error->column = 0;
	if (text.size > JSON_TEXT_MAX) {
		(void)strcpy(ret_error->text, "longer than 65536 bytes");
		return NULL;
	}
	call_charge(L, text.size + VALUE_COST);
	root = json_loadb((const char *)text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL,
			  ret_error);
	if (!root && json_error_code(ret_error) == json_error_out_of_memory)
		luaL_error(L, "not enough memory");
	return root;
}

/* Takes the value: pushes what is at the path, or raises what was raised. False: it is too deep;
 * nothing is pushed. */
static bool push_take(lua_State *L, json_t *root, struct shunt_bytes path)
{
	struct reading reading = {.root = root, .path = path};
	int status;

	/* neither of them allocates: so nothing is raised before the pcall */
	lua_pushcfunction(L, push_protected);
	lua_pushlightuserdata(L, &reading);
	status = lua_pcall(L, 1, 1, 0);
	json_decref(root);
	if (status == LUA_OK)
		return true;
	if (lua_touserdata(L, -1) != &too_deep)
		lua_error(L);
	lua_pop(L, 1);
	return false;
}

void json_push(lua_State *L, struct shunt_bytes text, struct shunt_bytes path)
{
	json_error_t error;
	json_t *root = load(L, text, &error);

	if (!root || !push_take(L, root, path))
		lua_pushnil(L);
}

/* ---- The global `json` ---- */

static int decode(lua_State *L)
{
	struct shunt_bytes text;
	json_error_t error;
	json_t *root;

	text.data = (const uint8_t *)luaL_checklstring(L, 1, &text.size);
	root = load(L, text, &error);
	if (root && push_take(L, root, (struct shunt_bytes){NULL, 0}))
		return 1;
	if (root) {
		lua_pushnil(L);
		lua_pushfstring(L, "more than %d objects and arrays in each other", JSON_DEPTH_MAX);
		return 2;
	}
	lua_pushnil(L);
	if (error.line > 0)
		lua_pushfstring(L, "line %d, column %d: %s", error.line, error.column, error.text);
	else
		lua_pushstring(L, error.text);
	return 2;
}

void json_null_push(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key);
}

bool json_null_is(lua_State *L, int index)
{
	bool is_null;

	index = lua_absindex(L, index);
	json_null_push(L);
	is_null = lua_rawequal(L, -1, index);
	lua_pop(L, 1);
	return is_null;
}

/* json.array([table]): it is an array also when it is empty. */
static int array(lua_State *L)
{
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &json_array_key);
	lua_setmetatable(L, 1);
	return 1;
}

static int null_tostring(lua_State *L)
{
	lua_pushliteral(L, "null");
	return 1;
}

static void open(lua_State *L, struct state *state)
{
	static const luaL_Reg functions[] = {{"decode", decode},
					     {"encode", json_encode},
					     {"array", array},
					     {"null", NULL},
					     {NULL, NULL}};

	(void)state;
	luaL_newlib(L, functions);
	(void)lua_newuserdatauv(L, 0, 0);
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, null_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pushliteral(L, "json.null");
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &null_key);
	lua_setfield(L, -2, "null");
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &json_array_key);
	lua_setglobal(L, "json");
}

const struct module json_module = {.open = open};
