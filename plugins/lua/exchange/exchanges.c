/* SPDX-License-Identifier: MIT */
#include "exchange/exchanges.h"

#include <lauxlib.h>

#include "exchange/views.h"

void exchanges_push_function(lua_State *L, const struct type *type, enum type_function function)
{
	const struct type *own = exchanges_of(state_of(L))->types;

	for (unsigned i = 0; i < type->index; i++)
		own = own->next;
	(void)lua_rawgeti(L, LUA_REGISTRYINDEX, own->refs[function]);
}

/* Lets go of the objects of instances that were destroyed. */
static void let_go(lua_State *L, struct exchanges *exchanges)
{
	struct seat *seat = atomic_exchange_explicit(&exchanges->gone, NULL, memory_order_acquire);
	struct seat *next;

	for (; seat; seat = next) {
		next = seat->next_gone;
		(void)lua_rawgeti(L, LUA_REGISTRYINDEX, seat->object);
		views_let_go(L, -1);
		lua_pop(L, 1);
		luaL_unref(L, LUA_REGISTRYINDEX, seat->object);
		seats_release(seat->seats);
	}
}

void exchanges_begin(lua_State *L, struct present *present)
{
	struct exchanges *exchanges = exchanges_of(state_of(L));

	if (atomic_load_explicit(&exchanges->gone, memory_order_relaxed) != NULL)
		let_go(L, exchanges);
	atomic_store_explicit(&exchanges->present, present, memory_order_relaxed);
	exchanges->call++;
	exchanges->n_lists = 0;
}

void exchanges_end(lua_State *L)
{
	atomic_store_explicit(&exchanges_of(state_of(L))->present, NULL, memory_order_relaxed);
}

/* Another thread may have entered the state meanwhile. */
void exchanges_abandon(struct state *state, struct present *present)
{
	(void)atomic_compare_exchange_strong_explicit(&exchanges_of(state)->present, &present, NULL,
						      memory_order_relaxed, memory_order_relaxed);
}
