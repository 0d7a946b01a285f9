/* SPDX-License-Identifier: MIT */
#ifndef LUA_JSON_H
#define LUA_JSON_H

/* JSON for scripts: the global `json`, and what message:json() reads. */

#include <lua.h>
#include <stdbool.h>

#include <shunt/plugin.h>

/* A longer text is not looked at: it is as if it were no JSON. */
#define JSON_TEXT_MAX 65536u
/* Objects and arrays in each other. */
#define JSON_DEPTH_MAX 64

/*
 * Pushes what is at the path of a JSON text, or nil: it is not JSON, too long, too deep, there is
 * nothing at the path, or null. The path is names of objects and places of arrays, which count from
 * 1, with dots between them; of size 0: the whole. is_plain: objects and arrays are nil, too; then
 * it charges at most some 1.4 instructions a byte, whatever the text. Charges for it; raises when
 * memory, or the budget, is out. Needs no more than LUA_MINSTACK slots.
 */
void json_push(lua_State *L, struct shunt_bytes text, struct shunt_bytes path, bool is_plain);

/* json.null: what null is in arrays. */
void json_null_push(lua_State *L);
bool json_null_is(lua_State *L, int index);

extern const struct module json_module;

#endif
