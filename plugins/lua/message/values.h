/* SPDX-License-Identifier: MIT */
#ifndef LUA_VALUES_H
#define LUA_VALUES_H

/*
 * AMQP field tables and their values in Lua, both ways. All of it inside a call: it raises, and
 * charges for what it does.
 *
 *   t boolean; integers, T integer; f d D number; S x string; F table; A table (array); V nil
 *   boolean t; integer l; float d; string S; table A when it is a sequence, else F; json.null V
 */

#include <lua.h>
#include <shunt/plugin.h>

#define VALUES_DEPTH	   64u		 /* tables in tables, as many as AMQP has */
#define VALUES_DEPTH_SENT  16u		 /* of what goes out */
#define VALUES_BYTES ((size_t)128 << 10) /* of a table that goes out */

/* Pushes the value. */
void value_push(lua_State *L, const struct shunt_host *host, const struct shunt_value *value);

/* Pushes a new table with the entries of a raw field table. Of entries of one name the first
 * counts. */
void value_push_table(lua_State *L, const struct shunt_host *host, struct shunt_bytes raw);

/*
 * Reads the value at the index, which may not be nil. Pushes one value, which owns the bytes of
 * *ret: they are valid as long as it stays on the stack. Raises, naming `what`, when it can not be
 * an AMQP value.
 */
void value_read(lua_State *L, int index, const char *what, struct shunt_value *ret);

/* Reads a table with names as keys as a raw field table. Pushes the string that owns it. */
struct shunt_bytes value_read_table(lua_State *L, int index, const char *what);

#endif
