/* SPDX-License-Identifier: MIT */
/*
 * broker.publish(). The host takes the message and sends it after the present call. Who is told
 * what became of it is an object of Lua's, kept by a reference of its own in the registry: one that
 * the broker drops while it stops goes with the state. The broker does not close a script before
 * the last answer, and gives it on the loop that published, which is the state's.
 */
#include "library/broker.h"

#include <string.h>

#include "policy/callee.h"
#include "message/fields.h"
#include "message/message.h"
#include "script.h"
#include "run/state.h"
#include "message/values.h"

/* In instructions: making a draft and handing it over, besides its bytes. */
#define PER_PUBLISH 200u
#define PER_HEADER  20u

/* Messages of which each is published as one is told what became of the one before. A chain without
 * end would keep the script, and publish, when another version has long taken its place. */
#define CHAIN_MAX 100u

/* Of a state. */
struct broker_state {
	struct shunt_draft *draft; /* in the making, or left by a call that failed; NULL: none */
	unsigned chain;		   /* of the message that is being told of, in CALL_DONE */
};

/* Who is told; the function is its user value. */
struct told {
	struct state *state;
	int self;	/* in the registry */
	unsigned chain; /* how many there are, with this one */
	const char *outcome;
};

/* ---- What became of it ---- */

static const char *outcome_word(enum shunt_outcome outcome)
{
	switch (outcome) {
	case SHUNT_ROUTED:
		return "routed";
	case SHUNT_UNROUTABLE:
		return "unroutable";
	case SHUNT_REFUSED:
		break;
	}
	return "refused";
}

/* The stack keeps it from here on. */
static void tell(lua_State *L, void *context)
{
	const struct told *told = context;
	struct broker_state *own = told->state->of_module[MODULE_BROKER];

	own->chain = told->chain;
	lua_rawgeti(L, LUA_REGISTRYINDEX, told->self);
	luaL_unref(L, LUA_REGISTRYINDEX, told->self);
	lua_getiuservalue(L, -1, 1);
	lua_pushstring(L, told->outcome);
	lua_call(L, 1, 0);
}

static void forget_untold(lua_State *L, void *context)
{
	const struct told *told = context;

	luaL_unref(L, LUA_REGISTRYINDEX, told->self);
}

/* No other loop may touch the state: an answer that came there would be lost, and is said so. What
 * loads scripts is never in quarantine. */
static void on_done(void *context, enum shunt_outcome outcome)
{
	struct told *told = context;
	struct state *state = told->state;
	const struct shunt_host *host = state->script->host;

	if (script_state_here(state->script) != state) {
		host->log(host, SHUNT_LOG_ERROR, "what became of a message was told elsewhere");
		return;
	}
	told->outcome = outcome_word(outcome);
	if (call_run(state, CALL_DONE, tell, told, NULL) == CALL_QUARANTINED)
		(void)call_run(state, CALL_LOAD, forget_untold, told, NULL);
}

static unsigned chain_now(lua_State *L, const struct state *state)
{
	const struct broker_state *own = state->of_module[MODULE_BROKER];

	return call_kind_now(L) == CALL_DONE ? own->chain : 0;
}

/* The function at the index; a reference keeps it until then. */
static struct told *push_told(lua_State *L, struct state *state, int index)
{
	struct told *told;

	if (!lua_isfunction(L, index))
		luaL_error(L, "broker.publish: done is a %s, it must be a function",
			   luaL_typename(L, index));
	if (chain_now(L, state) >= CHAIN_MAX)
		luaL_error(L, "broker.publish: %d messages in a chain of done; use a timer",
			   (int)CHAIN_MAX);
	told = lua_newuserdatauv(L, sizeof(*told), 1);
	*told = (struct told){.state = state, .chain = chain_now(L, state) + 1};
	lua_pushvalue(L, index);
	lua_setiuservalue(L, -2, 1);
	told->self = luaL_ref(L, LUA_REGISTRYINDEX);
	return told;
}

/* ---- The message ---- */

/* Of the table at index 1, as text; what is absent is `otherwise`. Pushes it. */
static struct shunt_bytes text_field(lua_State *L, const char *name, const char *otherwise)
{
	const char *text;
	size_t size;

	lua_pushstring(L, name);
	if (lua_rawget(L, 1) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_pushstring(L, otherwise);
	}
	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "broker.publish: %s is a %s, it must be a string", name,
			   luaL_typename(L, -1));
	text = lua_tolstring(L, -1, &size);
	return (struct shunt_bytes){(const uint8_t *)text, size};
}

static void drop_draft(const struct state *state)
{
	struct broker_state *own = state->of_module[MODULE_BROKER];
	const struct shunt_host *host = state->script->host;

	if (own->draft != NULL)
		host->draft_free(host, own->draft);
	own->draft = NULL;
}

