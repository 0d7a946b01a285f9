/* SPDX-License-Identifier: MIT */

/* Bindings in a row, as a script sees them: all of an exchange, and those of a key. */

#include <lauxlib.h>

#include "run/call.h"
#include "exchange/views_state.h"

const struct bindings *views_bindings(lua_State *L)
{
	const struct present *present = views_present(L);

	if (!present->instance)
		(void)luaL_error(L, "there are no bindings yet");
	return &present->instance->bindings;
}

/* The object at 1; raises when it is of another kind. */
static void *object_at_1(lua_State *L, enum view kind, const char *wanted)
{
	if (views_kind(L, exchanges_of(state_of(L)), 1) != kind)
		(void)luaL_error(L, "%s wanted, not %s: is it called with a colon?", wanted,
				 luaL_typename(L, 1));
	return lua_touserdata(L, 1);
}

/* ---- Lists ---- */

/* Pushes the binding at the place, 1..count, or nil. */
static void push_element(lua_State *L, struct entry *const *entries, uint32_t count,
			 lua_Integer place)
{
	if (place < 1 || place > count)
		lua_pushnil(L);
	else
		views_push_binding(L, entries[place - 1]->slot, entries[place - 1]->binding->id);
}

const struct key *views_list_key(lua_State *L, const struct list_object *list)
{
	const struct present *present = views_present(L);

	if (list->call != exchanges_of(state_of(L))->call || !present->instance)
		(void)luaL_error(L, "a list of bindings is there only during the call in which it "
				    "was made");
	return list->key;
}

/* ipairs and each: upvalues are the object and the place of the last one. */
static int each_next(lua_State *L)
{
	lua_Integer place = lua_tointeger(L, lua_upvalueindex(2)) + 1;

	call_charge(L, 1);
	lua_pushinteger(L, place);
	lua_copy(L, -1, lua_upvalueindex(2));
	lua_geti(L, lua_upvalueindex(1), place);
	return 1;
}

static int push_each(lua_State *L)
{
	lua_pushvalue(L, 1);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, each_next, 2);
	return 1;
}

static int list_each(lua_State *L)
{
	(void)object_at_1(L, VIEW_LIST, "a list of bindings");
	return push_each(L);
}

static int list_length(lua_State *L)
{
	const struct key *key = views_list_key(L, lua_touserdata(L, 1));

	lua_pushinteger(L, key ? key->count : 0);
	return 1;
}

/* Upvalue 1: the methods, by name. */
static int get_method(lua_State *L, const char *what)
{
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
		return luaL_error(L, "%s has no '%s'", what, luaL_tolstring(L, 2, NULL));
	return 1;
}

static int list_index(lua_State *L)
{
	const struct key *key;

	if (lua_type(L, 2) != LUA_TNUMBER)
		return get_method(L, "a list of bindings");
	key = views_list_key(L, lua_touserdata(L, 1));
	if (key)
		push_element(L, key->entries, key->count, lua_tointeger(L, 2));
	else
		lua_pushnil(L);
	return 1;
}

static void push_list(lua_State *L, const struct key *key)
{
	struct exchanges *exchanges = exchanges_of(state_of(L));
	struct list_object *list;

	if (exchanges->n_lists < EXCHANGE_LISTS) {
		(void)lua_rawgeti(L, LUA_REGISTRYINDEX, exchanges->lists[exchanges->n_lists++]);
		list = lua_touserdata(L, -1);
	} else {
		list = lua_newuserdatauv(L, sizeof(*list), 0);
		views_set_metatable(L, exchanges, VIEW_LIST);
	}
	list->key = key;
	list->call = exchanges->call;
}

/* ---- All bindings ---- */

static int bindings_length(lua_State *L)
{
	lua_pushinteger(L, views_bindings(L)->count);
	return 1;
}

static int bindings_index(lua_State *L)
{
	const struct bindings *bindings;

	if (lua_type(L, 2) != LUA_TNUMBER)
		return get_method(L, "bindings");
	bindings = views_bindings(L);
	push_element(L, bindings->entries, bindings->count, lua_tointeger(L, 2));
	return 1;
}

static int bindings_each(lua_State *L)
{
	(void)object_at_1(L, VIEW_BINDINGS, "bindings");
	return push_each(L);
}

static int bindings_match(lua_State *L)
{
	const struct bindings *bindings;
	struct shunt_bytes text;

	(void)object_at_1(L, VIEW_BINDINGS, "bindings");
	bindings = views_bindings(L);
	if (lua_isnoneornil(L, 2)) {
		push_list(L, NULL);
		return 1;
	}
	text.data = (const uint8_t *)luaL_checklstring(L, 2, &text.size);
	call_charge(L, 1 + text.size / 64);
	push_list(L, keys_find(&bindings->keys, text));
	return 1;
}

/* ---- Metatables ---- */

void views_prepare_lists(lua_State *L, struct exchanges *exchanges)
{
	static const luaL_Reg bindings_methods[] = {
		{"each", bindings_each}, {"match", bindings_match}, {NULL, NULL}};
	static const luaL_Reg list_methods[] = {{"each", list_each}, {NULL, NULL}};

	luaL_newlib(L, bindings_methods);
	views_make_metatable(L, exchanges, VIEW_BINDINGS, "bindings", bindings_index,
			     bindings_length);
	luaL_newlib(L, list_methods);
	views_make_metatable(L, exchanges, VIEW_LIST, "list of bindings", list_index, list_length);
	(void)lua_newuserdatauv(L, 1, 0);
	views_set_metatable(L, exchanges, VIEW_BINDINGS);
	exchanges->bindings = luaL_ref(L, LUA_REGISTRYINDEX);
	exchanges->n_lists = EXCHANGE_LISTS; /* there are none to use again */
	for (unsigned i = 0; i < EXCHANGE_LISTS; i++) {
		push_list(L, NULL);
		exchanges->lists[i] = luaL_ref(L, LUA_REGISTRYINDEX);
	}
}

void views_push_bindings(lua_State *L)
{
	(void)lua_rawgeti(L, LUA_REGISTRYINDEX, exchanges_of(state_of(L))->bindings);
}
