/* SPDX-License-Identifier: MIT */
#include "message/message.h"

#include <lauxlib.h>
#include <string.h>

#include "run/call.h"
#include "library/json.h"
#include "message/message_state.h"
#include "message/values.h"

const char *const message_fields[FIELDS_OF_MESSAGE] = {
	[SHUNT_CONTENT_TYPE] = "content_type",
	[SHUNT_CONTENT_ENCODING] = "content_encoding",
	[SHUNT_DELIVERY_MODE] = "delivery_mode",
	[SHUNT_PRIORITY] = "priority",
	[SHUNT_CORRELATION_ID] = "correlation_id",
	[SHUNT_REPLY_TO] = "reply_to",
	[SHUNT_EXPIRATION] = "expiration",
	[SHUNT_MESSAGE_ID] = "message_id",
	[SHUNT_TIMESTAMP] = "timestamp",
	[SHUNT_TYPE] = "type",
	[SHUNT_USER_ID] = "user_id",
	[SHUNT_APP_ID] = "app_id",
	[FIELD_ROUTING_KEY] = "routing_key",
	[FIELD_EXCHANGE] = "exchange",
	[FIELD_VHOST] = "vhost",
	[FIELD_USER] = "user",
	[FIELD_BODY_SIZE] = "body_size",
	[FIELD_HEADERS] = "headers",
};

const char *message_property_name(enum shunt_property property)
{
	return message_fields[property];
}

int message_property_find(const char *name)
{
	for (int i = 0; i < FIELD_PROPERTIES; i++)
		if (strcmp(message_fields[i], name) == 0)
			return i;
	return -1;
}

/* ---- What it shows ---- */

const struct shunt_message *message_shown(lua_State *L, const struct messages *messages)
{
	if (!messages->message)
		(void)luaL_error(L, "a message can only be looked at during the call that it was "
				    "passed to");
	return messages->message;
}

struct messages *message_at_1(lua_State *L)
{
	struct messages *messages = messages_of(state_of(L));

	lua_rawgeti(L, LUA_REGISTRYINDEX, messages->object);
	if (!lua_rawequal(L, 1, -1))
		(void)luaL_error(L, "a message is wanted, not a %s: write message:%s",
				 luaL_typename(L, 1), "body(), with a colon");
	lua_pop(L, 1);
	(void)message_shown(L, messages);
	return messages;
}

static void forget_written(lua_State *L, struct messages *messages, int object)
{
	for (int i = VALUE_WRITTEN; i <= VALUE_WRITTEN_HEADERS; i++) {
		lua_pushnil(L);
		lua_setiuservalue(L, object, i);
	}
	messages->is_written = false;
}

void message_open(lua_State *L, const struct shunt_message *message, enum message_use use)
{
	struct messages *messages = messages_of(state_of(L));

	lua_rawgeti(L, LUA_REGISTRYINDEX, messages->object);
	if (messages->is_written)
		forget_written(L, messages, lua_gettop(L));
	messages->message = message;
	messages->use = use;
	messages->has_headers = false;
}

void message_close(struct state *state)
{
	struct messages *messages = messages_of(state);

	if (messages) /* it is not, while the state is made */
		messages->message = NULL;
}

/* ---- Reading ---- */

static void push_bytes(lua_State *L, struct shunt_bytes bytes)
{
	lua_pushlstring(L, bytes.size > 0 ? (const char *)bytes.data : "", bytes.size);
}

static void push_property(lua_State *L, const struct messages *messages, int property)
{
	const struct shunt_host *host = messages->host;
	struct shunt_value value;

	if (host->message_property(host, messages->message, (enum shunt_property)property, &value))
		value_push(L, host, &value);
	else
		lua_pushnil(L);
}

static void push_user(lua_State *L, const struct shunt_message *message)
{
	if (SHUNT_HAS(message, struct shunt_message, user) && message->user.size > 0)
		push_bytes(L, message->user);
	else
		lua_pushnil(L);
}

/* The object is at 1. What was written as its body, or what it came with. */
static struct shunt_bytes body_of(lua_State *L, const struct messages *messages)
{
	struct shunt_bytes body = messages->message->body;

	if (messages->is_written && lua_getiuservalue(L, 1, VALUE_WRITTEN) == LUA_TTABLE &&
	    lua_getfield(L, -1, "body") == LUA_TSTRING)
		body.data = (const uint8_t *)lua_tolstring(L, -1, &body.size);
	return body; /* what was pushed owns it */
}

static void push_field(lua_State *L, const struct messages *messages, int field)
{
	const struct shunt_message *message = messages->message;

	switch (field) {
	case FIELD_ROUTING_KEY:
		push_bytes(L, message->routing_key);
		break;
	case FIELD_EXCHANGE:
		push_bytes(L, message->exchange);
		break;
	case FIELD_VHOST:
		push_bytes(L, message->vhost);
		break;
	case FIELD_USER:
		push_user(L, message);
		break;
	case FIELD_BODY_SIZE:
		lua_pushinteger(L, (lua_Integer)body_of(L, messages).size);
		break;
	case FIELD_HEADERS:
		(void)lua_getiuservalue(L, 1, VALUE_HEADERS);
		break;
	default:
		push_property(L, messages, field);
		break;
	}
}

/* The object is at 1, the name at 2. Pushes what was written instead; false: nothing was. */
static bool push_written(lua_State *L)
{
	if (lua_getiuservalue(L, 1, VALUE_WRITTEN) != LUA_TTABLE)
		return false;
	lua_pushvalue(L, 2);
	if (lua_rawget(L, -2) == LUA_TNIL)
		return false;
	if (fields_is_gone(L, -1))
		lua_pushnil(L);
	return true;
}

