/* SPDX-License-Identifier: MIT */
#ifndef LUA_VIEWS_STATE_H
#define LUA_VIEWS_STATE_H

/* What the files of the views have in common. */

#include "exchange/views.h"

/* Those of match(). Used again by the next call. */
struct list_object {
	const struct key *key; /* NULL: empty */
	uint64_t call;
};

/* Finds its binding, or that it is gone, by slot and id. User value 1: the arguments. */
struct binding_object {
	uint64_t id;
	uint32_t slot;
};

/* Each pushes a table for make_metatable(): what __index looks names up in. */
void views_push_fields(lua_State *L, const char *const *fields);

/* Sets the metatable of what is on the top. */
void views_set_metatable(lua_State *L, const struct exchanges *exchanges, enum view view);

/* For __index: the number of the field whose name is at 2; raises when there is none. Upvalue 1 is
 * the table of names. Pushes one value. */
int views_get_field(lua_State *L, const char *what);

/* The table of names is on the top; it goes. */
void views_make_metatable(lua_State *L, struct exchanges *exchanges, enum view view,
			  const char *name, lua_CFunction index, lua_CFunction length);

/* The files' metatables and objects. */
void views_prepare_exchange(lua_State *L, struct exchanges *exchanges);
void views_prepare_binding(lua_State *L, struct exchanges *exchanges);
void views_prepare_lists(lua_State *L, struct exchanges *exchanges);

/* Bindings are there in route(), bind() and unbind(); else it raises. */
const struct bindings *views_bindings(lua_State *L);

/* The key of a list, NULL: it is empty. Raises when it is of another call. */
const struct key *views_list_key(lua_State *L, const struct list_object *list);

/* Pushes the one object that a binding has as long as the script holds it. */
void views_push_binding(lua_State *L, uint32_t slot, uint64_t id);

/* Pushes the table of the objects of the present instance's bindings, by slot; it is weak. */
void views_push_objects(lua_State *L);

static inline void views_push_bytes(lua_State *L, struct shunt_bytes bytes)
{
	lua_pushlstring(L, bytes.size > 0 ? (const char *)bytes.data : "", bytes.size);
}

#endif
