/* SPDX-License-Identifier: MIT */
#ifndef LUA_ANSWER_H
#define LUA_ANSWER_H

/*
 * Where a message goes, gathered while route() of a script runs: only when it has ended well it
 * goes into the sink. Of a state.
 */

#include <lua.h>
#include <shunt/plugin.h>

/* Bindings in a row, of arrays that stay in place while a message is routed. */
struct answer_part {
	const struct shunt_binding *const *bindings;
	size_t count;
};

struct answer {
	const struct shunt_host *host;
	struct answer_part *parts;
	size_t count, capacity;
	size_t free_of_charge; /* how many bindings may still be added so */
};

void answer_init(struct answer *answer, const struct shunt_host *host);
void answer_fini(struct answer *answer);

/* A new answer, of an exchange with so many bindings. */
void answer_begin(struct answer *answer, size_t n_bindings);

/* Inside a call: may raise. Charges for what is more than all bindings once. */
void answer_add(lua_State *L, struct answer *answer, const struct shunt_binding *const *bindings,
		size_t count);

void answer_give(const struct answer *answer, struct shunt_sink *sink);

#endif
