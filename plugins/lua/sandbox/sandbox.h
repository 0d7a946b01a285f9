/* SPDX-License-Identifier: MIT */
#ifndef LUA_SANDBOX_H
#define LUA_SANDBOX_H

/* What of Lua's own libraries a script may use; whatever works long is charged (call_charge()). */

#include <lua.h>

/* Makes the globals of a new state. Raises when memory is out. */
void sandbox_open(lua_State *L);

#endif
