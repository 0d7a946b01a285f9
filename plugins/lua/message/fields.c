/* SPDX-License-Identifier: MIT */
#include "message/fields.h"

#include <lauxlib.h>
#include <string.h>

#include "run/call.h"
#include "script.h"
#include "run/state.h"
#include "message/values.h"

/* Their addresses are keys. */
static const char metatable_key, gone_key;

static const struct shunt_host *host_of(lua_State *L)
{
	return state_of(L)->script->host;
}

bool fields_is_gone(lua_State *L, int index)
{
	return lua_islightuserdata(L, index) && lua_touserdata(L, index) == (const void *)&gone_key;
}

void fields_push_gone(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&gone_key);
}

struct fields *fields_push(lua_State *L, const struct fields_kind *kind, size_t size,
			   int user_values)
{
	struct fields *fields = lua_newuserdatauv(L, size, user_values);

	fields->kind = kind;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
	lua_setmetatable(L, -2);
	return fields;
}

struct fields *fields_test(lua_State *L, int index)
{
	bool is_one;

	if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
		return NULL;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
	is_one = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return is_one ? lua_touserdata(L, index) : NULL;
}

/* ---- Reading an entry ---- */

/* Pushes its default; false: it has none. */
static bool push_default(lua_State *L, const struct fields *fields, struct shunt_bytes raw,
			 const char *name)
{
	const struct shunt_host *host = host_of(L);
	const struct shunt_argument *schema =
		fields->kind->schema ? fields->kind->schema(L, fields) : NULL;
	struct shunt_value value;

	for (; schema && schema->name; schema++) {
		if (strcmp(schema->name, name) != 0)
			continue;
		if (!host->argument(host, raw, schema, &value))
			return false;
		value_push(L, host, &value);
		return true;
	}
	return false;
}

/* The object is at 1, the name at 2. Pushes what was written instead; false: nothing was. */
static bool push_written(lua_State *L, const struct fields *fields)
{
	if (!fields->kind->written || !fields->kind->written(L, fields, 1))
		return false;
	lua_pushvalue(L, 2);
	if (lua_rawget(L, -2) == LUA_TNIL)
		return false;
	if (fields_is_gone(L, -1))
		lua_pushnil(L);
	return true;
}

static int fields_index(lua_State *L)
{
	const struct fields *fields = lua_touserdata(L, 1);
	struct shunt_bytes raw = fields->kind->raw(L, fields);
	const struct shunt_host *host = host_of(L);
	struct shunt_value value;
	const char *name;
	size_t size;

	call_charge(L, 1 + raw.size / 64);
	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	if (push_written(L, fields))
		return 1;
	name = lua_tolstring(L, 2, &size);
	if (strlen(name) != size)
		return 0;
	if (host->table_find(host, raw, name, &value))
		value_push(L, host, &value);
	else if (!push_default(L, fields, raw, name))
		return 0;
	return 1;
}

static int fields_newindex(lua_State *L)
{
	struct fields *fields = lua_touserdata(L, 1);

	if (!fields->kind->write)
		return luaL_error(L, "these are read-only");
	if (lua_type(L, 2) != LUA_TSTRING)
		return luaL_error(L, "a name must be a string, not a %s", luaL_typename(L, 2));
	fields->kind->write(L, fields);
	return 0;
}

/* ---- All entries ---- */

/* The table of entries is on the top. */
static void add_defaults(lua_State *L, const struct fields *fields, struct shunt_bytes raw)
{
	const struct shunt_argument *schema =
		fields->kind->schema ? fields->kind->schema(L, fields) : NULL;

	for (; schema && schema->name; schema++) {
		if (lua_getfield(L, -1, schema->name) == LUA_TNIL &&
		    push_default(L, fields, raw, schema->name)) {
			lua_setfield(L, -3, schema->name);
		}
		lua_pop(L, 1);
	}
}

/* The table of entries is on the top. */
static void add_written(lua_State *L, const struct fields *fields, int index)
{
	int entries = lua_gettop(L);

	if (!fields->kind->written || !fields->kind->written(L, fields, index))
		return;
	for (lua_pushnil(L); lua_next(L, entries + 1);) {
		call_charge(L, 1);
		lua_pushvalue(L, -2);
		lua_insert(L, -2); /* the name is needed to go on */
		if (fields_is_gone(L, -1)) {
			lua_pop(L, 1);
			lua_pushnil(L);
		}
		lua_rawset(L, entries);
	}
	lua_settop(L, entries);
}

bool fields_push_table(lua_State *L, int index)
{
	const struct fields *fields = fields_test(L, index);
	struct shunt_bytes raw;

	if (!fields)
		return false;
	index = lua_absindex(L, index);
	luaL_checkstack(L, 8, NULL);
	raw = fields->kind->raw(L, fields);
	value_push_table(L, host_of(L), raw);
	add_defaults(L, fields, raw);
	add_written(L, fields, index);
	return true;
}

/* Goes through its own table, whatever it is passed. */
static int fields_next(lua_State *L)
{
	lua_settop(L, 2);
	call_charge(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, 2);
	if (lua_next(L, 3))
		return 2;
	lua_pushnil(L);
	return 1;
}

static int fields_pairs(lua_State *L)
{
	lua_settop(L, 1);
	if (!fields_push_table(L, 1))
		return luaL_error(L, "pairs() of these");
	lua_pushcclosure(L, fields_next, 1);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

void fields_prepare(lua_State *L)
{
	static const luaL_Reg functions[] = {{"__index", fields_index},
					     {"__newindex", fields_newindex},
					     {"__pairs", fields_pairs},
					     {NULL, NULL}};

	luaL_newlib(L, functions);
	lua_pushliteral(L, "fields");
	lua_setfield(L, -2, "__metatable");
	lua_pushliteral(L, "fields");
	lua_setfield(L, -2, "__name");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
}
