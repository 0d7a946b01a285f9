/* SPDX-License-Identifier: MIT */
#ifndef LUA_FAULT_H
#define LUA_FAULT_H

/* What a script has raised, whatever it is, as one line of bounded length. */

#include <lua.h>
#include <stddef.h>

#include "run/budget.h"
#include "run/stats.h"

/* As lua_pcall()'s message handler: remembers where it was. */
int fault_handler(lua_State *L);

/* Of which sort the error is that lua_pcall() has left on the stack, with that status. */
enum failure fault_sort(lua_State *L, int status);

/* "FILE:LINE: text" of it; never raises. A __tostring may be called, if the call is not over. */
void fault_text(lua_State *L, enum failure sort, char *text, size_t size);

#endif
