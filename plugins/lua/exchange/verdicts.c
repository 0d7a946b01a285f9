/* SPDX-License-Identifier: MIT */
#include "exchange/verdicts.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "run/call.h"
#include "exchange/exchanges.h"
#include "run/fault.h"
#include "exchange/views.h"

struct question {
	struct present present;
	enum type_function function;
	bool is_refused;
	char text[254];
};

static int fail(struct shunt_error *error, uint16_t code, const char *text)
{
	error->code = code;
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
	return -1;
}

int verdict_no_memory(struct shunt_error *error)
{
	return fail(error, SHUNT_RESOURCE_ERROR, "out of memory");
}

int verdict_no_type(struct shunt_error *error)
{
	return fail(error, SHUNT_INTERNAL_ERROR, "the script has no such exchange type");
}

static void refuse(lua_State *L, struct question *question, int index)
{
	const char *text = "the script refuses it";

	if (!lua_isnil(L, index))
		text = luaL_tolstring(L, index, NULL);
	question->is_refused = true;
	(void)snprintf(question->text, sizeof(question->text), "%s", text);
}

/* error("why", 0) refuses; an error that begins with where it is, "FILE:LINE:", is the script's own
 * fault. */
static bool is_refusal(lua_State *L, int status)
{
	const struct place *place = &state_of(L)->budget.place;
	size_t length = strlen(place->source);
	const char *text;

	if (status != LUA_ERRRUN || call_is_over(L) || lua_type(L, -1) != LUA_TSTRING)
		return false;
	text = lua_tostring(L, -1);
	return length == 0 || strncmp(text, place->source, length) != 0 || text[length] != ':';
}

static void ask_body(lua_State *L, void *context)
{
	struct question *question = context;
	int arguments = question->present.subject ? 2 : 1;
	int top = lua_gettop(L), status;

	exchanges_begin(L, &question->present);
	lua_pushcfunction(L, fault_handler);
	exchanges_push_function(L, question->present.type, question->function);
	views_push_exchange(L);
	if (question->present.subject)
		views_push_subject(L, 0);
	status = lua_pcall(L, arguments, 2, top + 1);
	if (status != LUA_OK && !is_refusal(L, status))
		(void)lua_error(L);
	if (status != LUA_OK)
		refuse(L, question, top + 2);
	else if (lua_isboolean(L, top + 2) && !lua_toboolean(L, top + 2))
		refuse(L, question, top + 3);
	else if (!lua_isnil(L, top + 2) && !lua_isboolean(L, top + 2))
		(void)luaL_error(L,
				 "a validate function must return true, or false and why, not a "
				 "%s",
				 luaL_typename(L, top + 2));
	exchanges_end(L);
}

static int ask(struct question *question, struct shunt_error *error)
{
	struct state *state = script_state_here(question->present.type->script);
	char text[sizeof(error->text)];

	switch (call_run(state, CALL_VALIDATE, ask_body, question, NULL)) {
	case CALL_OK:
		if (!question->is_refused)
			return 0;
		return fail(error, SHUNT_PRECONDITION_FAILED, question->text);
	case CALL_FAILED:
		exchanges_abandon(state, &question->present);
		(void)snprintf(text, sizeof(text),
			       "the script of exchange type '%s' has failed: the broker's log "
			       "says how",
			       question->present.type->functions.name);
		break;
	case CALL_QUARANTINED:
	case CALL_BUSY:
	default:
		(void)snprintf(text, sizeof(text),
			       "the script of exchange type '%s' has failed too often: it is not "
			       "asked for a while",
			       question->present.type->functions.name);
		break;
	}
	return fail(error, SHUNT_PRECONDITION_FAILED, text);
}

int verdict_on_exchange(const struct type *type, const struct shunt_exchange *exchange,
			struct shunt_error *error)
{
	struct question question = {
		.present = {.type = type, .exchange = exchange},
		.function = TYPE_VALIDATE,
	};

	return ask(&question, error);
}

int verdict_on_binding(const struct instance *instance, const struct shunt_binding *binding,
		       struct shunt_error *error)
{
	struct question question = {
		.present = {.type = instance->type,
			    .exchange = instance->exchange,
			    .subject = binding},
		.function = TYPE_VALIDATE_BINDING,
	};

	return ask(&question, error);
}
