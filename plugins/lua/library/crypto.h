/* SPDX-License-Identifier: MIT */
#ifndef LUA_CRYPTO_H
#define LUA_CRYPTO_H

/* crypto: what a script needs to compare secrets. */

#include <lua.h>

/* Adds the global. May raise. */
void crypto_open(lua_State *L);

#endif
