/* SPDX-License-Identifier: MIT */
#ifndef LUA_CALLEE_H
#define LUA_CALLEE_H

/*
 * What functions of a script return to the broker. What is not as docs/lua.md says raises, with the
 * file and the line where the function begins. To be called in the body of call_run().
 */

#include <lauxlib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shunt/language.h>

struct script;

/* A function that the script has defined. */
struct callee {
	const char *name; /* "access.authorize" */
	int function;	  /* in Lua's registry; LUA_NOREF: not defined */
};

static inline bool callee_is_defined(const struct callee *of)
{
	return of->function != LUA_NOREF;
}

/*
 * The function `table.field` of the global table. Raises when there is something else; *ret is
 * LUA_NOREF when there is nothing. `name` has both names.
 */
void callee_find(lua_State *L, const char *name, struct callee *ret);

/* Raises unless all keys of the global table are in the list, which ends with NULL: a function of
 * a misspelt name would never be called. */
void callee_check_names(lua_State *L, const char *table, const char *const *known);

void callee_push(lua_State *L, const struct callee *of);

/* The number of the word at the index in a list that ends with NULL; of nil, 0. */
unsigned callee_word(lua_State *L, int index, const struct callee *of, const char *const *words);

/* Text for people, cut to what fits, between characters; control characters become spaces. Of nil,
 * the text stays as it is. */
void callee_text(lua_State *L, int index, const struct callee *of, char *text, size_t size);

/* A name: at most size - 1 bytes, none of them 0. */
void callee_name(lua_State *L, int index, const struct callee *of, char *name, size_t size);

/* Seconds as milliseconds, UINT32_MAX: any time. Of nil, *ms stays as it is. */
void callee_seconds(lua_State *L, int index, const struct callee *of, uint32_t *ms);

/* For collect(): what is wrong, and -1. */
int callee_differs(const struct script *script, const char *table, struct shunt_error *error);
int callee_no_memory(struct shunt_error *error);

/* Prints "what: a, b", of those that are defined; of none, nothing. Names are without the table's.
 */
void callee_describe(struct shunt_report *report, const char *what, const struct callee *const *all,
		     size_t count);

/* Raises. */
_Noreturn void callee_fail(lua_State *L, const struct callee *of, const char *what);

#endif
