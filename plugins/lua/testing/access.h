/* SPDX-License-Identifier: MIT */
#ifndef LUA_TESTING_ACCESS_H
#define LUA_TESTING_ACCESS_H

#include <lua.h>

/* test.authenticate(user, password [, peer [, mechanism]]) -> verdict, details or reason */
int testing_authenticate(lua_State *L);

/* test.authorize{...} -> verdict, reason, seconds */
int testing_authorize(lua_State *L);

#endif
