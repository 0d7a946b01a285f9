/* SPDX-License-Identifier: MIT */
#include "exchange/views.h"

#include <lauxlib.h>

#include "run/call.h"
#include "exchange/views_state.h"

#define ARRAY_MAX 65536

struct present *views_present(lua_State *L)
{
	struct present *present =
		atomic_load_explicit(&exchanges_of(state_of(L))->present, memory_order_relaxed);

	if (!present)
		(void)luaL_error(L, "this can only be looked at while the script is asked about "
				    "its exchange");
	return present;
}

enum view views_kind(lua_State *L, const struct exchanges *exchanges, int index)
{
	const void *metatable;
	unsigned kind = 0;

	if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
		return VIEWS;
	metatable = lua_topointer(L, -1);
	lua_pop(L, 1);
	while (kind < VIEWS && exchanges->metatables[kind] != metatable)
		kind++;
	return (enum view)kind;
}

/* ---- Fields ---- */

int views_get_field(lua_State *L, const char *what)
{
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
		return luaL_error(L, "%s has no field '%s'", what, luaL_tolstring(L, 2, NULL));
	return (int)lua_tointeger(L, -1);
}

void views_push_fields(lua_State *L, const char *const *fields)
{
	lua_newtable(L);
	for (int i = 0; fields[i]; i++) {
		lua_pushinteger(L, i);
		lua_setfield(L, -2, fields[i]);
	}
}

void views_make_metatable(lua_State *L, struct exchanges *exchanges, enum view view,
			  const char *name, lua_CFunction index, lua_CFunction length)
{
	lua_newtable(L);
	lua_insert(L, -2);
	lua_pushcclosure(L, index, 1);
	lua_setfield(L, -2, "__index");
	if (length) {
		lua_pushcfunction(L, length);
		lua_setfield(L, -2, "__len");
	}
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__metatable");
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__name");
	exchanges->metatables[view] = lua_topointer(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &exchanges->metatables[view]);
}

void views_set_metatable(lua_State *L, const struct exchanges *exchanges, enum view view)
{
	(void)lua_rawgetp(L, LUA_REGISTRYINDEX, &exchanges->metatables[view]);
	lua_setmetatable(L, -2);
}

/* ---- emit ---- */

/* Where what is emitted comes from: the function emit(), or what route() has returned. */
enum source { EMITTED, RETURNED };

/* Raises. What was returned has no line any more: that where the function begins is named. */
static void wrong(lua_State *L, enum source source, const char *what)
{
	lua_Debug debug;

	if (source == EMITTED)
		(void)luaL_error(L, "emit: %s", what);
	exchanges_push_function(L, views_present(L)->type, TYPE_ROUTE);
	(void)lua_getinfo(L, ">S", &debug);
	(void)luaL_error(L, "%s:%d: route has returned %s", debug.short_src, debug.linedefined,
			 what);
}

static void emit_binding(lua_State *L, struct exchanges *exchanges, const struct bindings *bindings,
			 int index, enum source source)
{
	const struct binding_object *object = lua_touserdata(L, index);
	const struct entry *entry = bindings_at_slot(bindings, object->slot, object->id);

	if (entry)
		answer_add(L, &exchanges->answer, &bindings->all[entry->place], 1);
	else
		wrong(L, source, "a binding that is not there (any more)");
}

/* False: it is none of these. */
static bool emit_one(lua_State *L, struct exchanges *exchanges, int index, enum source source)
{
	const struct bindings *bindings = views_bindings(L);
	const struct key *key;

	switch (views_kind(L, exchanges, index)) {
	case VIEW_BINDING:
		emit_binding(L, exchanges, bindings, index, source);
		return true;
	case VIEW_LIST:
		key = views_list_key(L, lua_touserdata(L, index));
		if (key)
			answer_add(L, &exchanges->answer, key->bindings, key->count);
		return true;
	case VIEW_BINDINGS:
		answer_add(L, &exchanges->answer, bindings->all, bindings->count);
		return true;
	case VIEW_EXCHANGE:
	case VIEWS:
	default:
		return lua_isnil(L, index);
	}
}

static void emit_array(lua_State *L, struct exchanges *exchanges, int index, enum source source)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, index);

	if (count > ARRAY_MAX)
		wrong(L, source, "an array that is too long");
	for (lua_Integer i = 1; i <= count; i++) {
		call_charge(L, 1);
		(void)lua_rawgeti(L, index, i);
		if (!emit_one(L, exchanges, lua_gettop(L), source))
			wrong(L, source,
			      lua_pushfstring(L, "an array with a %s, which is no binding",
					      luaL_typename(L, -1)));
		lua_pop(L, 1);
	}
	lua_pushnil(L);
	if (count == 0 && lua_next(L, index))
		wrong(L, source, "a table that is no array");
}

static void emit_any(lua_State *L, int index, enum source source)
{
	struct exchanges *exchanges = exchanges_of(state_of(L));

	if (!views_present(L)->may_emit)
		(void)luaL_error(L, "emit: only while a message is routed");
	if (lua_istable(L, index))
		emit_array(L, exchanges, index, source);
	else if (!emit_one(L, exchanges, index, source))
		wrong(L, source,
		      lua_pushfstring(L, "a %s, which is no binding", luaL_typename(L, index)));
}

void views_emit_returned(lua_State *L, int index)
{
	emit_any(L, index, RETURNED);
}

static int emit(lua_State *L)
{
	int count = lua_gettop(L);

	for (int i = 1; i <= count; i++) {
		emit_any(L, i, EMITTED);
		lua_settop(L, count);
	}
	return 0;
}

void views_push_emit(lua_State *L)
{
	(void)lua_rawgeti(L, LUA_REGISTRYINDEX, exchanges_of(state_of(L))->emit);
}

void views_prepare(lua_State *L, struct exchanges *exchanges)
{
	views_prepare_exchange(L, exchanges);
	views_prepare_binding(L, exchanges);
	views_prepare_lists(L, exchanges);
	lua_pushcfunction(L, emit);
	exchanges->emit = luaL_ref(L, LUA_REGISTRYINDEX);
}
