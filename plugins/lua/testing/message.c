/* SPDX-License-Identifier: MIT */
#include "testing/message.h"

#include <lauxlib.h>
#include <string.h>

#include "message/message.h"
#include "script.h"
#include "run/state.h"
#include "message/values.h"

static const char *const message_fields[] = {"routing_key", "exchange", "vhost", "user",
					     "body",	    "headers",	NULL};

/* ---- Fields ---- */

static bool is_among(const char *const *names, const char *name)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

static const char *check_key(lua_State *L)
{
	if (lua_type(L, -2) != LUA_TSTRING)
		luaL_error(L, "names expected as keys, there is a %s", luaL_typename(L, -2));
	return lua_tostring(L, -2);
}

void testing_check_fields(lua_State *L, int table, const char *const *names)
{
	table = lua_absindex(L, table);
	lua_pushnil(L);
	while (lua_next(L, table)) {
		if (!is_among(names, check_key(L)))
			luaL_error(L, "there is no field '%s'", lua_tostring(L, -2));
		lua_pop(L, 1);
	}
}

static void check_message_fields(lua_State *L, int table, const char *const *others)
{
	lua_pushnil(L);
	while (lua_next(L, table)) {
		const char *name = check_key(L);

		if (!is_among(message_fields, name) && !is_among(others, name) &&
		    message_property_find(name) < 0)
			luaL_error(L, "a message has no field '%s'", name);
		lua_pop(L, 1);
	}
}

struct shunt_bytes testing_text(lua_State *L, int table, const char *field, const char *fallback)
{
	struct shunt_bytes bytes;
	int type = lua_getfield(L, table, field);

	if (type == LUA_TNIL) {
		lua_pop(L, 1);
		lua_pushstring(L, fallback);
	} else if (type != LUA_TSTRING) {
		luaL_error(L, "'%s' is a %s, a string expected", field, lua_typename(L, type));
	}
	bytes.data = (const uint8_t *)lua_tolstring(L, -1, &bytes.size);
	return bytes;
}

struct shunt_bytes testing_raw_table(lua_State *L, int table, const char *field)
{
	struct shunt_bytes raw = {NULL, 0};

	if (lua_getfield(L, table, field) == LUA_TNIL)
		return raw;
	raw = value_read_table(L, lua_gettop(L), field);
	lua_replace(L, -2);
	return raw;
}

bool testing_boolean(lua_State *L, int table, const char *field, bool fallback)
{
	int type = lua_getfield(L, table, field);
	bool value = type == LUA_TNIL ? fallback : lua_toboolean(L, -1);

	if (type != LUA_TNIL && type != LUA_TBOOLEAN)
		luaL_error(L, "'%s' is a %s, a boolean expected", field, lua_typename(L, type));
	lua_pop(L, 1);
	return value;
}

/* ---- Messages ---- */

static void read_property(lua_State *L, int table, enum shunt_property property,
			  struct testing_message *message)
{
	const char *name = message_property_name(property);
	struct shunt_value *value = &message->properties[property];
	bool is_number = property == SHUNT_DELIVERY_MODE || property == SHUNT_PRIORITY ||
			 property == SHUNT_TIMESTAMP;
	int type = lua_getfield(L, table, name);

	if (type == LUA_TNIL) {
		lua_pop(L, 1);
		return;
	}
	memset(value, 0, sizeof(*value));
	if (is_number) {
		if (!lua_isinteger(L, -1))
			luaL_error(L, "'%s' must be an integer", name);
		value->type = property == SHUNT_TIMESTAMP ? 'T' : 'B';
		value->integer = lua_tointeger(L, -1);
		if (value->type == 'B' && (value->integer < 0 || value->integer > 255))
			luaL_error(L, "'%s' must be 0 to 255", name);
	} else {
		if (type != LUA_TSTRING)
			luaL_error(L, "'%s' must be a string", name);
		value->type = 'S';
		value->bytes.data = (const uint8_t *)lua_tolstring(L, -1, &value->bytes.size);
	}
	message->has[property] = true;
}

