/* SPDX-License-Identifier: MIT */
#ifndef LUA_ANSWER_H
#define LUA_ANSWER_H

/*
 * What functions of a script return to the broker. What is not as docs/lua.md says raises, with the
 * file and the line where the function begins. To be called in the body of call_run().
 */

#include <lauxlib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shunt/plugin.h>

struct script;

/* A function that the script has defined. */
struct answerer {
	const char *name; /* "access.authorize" */
	int function;	  /* in Lua's registry; LUA_NOREF: not defined */
};

static inline bool answer_is_defined(const struct answerer *of)
{
	return of->function != LUA_NOREF;
}

/*
 * The function `table.field` of the global table. Raises when there is something else; *ret is
 * LUA_NOREF when there is nothing. `name` has both names.
 */
void answer_find(lua_State *L, const char *name, struct answerer *ret);

/* Raises unless all keys of the global table are in the list, which ends with NULL: a function of
 * a misspelt name would never be called. */
void answer_check_names(lua_State *L, const char *table, const char *const *known);

void answer_push_function(lua_State *L, const struct answerer *of);

/* The number of the word at the index in a list that ends with NULL; of nil, 0. */
unsigned answer_word(lua_State *L, int index, const struct answerer *of, const char *const *words);

/* Text for people, cut to what fits, between characters; control characters become spaces. Of nil,
 * the text stays as it is. */
void answer_text(lua_State *L, int index, const struct answerer *of, char *text, size_t size);

/* A name: at most size - 1 bytes, none of them 0. */
void answer_name(lua_State *L, int index, const struct answerer *of, char *name, size_t size);

/* Seconds as milliseconds, UINT32_MAX: any time. Of nil, *ms stays as it is. */
void answer_seconds(lua_State *L, int index, const struct answerer *of, uint32_t *ms);

/* For collect(): what is wrong, and -1. */
int answer_differs(const struct script *script, const char *table, struct shunt_error *error);
int answer_no_memory(struct shunt_error *error);

/* Raises. */
_Noreturn void answer_fail(lua_State *L, const struct answerer *of, const char *what);

#endif
