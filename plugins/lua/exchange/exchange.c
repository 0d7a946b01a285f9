/* SPDX-License-Identifier: MIT */

/* The module: exchange.register(), and what becomes of it. */

#include "exchange/exchange.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "exchange/exchanges.h"
#include "exchange/instance.h"
#include "exchange/views.h"

#define TYPES_MAX 256u /* of a script: what they keep is not in the memory of a state */

/* ---- exchange.register() ---- */

/* It becomes one of the types when nothing is wrong with it: reading it may raise, or, by a
 * metamethod, register another one. */
static struct type *begin_type(lua_State *L, struct exchanges *exchanges)
{
	struct type *type;

	if (exchanges->n_begun >= TYPES_MAX)
		(void)luaL_error(L, "exchange.register: more than %d types", (int)TYPES_MAX);
	type = type_create(exchanges->state->script);
	if (!type)
		(void)luaL_error(L, "out of memory");
	exchanges->n_begun++;
	type->next = exchanges->unfinished;
	exchanges->unfinished = type;
	return type;
}

static void add_type(struct exchanges *exchanges, struct type *type)
{
	struct type **place = &exchanges->unfinished;

	while (*place != type)
		place = &(*place)->next;
	*place = type->next;
	type->next = NULL;
	for (place = &exchanges->types; *place;)
		place = &(*place)->next;
	*place = type;
	type->index = exchanges->n_types++;
}

static void check_name(lua_State *L, const struct exchanges *exchanges, const struct type *type)
{
	for (const struct type *other = exchanges->types; other; other = other->next)
		if (strcmp(other->functions.name, type->functions.name) == 0)
			(void)luaL_error(L, "exchange.register: '%s' is registered already",
					 type->functions.name);
}

static int exchange_register(lua_State *L)
{
	struct exchanges *exchanges = exchanges_of(state_of(L));
	struct type *type;

	luaL_checktype(L, 1, LUA_TTABLE);
	if (exchanges->is_closed)
		return luaL_error(L, "exchange.register: only at top level, while the script is "
				     "loaded");
	type = begin_type(L, exchanges);
	type_read(L, type, 1);
	check_name(L, exchanges, type);
	instance_set_functions(type);
	add_type(exchanges, type);
	return 0;
}

/* ---- Of a state ---- */

static void exchange_open(lua_State *L, struct state *state)
{
	static const luaL_Reg functions[] = {{"register", exchange_register}, {NULL, NULL}};
	const struct shunt_host *host = state->script->host;
	struct exchanges *exchanges = host->allocate(host, sizeof(*exchanges));

	if (!exchanges)
		(void)luaL_error(L, "out of memory");
	memset(exchanges, 0, sizeof(*exchanges));
	exchanges->state = state;
	exchanges->host = host;
	answer_init(&exchanges->answer, host);
	state->of_module[MODULE_EXCHANGE] = exchanges;
	views_prepare(L, exchanges);
	luaL_newlib(L, functions);
	lua_setglobal(L, "exchange");
}

static void exchange_look(lua_State *L, struct state *state)
{
	(void)L;
	exchanges_of(state)->is_closed = true;
}

static void destroy_types(struct type *type)
{
	struct type *next;

	for (; type; type = next) {
		next = type->next;
		type_destroy(type);
	}
}

/* Its Lua is closed, so what seats had there is gone. */
static void exchange_close_state(struct state *state)
{
	struct exchanges *exchanges = exchanges_of(state);
	struct seat *next_seat;

	if (!exchanges)
		return;
	for (struct seat *seat = atomic_load(&exchanges->gone); seat; seat = next_seat) {
		next_seat = seat->next_gone;
		seats_release(seat->seats);
	}
	destroy_types(exchanges->unfinished);
	destroy_types(exchanges->types);
	answer_fini(&exchanges->answer);
	exchanges->host->free(exchanges->host, exchanges);
	state->of_module[MODULE_EXCHANGE] = NULL;
}

/* ---- Of the script ---- */

static int differ(const struct script *script, unsigned i, const char *what, const char *name,
		  struct shunt_error *error)
{
	error->code = 0;
	(void)snprintf(error->text, sizeof(error->text),
		       "%.80s: loop %u has registered other exchange types than loop 0: %s%s%.60s",
		       script->path, i, what, *name ? " of " : "", name);
	return -1;
}

/* All loops must have the same types: a client's exchange is on all of them. */
static int exchange_collect(struct script *script, struct shunt_error *error)
{
	const struct exchanges *first = exchanges_of(script->states[0]);

	for (unsigned i = 1; i < script->n_states; i++) {
		const struct exchanges *other = exchanges_of(script->states[i]);
		const struct type *a = first->types, *b = other->types;

		for (; a && b; a = a->next, b = b->next) {
			const char *difference = type_difference(a, b);

			if (difference)
				return differ(script, i, difference, a->functions.name, error);
		}
		if (a || b)
			return differ(script, i, "their number", "", error);
	}
	return 0;
}

static int exchange_start(struct script *script, struct shunt_error *error)
{
	const struct shunt_host *host = script->host;

	for (const struct type *type = exchanges_of(script->states[0])->types; type;
	     type = type->next)
		if (host->register_exchange_type(host, &type->functions, error) != 0)
			return -1;
	return 0;
}

static void exchange_describe(const struct script *script, struct shunt_report *report)
{
	for (const struct type *type = exchanges_of(script->states[0])->types; type;
	     type = type->next) {
		char line[256];
		int size = snprintf(line, sizeof(line), "exchange type %s%s%.100s\n",
				    type->functions.name, *type->functions.description ? ": " : "",
				    type->functions.description);

		report->print(report, (struct shunt_bytes){(const uint8_t *)line, (size_t)size});
	}
}

const struct module exchange_module = {
	.open = exchange_open,
	.look = exchange_look,
	.collect = exchange_collect,
	.start = exchange_start,
	.describe = exchange_describe,
	.close_state = exchange_close_state,
};