/* Upvalue 1: by name, the field's number or the method. */
static int message_index(lua_State *L)
{
	const struct messages *messages =
		((const struct message_object *)lua_touserdata(L, 1))->messages;

	lua_pushvalue(L, 2);
	switch (lua_rawget(L, lua_upvalueindex(1))) {
	case LUA_TFUNCTION:
		return 1;
	case LUA_TNUMBER:
		break;
	default:
		return luaL_error(L, "a message has no field '%s'", luaL_tolstring(L, 2, NULL));
	}
	(void)message_shown(L, messages);
	if (messages->is_written && push_written(L))
		return 1;
	push_field(L, messages, (int)lua_tointeger(L, 3));
	return 1;
}

/* As string.sub() counts. */
static size_t body_place(lua_Integer place, size_t size)
{
	if (place >= 0)
		return (size_t)place;
	return place >= -(lua_Integer)size ? size - (size_t)-place + 1 : 0;
}

static int message_body(lua_State *L)
{
	const struct messages *messages = message_at_1(L);
	lua_Integer from = luaL_optinteger(L, 2, 1), to = luaL_optinteger(L, 3, -1);
	struct shunt_bytes body = body_of(L, messages);
	size_t first = body_place(from, body.size), last = body_place(to, body.size);

	first = first > 0 ? first : 1;
	last = last < body.size ? last : body.size;
	if (first > last) {
		lua_pushliteral(L, "");
		return 1;
	}
	call_charge(L, 1 + (last - first) / 64);
	lua_pushlstring(L, (const char *)body.data + first - 1, last - first + 1);
	return 1;
}

static int message_json(lua_State *L)
{
	const struct messages *messages = message_at_1(L);
	struct shunt_bytes path = {NULL, 0};
	bool is_plain;

	if (!lua_isnoneornil(L, 2))
		path.data = (const uint8_t *)luaL_checklstring(L, 2, &path.size);
	is_plain = lua_toboolean(L, 3);
	lua_settop(L, 2);
	json_push(L, body_of(L, messages), path, is_plain);
	return 1;
}

/* The object is at 1, the name at 2. Pushes the type of what was written; false: nothing was. */
static bool push_type_written(lua_State *L)
{
	if (lua_getiuservalue(L, 1, VALUE_WRITTEN_HEADERS) != LUA_TTABLE)
		return false;
	lua_pushvalue(L, 2);
	if (lua_rawget(L, -2) == LUA_TNIL)
		return false;
	if (fields_is_gone(L, -1) || json_null_is(L, -1))
		lua_pushnil(L);
	else
		lua_pushstring(L, luaL_typename(L, -1));
	return true;
}

/* The type of what value_push() would push; nil without a name. */
static const char *type_name(char type)
{
	switch (type) {
	case 't':
		return "boolean";
	case 'S':
	case 'x':
		return "string";
	case 'F':
	case 'A':
		return "table";
	case 'V':
		return NULL;
	default:
		return "number";
	}
}

/* Makes nothing of the header, whatever it holds: so no message can make this fail. */
static int message_header_type(lua_State *L)
{
	struct messages *messages = message_at_1(L);
	struct shunt_bytes raw = message_headers(messages);
	struct shunt_value value;
	size_t size;
	const char *name = luaL_checklstring(L, 2, &size), *type = NULL;

	lua_settop(L, 2);
	call_charge(L, 1 + raw.size / 64);
	if (messages->is_written && push_type_written(L))
		return 1;
	if (strlen(name) == size && messages->host->table_find(messages->host, raw, name, &value))
		type = type_name(value.type);
	lua_pushstring(L, type);
	if (!type || !strchr("SxFA", value.type))
		return 1;
	lua_pushinteger(L, (lua_Integer)value.bytes.size);
	return 2;
}

/* ---- The module ---- */

/* By name, the field's number or the method. */
static void push_names(lua_State *L)
{
	static const luaL_Reg methods[] = {{"body", message_body},
					   {"json", message_json},
					   {"header_type", message_header_type},
					   {"set_body", message_set_body},
					   {NULL, NULL}};

	luaL_newlib(L, methods);
	for (int i = 0; i < FIELDS_OF_MESSAGE; i++) {
		lua_pushinteger(L, i);
		lua_setfield(L, -2, message_fields[i]);
	}
}

static void push_metatable(lua_State *L)
{
	lua_newtable(L);
	push_names(L);
	lua_pushvalue(L, -1);
	lua_pushcclosure(L, message_index, 1);
	lua_setfield(L, -3, "__index");
	lua_pushcclosure(L, message_newindex, 1);
	lua_setfield(L, -2, "__newindex");
	lua_pushliteral(L, "message");
	lua_setfield(L, -2, "__metatable");
	lua_pushliteral(L, "message");
	lua_setfield(L, -2, "__name");
}

static void message_module_open(lua_State *L, struct state *state)
{
	const struct shunt_host *host = state->script->host;
	struct messages *messages = host->allocate(host, sizeof(*messages));
	struct message_object *object;

	if (!messages)
		(void)luaL_error(L, "out of memory");
	*messages = (struct messages){.host = host};
	state->of_module[MODULE_MESSAGE] = messages;
	fields_prepare(L);
	object = lua_newuserdatauv(L, sizeof(*object), VALUES);
	object->messages = messages;
	push_metatable(L);
	lua_setmetatable(L, -2);
	message_make_headers(L, messages);
	messages->object = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void message_module_close_state(struct state *state)
{
	const struct shunt_host *host = state->script->host;

	host->free(host, state->of_module[MODULE_MESSAGE]);
	state->of_module[MODULE_MESSAGE] = NULL;
}

const struct module message_module = {
	.open = message_module_open,
	.close_state = message_module_close_state,
};
