/* SPDX-License-Identifier: MIT */
#ifndef LUA_INSTANCE_H
#define LUA_INSTANCE_H

/*
 * An exchange of a script's type: its bindings, without Lua, and what each state has of it, its
 * seat there.
 *
 * bind() and unbind() change the bindings in C, for all loops at once. A type without functions of
 * these names is done then. Of one that has them, each state is told by calls of them, on its own
 * loop, before its next route(): what is still to be told is in `changes`. A state that was never
 * told, or has missed something, begins anew, with an empty exchange.state, and is told of all
 * bindings that there are.
 *
 * After a start, or a reload, that would be too much for the first route(): so as long as no
 * message has been routed, bind() tells all states, if nobody is in them just then. It does not
 * after a call has failed: a slow one would hold up all loops.
 */

#include <stdatomic.h>

#include "exchange/bindings.h"
#include "exchange/changes.h"
#include "run/state.h"
#include "exchange/type.h"

struct seats;

/* Of an instance in a state. Its loop's alone, or of who may change the instance. */
struct seat {
	struct seats *seats;	/* that it is one of */
	struct seat *next_gone; /* see exchanges.h */
	uint64_t told;		/* number of the next event that it is to be told */
	bool follows;		/* it was told of all before; else it begins anew */
	int object;		/* of the exchange, in the registry; LUA_NOREF */
};

/* They outlive the instance until each state has let go of its own. */
struct seats {
	const struct shunt_host *host;
	_Atomic unsigned holders; /* the instance, and the states that have an object of it */
	struct seat of_state[];
};

struct instance {
	const struct type *type; /* of the first state */
	const struct shunt_exchange *exchange;
	struct bindings bindings;
	struct changes changes;
	struct seats *seats;
	_Atomic bool was_routed;
	bool has_failed;     /* a bind() that told states */
	uint32_t slow_binds; /* of those */
};

/* Sets the functions that the broker calls. */
void instance_set_functions(struct type *type);

/* Tells the state, which is entered by nobody or the caller, what it was not told of. False: not
 * all of it: it is in quarantine, or, with try, somebody is in it. */
bool instance_tell(struct instance *instance, struct state *state, bool try_only);

/* After a bind(), before the first message: all states that can be told, unless that takes long. */
void instance_tell_all(struct instance *instance);

static inline struct seat *instance_seat(const struct instance *instance, const struct state *state)
{
	return &instance->seats->of_state[state->loop];
}

void seats_release(struct seats *seats);

#endif
