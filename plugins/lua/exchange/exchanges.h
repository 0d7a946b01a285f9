/* SPDX-License-Identifier: MIT */
#ifndef LUA_EXCHANGES_H
#define LUA_EXCHANGES_H

/* What a state has for exchanges: its types, and the objects that a script sees. */

#include <lua.h>
#include <stdatomic.h>

#include "exchange/answer.h"
#include "exchange/instance.h"
#include "script.h"
#include "run/state.h"
#include "exchange/type.h"

#define EXCHANGE_LISTS 4 /* that are used again by each call */

/* An exchange that a script is asked about. On the stack of who calls. */
struct present {
	const struct type *type;
	const struct shunt_exchange *exchange;
	struct instance *instance;	     /* NULL: validate() */
	struct seat *seat;		     /* NULL: it has none in this call: validate */
	const struct shunt_binding *subject; /* that is validated, comes or goes; may be NULL */
	bool may_emit;			     /* it is a route */
};

struct exchanges {
	struct state *state;
	const struct shunt_host *host;
	struct type *types; /* in their order */
	struct type *unfinished; /* those with which something was wrong */
	unsigned n_types, n_begun;
	bool is_closed; /* no more types are taken */

	/* Set inside of a call, and reset by its end: what objects may be looked at for. */
	struct present *_Atomic present;
	uint64_t call; /* number of the present one */

	int bindings, emit, exchange; /* objects in the registry; the exchange of validate() */
	int lists[EXCHANGE_LISTS];
	unsigned n_lists;	   /* in use by the present call */
	const void *metatables[5]; /* exchange_views.h */
	struct answer answer;

	/* Seats of instances that were destroyed, whose object is still to be let go of. Pushed by
	 * any thread. */
	struct seat *_Atomic gone;
};

static inline struct exchanges *exchanges_of(const struct state *state)
{
	return state->of_module[MODULE_EXCHANGE];
}

/* The registered function of that type, on the top. */
void exchanges_push_function(lua_State *L, const struct type *type, enum type_function function);

/*
 * The beginning and the end of a call, in its body. After a call that failed: exchanges_abandon(),
 * which touches no Lua.
 */
void exchanges_begin(lua_State *L, struct present *present);
void exchanges_end(lua_State *L);
void exchanges_abandon(struct state *state, struct present *present);

#endif
