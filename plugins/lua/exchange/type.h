/* SPDX-License-Identifier: MIT */
#ifndef LUA_TYPE_H
#define LUA_TYPE_H

/*
 * An exchange type as a state's source has registered it. Each state has all of them; the broker is
 * given those of the first state, once it is clear that the others have registered the same.
 */

#include <lauxlib.h>
#include <shunt/plugin.h>

struct script;
struct type_block;

enum type_function {
	TYPE_VALIDATE,
	TYPE_VALIDATE_BINDING,
	TYPE_BIND,
	TYPE_UNBIND,
	TYPE_ROUTE,
	TYPE_FUNCTIONS,
};

struct type {
	struct shunt_exchange_type functions; /* for the broker */
	struct script *script;
	struct type *next;
	struct type_block *blocks; /* memory of what `functions` points to */
	size_t kept;		   /* bytes of these */
	unsigned index;		   /* among the types of its script */
	bool is_told;		   /* states are told of its bindings: it has bind or unbind */
	int route_arguments;	   /* how many route takes */
	int refs[TYPE_FUNCTIONS];  /* of this state's functions, in the registry; LUA_NOREF: none */
};

static inline bool type_has(const struct type *type, enum type_function function)
{
	return type->refs[function] != LUA_NOREF;
}

/* An empty one; NULL: memory is out. */
struct type *type_create(struct script *script);
void type_destroy(struct type *type);

/* Fills it from the table at the index; raises when it is wrong. */
void type_read(lua_State *L, struct type *type, int index);

/* NULL: the broker sees no difference; else what differs. */
const char *type_difference(const struct type *a, const struct type *b);

#endif
