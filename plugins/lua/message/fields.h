/* SPDX-License-Identifier: MIT */
#ifndef LUA_FIELDS_H
#define LUA_FIELDS_H

/*
 * A raw field table as a script sees it: headers, arguments. An entry is looked up in the raw table
 * when it is read; only pairs() makes a Lua table of it. All of it inside a call.
 */

#include <lua.h>
#include <shunt/plugin.h>

#define FIELDS_NAME_MAX 255u

struct fields;

/* Where the entries come from. */
struct fields_kind {
	/* The raw table; raises when it is gone. */
	struct shunt_bytes (*raw)(lua_State *L, const struct fields *fields);

	/* Arguments that have defaults; NULL: there are none. */
	const struct shunt_argument *(*schema)(lua_State *L, const struct fields *fields);

	/* The object is at `index`. Pushes the table of what was written, by name; what was taken
	 * away is fields_is_gone(). False, and pushes nothing: nothing was. */
	bool (*written)(lua_State *L, const struct fields *fields, int index);

	/* Writes: the object, the name and the value are at 1, 2 and 3. NULL: raises. */
	void (*write)(lua_State *L, struct fields *fields);
};

/* The beginning of the userdata. */
struct fields {
	const struct fields_kind *kind;
};

/* Whether the value at the index stands for one that was taken away; and pushes that. */
bool fields_is_gone(lua_State *L, int index);
void fields_push_gone(lua_State *L);

/* Once, before the others. */
void fields_prepare(lua_State *L);

/* Pushes a new object of this size, with user values. */
struct fields *fields_push(lua_State *L, const struct fields_kind *kind, size_t size,
			   int user_values);

/* NULL: the value is none. */
struct fields *fields_test(lua_State *L, int index);

/* Pushes a new Lua table with the entries; false, and pushes nothing, when the value is none. */
bool fields_push_table(lua_State *L, int index);

#endif
