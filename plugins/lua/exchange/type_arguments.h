/* SPDX-License-Identifier: MIT */
#ifndef LUA_TYPE_ARGUMENTS_H
#define LUA_TYPE_ARGUMENTS_H

/* What arguments a type takes: from the script's table to the SDK's structure. */

#include "exchange/type.h"

/* Memory that goes with the type, zero. Raises when there is none. */
void *type_keep(lua_State *L, struct type *type, size_t size);
const char *type_keep_text(lua_State *L, struct type *type, int index);

/* Reads the array at the index. Raises, naming the key, what is wrong with it. */
const struct shunt_argument *type_arguments_read(lua_State *L, struct type *type, int index,
						 const char *key);

bool type_arguments_same(const struct shunt_argument *a, const struct shunt_argument *b);

#endif
