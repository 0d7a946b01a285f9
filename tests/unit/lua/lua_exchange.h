/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_LUA_EXCHANGE_H
#define TESTS_UNIT_LUA_EXCHANGE_H

/* An exchange of the type that a script has registered last, its bindings, and where messages go.
 */

#include "fake_host.h"
#include "fake_table.h"
#include "lua_case.h"

#define LUA_EXCHANGE_BINDINGS 64

struct lua_exchange_binding {
	struct shunt_binding binding; /* first */
	void *cookie;
	char key[64], destination[64];
	bool is_bound;
};

struct lua_exchange {
	struct lua_case c; /* first */
	struct shunt_exchange exchange;
	const struct shunt_exchange_type *type;
	void *state; /* NULL: it was refused */
	struct lua_exchange_binding bindings[LUA_EXCHANGE_BINDINGS];
	size_t n_bindings;
	char routed[1024]; /* where the last one went: destinations in order, with blanks */
};

/* Opens the script for `loops` loops, starts it, and declares an exchange without arguments. */
void lua_exchange_open(struct lua_exchange *x, const char *source, unsigned loops);
void lua_exchange_open_with(struct lua_exchange *x, const char *source, const char *const *settings,
			    unsigned loops);
void lua_exchange_close(struct lua_exchange *x);

/* 0 or -1: c.error says why. The exchange must not be there. */
int lua_exchange_declare(struct lua_exchange *x, const struct fake_table *arguments);
void lua_exchange_destroy(struct lua_exchange *x);

/* Asks the type, and binds. NULL: it was refused. */
struct lua_exchange_binding *lua_exchange_bind(struct lua_exchange *x, const char *key,
					       const char *destination,
					       const struct fake_table *arguments);
/* Takes it out; its memory is overwritten, as the broker frees it. */
void lua_exchange_unbind(struct lua_exchange *x, struct lua_exchange_binding *binding);

/* Routes, on the loop that this thread plays. Returns x->routed. */
const char *lua_exchange_route(struct lua_exchange *x, const char *key,
			       const struct fake_table *headers);
const char *lua_exchange_route_message(struct lua_exchange *x, struct fake_message *message);

#define ASSERT_ROUTES(x, key, headers, expected)                                                   \
	CU_ASSERT_STRING_EQUAL(lua_exchange_route(x, key, headers), expected)

#endif
