/* SPDX-License-Identifier: MIT */
#ifndef LUA_TESTING_CHECK_H
#define LUA_TESTING_CHECK_H

#include <lua.h>

/* test.equal(got, expected [, what]): raises when they differ; tables are compared entry by entry
 */
int testing_equal(lua_State *L);

/* test.refused(f, ...): f must raise; returns what, without the place where it was */
int testing_refused(lua_State *L);

#endif