void testing_message_read(lua_State *L, int table, const char *const *others,
			  struct shunt_bytes default_exchange, struct testing_message *ret_message)
{
	struct shunt_message *message = &ret_message->message;

	luaL_checktype(L, table, LUA_TTABLE);
	luaL_checkstack(L, SHUNT_APP_ID + 16, "test");
	table = lua_absindex(L, table);
	check_message_fields(L, table, others);
	memset(ret_message, 0, sizeof(*ret_message));
	message->size = sizeof(*message);
	message->routing_key = testing_text(L, table, "routing_key", "");
	message->vhost = testing_text(L, table, "vhost", "/");
	message->user = testing_text(L, table, "user", "guest");
	message->body = testing_text(L, table, "body", "");
	message->exchange = testing_text(L, table, "exchange", "");
	if (lua_getfield(L, table, "exchange") == LUA_TNIL)
		message->exchange = default_exchange;
	ret_message->headers = testing_raw_table(L, table, "headers");
	for (unsigned property = 0; property <= SHUNT_APP_ID; property++)
		read_property(L, table, property, ret_message);
}

static void push_bytes(lua_State *L, struct shunt_bytes bytes)
{
	lua_pushlstring(L, (const char *)bytes.data, bytes.size);
}

void testing_message_push(lua_State *L, const struct testing_message *message)
{
	const struct shunt_host *host = state_of(L)->script->host;

	luaL_checkstack(L, 8, "test");
	lua_newtable(L);
	push_bytes(L, message->message.routing_key);
	lua_setfield(L, -2, "routing_key");
	push_bytes(L, message->message.exchange);
	lua_setfield(L, -2, "exchange");
	push_bytes(L, message->message.vhost);
	lua_setfield(L, -2, "vhost");
	push_bytes(L, message->message.body);
	lua_setfield(L, -2, "body");
	value_push_table(L, host, message->headers);
	lua_setfield(L, -2, "headers");
	for (unsigned property = 0; property <= SHUNT_APP_ID; property++) {
		if (!message->has[property])
			continue;
		value_push(L, host, &message->properties[property]);
		lua_setfield(L, -2, message_property_name(property));
	}
}

/* ---- Peers ---- */

void testing_peer_read(lua_State *L, int index, struct shunt_peer *ret_peer)
{
	static const char *const fields[] = {"host", "port", "is_loopback", "is_tls", NULL};
	int isnum;
	lua_Integer port = 50000;

	index = lua_absindex(L, index);
	memset(ret_peer, 0, sizeof(*ret_peer));
	ret_peer->size = sizeof(*ret_peer);
	if (lua_isnoneornil(L, index)) {
		lua_newtable(L);
		index = lua_gettop(L);
	}
	luaL_checktype(L, index, LUA_TTABLE);
	testing_check_fields(L, index, fields);
	ret_peer->is_loopback = testing_boolean(L, index, "is_loopback", false);
	ret_peer->is_tls = testing_boolean(L, index, "is_tls", false);
	if (lua_getfield(L, index, "port") != LUA_TNIL) {
		port = lua_tointegerx(L, -1, &isnum);
		if (!isnum || port < 0 || port > 65535)
			luaL_error(L, "'port' must be 0 to 65535");
	}
	lua_pop(L, 1);
	ret_peer->port = (uint16_t)port;
	ret_peer->host =
		testing_text(L, index, "host", ret_peer->is_loopback ? "127.0.0.1" : "192.0.2.1");
}

/* ---- What went wrong in the script ---- */

void testing_check_failures(lua_State *L, uint64_t failures)
{
	const struct state *state = state_of(L);

	if (state->failures != failures)
		luaL_error(L, "the script failed: %s", state->last_error);
}

void testing_check_settled(lua_State *L)
{
	uint64_t failures = state_of(L)->failures;

	if (testing_settle(testing_of(L)) < 0)
		luaL_error(L, "publishing and what it is told go on for ever");
	testing_check_failures(L, failures);
}
