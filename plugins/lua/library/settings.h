/* SPDX-License-Identifier: MIT */
#ifndef LUA_SETTINGS_H
#define LUA_SETTINGS_H

/* The global `settings`: what stands as script.NAME.KEY in the configuration, nested at dots, but
 * for the keys that are the broker's own. */

#include <lua.h>

struct state;

/* Adds it. May raise. */
void settings_open(lua_State *L, struct state *state);

/* The source has run: refuses keys of which scripts can see a part only. May raise. */
void settings_look(lua_State *L);

#endif