static void make_draft(lua_State *L, const struct state *state)
{
	struct broker_state *own = state->of_module[MODULE_BROKER];
	const struct shunt_host *host = state->script->host;
	struct shunt_bytes vhost = text_field(L, "vhost", "/");
	struct shunt_bytes exchange = text_field(L, "exchange", "");
	struct shunt_bytes routing_key = text_field(L, "routing_key", "");
	struct shunt_bytes body = text_field(L, "body", "");

	if (vhost.size > 255 || exchange.size > 255 || routing_key.size > 255)
		luaL_error(L, "broker.publish: a name of more than 255 bytes");
	call_charge(L, PER_PUBLISH + body.size / 64);
	drop_draft(state);
	own->draft = host->draft(host, vhost, exchange, routing_key, body);
	if (own->draft == NULL)
		luaL_error(L, "broker.publish: not enough memory");
	lua_pop(L, 4);
}

/* The name at -2 and the value at -1. The draft copies those that it has, of `before` bytes.
 * Returns how many it has now. */
static size_t set_header(lua_State *L, struct shunt_draft *draft, size_t before)
{
	struct shunt_value value;
	struct shunt_bytes name;

	if (lua_type(L, -2) != LUA_TSTRING)
		luaL_error(L, "broker.publish: names of headers must be strings");
	call_charge(L, PER_HEADER + before / 64);
	name.data = (const uint8_t *)lua_tolstring(L, -2, &name.size);
	value_read(L, lua_absindex(L, -1), (const char *)name.data, &value);
	if (draft->set_header(draft, name, &value) != 0)
		luaL_error(L, "broker.publish: the header '%s' cannot be", name.data);
	lua_pop(L, 1);
	return before + name.size + value.bytes.size + PER_HEADER;
}

/* The table at the top; or those of a message, or arguments. */
static void set_headers(lua_State *L, struct shunt_draft *draft)
{
	size_t size = 0;
	bool are_fields = fields_push_table(L, -1);

	if (!lua_istable(L, -1))
		luaL_error(L, "broker.publish: headers is a %s, it must be a table",
			   luaL_typename(L, -1));
	lua_pushnil(L);
	while (lua_next(L, -2) != 0) {
		size = set_header(L, draft, size);
		lua_pop(L, 1);
	}
	lua_pop(L, are_fields ? 1 : 0);
}

static bool is_own(const char *name)
{
	static const char *const names[] = {"vhost", "exchange", "routing_key", "body", "done"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* The name at -2 and the value at -1. */
static void set_field(lua_State *L, struct shunt_draft *draft)
{
	const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
	int property = message_property_find(name);

	if (property >= 0)
		message_set_property(L, draft, (enum shunt_property)property, lua_absindex(L, -1));
	else if (strcmp(name, "headers") == 0)
		set_headers(L, draft);
	else if (!is_own(name))
		luaL_error(L, "broker.publish: a message has no '%s'", luaL_tolstring(L, -2, NULL));
}

static void set_fields(lua_State *L, struct shunt_draft *draft)
{
	lua_pushnil(L);
	while (lua_next(L, 1) != 0) {
		set_field(L, draft);
		lua_pop(L, 1);
	}
}

/* ---- Publishing ---- */

static void check_time(lua_State *L)
{
	enum call_kind kind = call_kind_now(L);

	if (kind == CALL_LOAD || kind == CALL_VALIDATE || kind == CALL_BIND || kind == CALL_ROUTE)
		luaL_error(L, "broker.publish: not in %s", call_kind_name(kind));
}

/* broker.publish{...}. Nothing raises once the host has the draft. */
static int publish(lua_State *L)
{
	struct state *state = state_of(L);
	struct broker_state *own = state->of_module[MODULE_BROKER];
	const struct shunt_host *host = state->script->host;
	struct shunt_draft *draft;
	struct told *told = NULL;

	check_time(L);
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	make_draft(L, state);
	set_fields(L, own->draft);
	lua_pushliteral(L, "done");
	if (lua_rawget(L, 1) != LUA_TNIL)
		told = push_told(L, state, 2);
	draft = own->draft;
	own->draft = NULL;
	host->publish(host, draft, told != NULL ? on_done : NULL, told);
	return 0;
}

/* ---- The life of it ---- */

static void open_broker(lua_State *L, struct state *state)
{
	const struct shunt_host *host = state->script->host;
	struct broker_state *own = host->allocate(host, sizeof(*own));

	if (own == NULL)
		luaL_error(L, "not enough memory");
	else
		*own = (struct broker_state){0};
	state->of_module[MODULE_BROKER] = own;
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, publish);
	lua_setfield(L, -2, "publish");
	lua_pushstring(L, host->broker_version);
	lua_setfield(L, -2, "version");
	lua_setglobal(L, "broker");
}

static void close_state(struct state *state)
{
	const struct shunt_host *host = state->script->host;

	if (state->of_module[MODULE_BROKER] == NULL)
		return;
	drop_draft(state);
	host->free(host, state->of_module[MODULE_BROKER]);
}

const struct module broker_module = {
	.open = open_broker,
	.close_state = close_state,
};
