/* SPDX-License-Identifier: MIT */
#ifndef LUA_TESTING_HOOK_H
#define LUA_TESTING_HOOK_H

#include <lua.h>

/* test.publish{...} -> decision, message, reason */
int testing_publish(lua_State *L);

/* test.deliver{...} -> decision, message */
int testing_deliver(lua_State *L);

#endif
