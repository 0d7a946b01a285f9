/* SPDX-License-Identifier: MIT */
#ifndef LUA_VIEWS_H
#define LUA_VIEWS_H

/*
 * The objects that a script sees of an exchange: the exchange, its bindings, lists of them, and a
 * binding. They hold no memory of the broker: each access looks whether what it is about is there,
 * and raises when it is not. All of it inside a call.
 */

#include "exchange/exchanges.h"

/* In exchanges.metatables. */
enum view {
	VIEW_BINDINGS,
	VIEW_LIST,
	VIEW_BINDING,
	VIEW_EXCHANGE,
	VIEWS,
};

/* Makes metatables, and the objects that are used by all calls. */
void views_prepare(lua_State *L, struct exchanges *exchanges);

/* Push an object for what is present. */
void views_push_exchange(lua_State *L);
void views_push_bindings(lua_State *L);
void views_push_emit(lua_State *L);
void views_push_subject(lua_State *L, uint32_t slot);

/* A new table takes the place of exchange.state. */
void views_reset_state(lua_State *L);

/* The object at the index is not of an instance any more. */
void views_let_go(lua_State *L, int index);

/* Adds what route() has returned, at the index, to the answer. Raises when it is nothing of the
 * kind. */
void views_emit_returned(lua_State *L, int index);

/* Of which kind the value is; VIEWS: of none. */
enum view views_kind(lua_State *L, const struct exchanges *exchanges, int index);

/* What is present, for objects of that seat; raises when it is not. */
struct present *views_present(lua_State *L);

#endif
