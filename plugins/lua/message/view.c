/* SPDX-License-Identifier: MIT */
#include "message/view.h"

#include <lauxlib.h>
#include <pthread.h>
#include <stdatomic.h>

/*
 * Shown by the thread that is to call, before it is in the state, where another one may be that
 * replays bindings: to that one it shows nothing, whatever it sees here.
 */
struct view {
	const struct view_type *type;
	_Atomic(const void *) subject; /* NULL: no call */
	_Atomic uintptr_t thread;
};

static const void *subject_of(const struct view *view)
{
	if (atomic_load_explicit(&view->thread, memory_order_relaxed) != (uintptr_t)pthread_self())
		return NULL;
	return atomic_load_explicit(&view->subject, memory_order_relaxed);
}

/* ---- Reading ---- */

/* Scripts have no way to the metatable, so that the first argument is an object of its type. The
 * upvalue has the numbers of the fields by their names. */
static int read_field(lua_State *L)
{
	const struct view *view = lua_touserdata(L, 1);
	const void *subject = subject_of(view);

	lua_settop(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	if (lua_type(L, 2) != LUA_TNUMBER)
		return luaL_error(L, "a %s has no such field", view->type->name);
	if (subject == NULL)
		return luaL_error(L, "the %s is used after the call", view->type->name);
	view->type->fields[lua_tointeger(L, 2)].push(L, subject);
	return 1;
}

static int refuse_writing(lua_State *L)
{
	const struct view *view = lua_touserdata(L, 1);

	return luaL_error(L, "a %s cannot be changed", view->type->name);
}

/* ---- Making ---- */

static void push_reader(lua_State *L, const struct view_type *type)
{
	lua_newtable(L);
	for (lua_Integer i = 0; type->fields[i].name != NULL; i++) {
		lua_pushinteger(L, i);
		lua_setfield(L, -2, type->fields[i].name);
	}
	lua_pushcclosure(L, read_field, 1);
}

struct view *view_create(lua_State *L, const struct view_type *type)
{
	struct view *view = lua_newuserdatauv(L, sizeof(*view), 1);

	view->type = type;
	atomic_init(&view->subject, NULL);
	atomic_init(&view->thread, 0);
	lua_createtable(L, 0, 4);
	push_reader(L, type);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, refuse_writing);
	lua_setfield(L, -2, "__newindex");
	lua_pushstring(L, type->name);
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	return view;
}

void view_link(lua_State *L, int index)
{
	lua_pushvalue(L, index);
	lua_setiuservalue(L, -2, 1);
}

void view_push_link(lua_State *L)
{
	const struct view *other;

	lua_getiuservalue(L, 1, 1);
	other = lua_touserdata(L, -1);
	if (other != NULL && subject_of(other) == NULL) {
		lua_pop(L, 1);
		lua_pushnil(L);
	}
}

const void *view_show(struct view *view, const void *subject)
{
	const void *before = atomic_load_explicit(&view->subject, memory_order_relaxed);

	atomic_store_explicit(&view->subject, subject, memory_order_relaxed);
	atomic_store_explicit(&view->thread, (uintptr_t)pthread_self(), memory_order_relaxed);
	return before;
}

/* ---- Fields ---- */

void view_push_bytes(lua_State *L, struct shunt_bytes bytes)
{
	lua_pushlstring(L, bytes.size != 0 ? (const char *)bytes.data : "", bytes.size);
}

void view_push_bytes_or_nil(lua_State *L, struct shunt_bytes bytes)
{
	if (bytes.size != 0)
		view_push_bytes(L, bytes);
	else
		lua_pushnil(L);
}

static void push_host(lua_State *L, const void *subject)
{
	view_push_bytes(L, ((const struct shunt_peer *)subject)->host);
}

static void push_port(lua_State *L, const void *subject)
{
	lua_pushinteger(L, ((const struct shunt_peer *)subject)->port);
}

static void push_is_loopback(lua_State *L, const void *subject)
{
	lua_pushboolean(L, ((const struct shunt_peer *)subject)->is_loopback);
}

static void push_is_tls(lua_State *L, const void *subject)
{
	lua_pushboolean(L, ((const struct shunt_peer *)subject)->is_tls);
}

static const struct view_field peer_fields[] = {
	{"host", push_host},
	{"port", push_port},
	{"is_loopback", push_is_loopback},
	{"is_tls", push_is_tls},
	{0},
};

const struct view_type view_peer = {"peer", peer_fields};
