/* SPDX-License-Identifier: MIT */
#ifndef LUA_JSON_WRITE_H
#define LUA_JSON_WRITE_H

#include <lua.h>

/* json.encode(value): the text; raises what cannot be JSON. */
int json_encode(lua_State *L);

/* Where the registry has the metatable of what is an array. */
extern const char json_array_key;

#endif
