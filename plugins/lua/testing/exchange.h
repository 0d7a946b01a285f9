/* SPDX-License-Identifier: MIT */
#ifndef LUA_TESTING_EXCHANGE_H
#define LUA_TESTING_EXCHANGE_H

/* test.exchange(): exchanges of a test, of the types that its script has registered. */

#include "testing/host.h"

/* In the test's memory, as the exchange is. */
struct testing_exchange;

struct testing_binding {
	struct shunt_binding binding; /* first: route() answers with it */
	struct testing_binding *next;
	struct testing_exchange *exchange;
	void *cookie;
	bool is_bound;
	bool matches; /* as route() has just said */
	bool matched; /* as it said first */
};

struct testing_exchange {
	struct shunt_exchange exchange;
	const struct shunt_exchange_type *type;
	struct testing_exchange *next;
	void *instance;
	struct testing_binding *bindings, **bindings_end;
	uint64_t next_id;
};

/* test.exchange(type [, {...}]) */
int testing_exchange(lua_State *L);

/* Before the script is closed. */
void testing_exchanges_destroy(struct testing *testing);

/* Sets `matches` of all bindings. Raises what the script raises. */
void testing_exchange_route(lua_State *L, struct testing_exchange *exchange,
			    const struct testing_message *message);

/* Routes the message again and again, with all that the type's `depends` does not name changed;
 * raises if it goes elsewhere. After testing_exchange_route(). */
void testing_depends_check(lua_State *L, struct testing_exchange *exchange,
			   const struct testing_message *message);

/* Raises what the broker refuses in the arguments, a raw table, of a declare or bind. */
void testing_arguments_check(lua_State *L, struct shunt_bytes arguments,
			     const struct shunt_argument *described);

#endif
