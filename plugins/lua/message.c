/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <lauxlib.h>
#include <string.h>

#include "call.h"
#include "fields.h"
#include "json.h"
#include "script.h"
#include "state.h"
#include "values.h"

#define SHORT_MAX 255u /* bytes of a short string */

/* What a message has besides its properties, which come first. */
enum field {
	FIELD_PROPERTIES = SHUNT_APP_ID + 1,
	FIELD_ROUTING_KEY = FIELD_PROPERTIES,
	FIELD_EXCHANGE,
	FIELD_VHOST,
	FIELD_USER,
	FIELD_BODY_SIZE,
	FIELD_HEADERS,
	FIELDS_OF_MESSAGE,
};

/* User values of the object. */
enum {
	VALUE_HEADERS = 1, /* the object of the headers */
	VALUE_WRITTEN,     /* fields that were written, by name; `body` too */
	VALUE_WRITTEN_HEADERS,
	VALUES = VALUE_WRITTEN_HEADERS,
};

/* Of a state: the one message that is shown. */
struct messages {
	const struct shunt_host *host;
	const struct shunt_message *message; /* NULL: none */
	enum message_use use;
	bool has_headers;	    /* `headers` is what it has */
	bool is_written;	    /* there may be user values that are not of this message */
	struct shunt_bytes headers; /* raw */
	int object;		    /* in the registry */
};

struct message_object {
	struct messages *messages;
};

struct headers_object {
	struct fields fields; /* first; user value 1 is the message */
	struct messages *messages;
};

static const char *const names[FIELDS_OF_MESSAGE] = {
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
	return names[property];
}

int message_property_find(const char *name)
{
	for (int i = 0; i < FIELD_PROPERTIES; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

/* ---- What it shows ---- */

static struct messages *messages_of(const struct state *state)
{
	return state->of_module[MODULE_MESSAGE];
}

static const struct shunt_message *shown(lua_State *L, const struct messages *messages)
{
	if (!messages->message)
		(void)luaL_error(L, "a message can only be looked at during the call that it was "
				    "passed to");
	return messages->message;
}

/* That at 1; raises when it is none. */
static struct messages *messages_at_1(lua_State *L)
{
	struct messages *messages = messages_of(state_of(L));

	lua_rawgeti(L, LUA_REGISTRYINDEX, messages->object);
	if (!lua_rawequal(L, 1, -1))
		(void)luaL_error(L, "a message is wanted, not a %s: write message:%s",
				 luaL_typename(L, 1), "body(), with a colon");
	lua_pop(L, 1);
	(void)shown(L, messages);
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
	messages_of(state)->message = NULL;
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
	(void)shown(L, messages);
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
	const struct messages *messages = messages_at_1(L);
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
	const struct messages *messages = messages_at_1(L);
	struct shunt_bytes path = {NULL, 0};

	if (!lua_isnoneornil(L, 2))
		path.data = (const uint8_t *)luaL_checklstring(L, 2, &path.size);
	lua_settop(L, 2);
	json_push(L, body_of(L, messages), path);
	return 1;
}

/* ---- Writing ---- */

static void check_writable(lua_State *L, const struct messages *messages)
{
	if (messages->use == MESSAGE_READ)
		(void)luaL_error(L, "a message can not be changed here: only hooks may");
}

/* Sets in the table of what was written, at this user value of the object, the name and value on
 * the top; pops them. */
static void note_written(lua_State *L, struct messages *messages, int object, int user_value)
{
	object = lua_absindex(L, object);
	messages->is_written = true;
	if (lua_getiuservalue(L, object, user_value) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_setiuservalue(L, object, user_value);
	}
	lua_insert(L, -3);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

static void refuse(lua_State *L, const char *name, const char *wanted, int index)
{
	(void)luaL_error(L, "message.%s: %s is wanted, not %s", name, wanted,
			 luaL_tolstring(L, index, NULL));
}

/* What it is in AMQP. Raises when it can not be. */
static void read_short(lua_State *L, const char *name, int index, struct shunt_value *ret)
{
	const char *text;
	size_t size;

	if (lua_type(L, index) != LUA_TSTRING && lua_type(L, index) != LUA_TNUMBER)
		refuse(L, name, "a string", index);
	text = lua_tolstring(L, index, &size);
	if (size > SHORT_MAX)
		(void)luaL_error(L, "message.%s: longer than 255 bytes", name);
	*ret = (struct shunt_value){.type = 'S', .bytes = {(const uint8_t *)text, size}};
}

static void read_integer(lua_State *L, int property, int index, struct shunt_value *ret)
{
	bool is_octet = property != SHUNT_TIMESTAMP;
	lua_Integer most = property == SHUNT_DELIVERY_MODE ? 2 : UINT8_MAX;
	lua_Integer least = property == SHUNT_DELIVERY_MODE ? 1 : 0;
	int is_integer;
	lua_Integer integer = lua_tointegerx(L, index, &is_integer);

	if (!is_integer || integer < least || (is_octet && integer > most))
		refuse(L, names[property], is_octet ? "a small integer" : "an integer", index);
	*ret = (struct shunt_value){.type = is_octet ? 'B' : 'T', .integer = integer};
}

static void read_property(lua_State *L, int property, int index, struct shunt_value *ret)
{
	if (property == SHUNT_DELIVERY_MODE || property == SHUNT_PRIORITY ||
	    property == SHUNT_TIMESTAMP)
		read_integer(L, property, index, ret);
	else
		read_short(L, names[property], index, ret);
}

static bool may_write(const struct messages *messages, int field)
{
	if (field < FIELD_PROPERTIES)
		return true;
	return messages->use == MESSAGE_PUBLISH &&
	       (field == FIELD_ROUTING_KEY || field == FIELD_EXCHANGE);
}

/* The value is at 3; nil takes a property away. */
static void check_value(lua_State *L, int field)
{
	struct shunt_value value;

	if (field >= FIELD_PROPERTIES)
		read_short(L, names[field], 3, &value);
	else if (!lua_isnil(L, 3))
		read_property(L, field, 3, &value);
}

static int message_newindex(lua_State *L)
{
	struct messages *messages = ((struct message_object *)lua_touserdata(L, 1))->messages;
	int field;

	(void)shown(L, messages);
	check_writable(L, messages);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNUMBER)
		return luaL_error(L, "a message has no field '%s' to write",
				  luaL_tolstring(L, 2, NULL));
	field = (int)lua_tointeger(L, -1);
	if (!may_write(messages, field))
		return luaL_error(L, "message.%s can not be written here", names[field]);
	check_value(L, field);
	lua_pushvalue(L, 2);
	if (lua_isnil(L, 3))
		fields_push_gone(L);
	else
		lua_pushvalue(L, 3);
	note_written(L, messages, 1, VALUE_WRITTEN);
	return 0;
}

static int message_set_body(lua_State *L)
{
	struct messages *messages = messages_at_1(L);

	check_writable(L, messages);
	(void)luaL_checkstring(L, 2);
	lua_pushliteral(L, "body");
	lua_pushvalue(L, 2);
	note_written(L, messages, 1, VALUE_WRITTEN);
	return 0;
}

/* ---- Headers ---- */

static struct shunt_bytes headers_raw(lua_State *L, const struct fields *fields)
{
	struct messages *messages = ((const struct headers_object *)fields)->messages;

	(void)shown(L, messages);
	if (!messages->has_headers) {
		messages->headers =
			messages->host->message_headers(messages->host, messages->message);
		messages->has_headers = true;
	}
	return messages->headers;
}

static bool headers_written(lua_State *L, const struct fields *fields, int index)
{
	if (!((const struct headers_object *)fields)->messages->is_written)
		return false;
	(void)lua_getiuservalue(L, index, 1);
	if (lua_getiuservalue(L, -1, VALUE_WRITTEN_HEADERS) == LUA_TTABLE) {
		lua_remove(L, -2);
		return true;
	}
	lua_pop(L, 2);
	return false;
}

static void headers_write(lua_State *L, struct fields *fields)
{
	struct messages *messages = ((struct headers_object *)fields)->messages;
	struct shunt_value value;

	(void)shown(L, messages);
	check_writable(L, messages);
	if (lua_rawlen(L, 2) > FIELDS_NAME_MAX)
		(void)luaL_error(L, "a header's name is longer than 255 bytes");
	if (!lua_isnil(L, 3)) {
		value_read(L, 3, lua_tostring(L, 2), &value);
		lua_pop(L, 1);
	}
	(void)lua_getiuservalue(L, 1, 1);
	lua_pushvalue(L, 2);
	if (lua_isnil(L, 3))
		fields_push_gone(L);
	else
		lua_pushvalue(L, 3);
	note_written(L, messages, 4, VALUE_WRITTEN_HEADERS);
}

static const struct fields_kind headers_kind = {
	.raw = headers_raw,
	.written = headers_written,
	.write = headers_write,
};

/* ---- Into a draft ---- */

static void check_taken(lua_State *L, int result, const char *name)
{
	if (result != 0)
		(void)luaL_error(L, "message.%s: the broker does not take this value", name);
}

void message_set_property(lua_State *L, struct shunt_draft *draft, enum shunt_property property,
			  int index)
{
	struct shunt_value value;

	read_property(L, (int)property, index, &value);
	check_taken(L, draft->set_property(draft, property, &value), names[property]);
}

/* The name is at `index`, the value behind it. */
static void apply_field(lua_State *L, struct shunt_draft *draft, int index)
{
	const char *name = lua_tostring(L, index);
	int property = message_property_find(name);
	struct shunt_value value = {0};

	if (property >= 0 && fields_is_gone(L, index + 1)) {
		check_taken(L, draft->set_property(draft, (enum shunt_property)property, NULL),
			    name);
		return;
	}
	if (property >= 0) {
		message_set_property(L, draft, (enum shunt_property)property, index + 1);
		return;
	}
	value.bytes.data = (const uint8_t *)lua_tolstring(L, index + 1, &value.bytes.size);
	if (strcmp(name, "body") == 0)
		check_taken(L, draft->set_body(draft, value.bytes), name);
	else if (strcmp(name, names[FIELD_EXCHANGE]) == 0)
		check_taken(L, draft->set_exchange(draft, value.bytes), name);
	else
		check_taken(L, draft->set_routing_key(draft, value.bytes), name);
}

static void apply_header(lua_State *L, struct shunt_draft *draft, int index)
{
	struct shunt_bytes name;
	struct shunt_value value;
	bool is_gone = fields_is_gone(L, index + 1);

	name.data = (const uint8_t *)lua_tolstring(L, index, &name.size);
	if (!is_gone)
		value_read(L, index + 1, (const char *)name.data, &value);
	if (draft->set_header(draft, name, is_gone ? NULL : &value) != 0)
		(void)luaL_error(L, "message.headers['%s']: the broker does not take this value",
				 name.data);
}

static void apply_all(lua_State *L, int object, int user_value, struct shunt_draft *draft,
		      void (*apply)(lua_State *L, struct shunt_draft *draft, int index))
{
	int written;

	if (lua_getiuservalue(L, object, user_value) == LUA_TTABLE) {
		written = lua_gettop(L);
		for (lua_pushnil(L); lua_next(L, written); lua_settop(L, written + 1)) {
			call_charge(L, 4);
			apply(L, draft, written + 1);
		}
	}
	lua_settop(L, object);
}

void message_apply(lua_State *L, struct shunt_draft *draft)
{
	const struct messages *messages = messages_of(state_of(L));
	int object;

	if (!messages->is_written)
		return;
	luaL_checkstack(L, 8, NULL);
	lua_rawgeti(L, LUA_REGISTRYINDEX, messages->object);
	object = lua_gettop(L);
	apply_all(L, object, VALUE_WRITTEN, draft, apply_field);
	apply_all(L, object, VALUE_WRITTEN_HEADERS, draft, apply_header);
	lua_pop(L, 1);
}

/* ---- The module ---- */

/* By name, the field's number or the method. */
static void push_names(lua_State *L)
{
	static const luaL_Reg methods[] = {{"body", message_body},
					   {"json", message_json},
					   {"set_body", message_set_body},
					   {NULL, NULL}};

	luaL_newlib(L, methods);
	for (int i = 0; i < FIELDS_OF_MESSAGE; i++) {
		lua_pushinteger(L, i);
		lua_setfield(L, -2, names[i]);
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

/* The message object is on the top. */
static void make_headers(lua_State *L, struct messages *messages)
{
	struct headers_object *headers = (struct headers_object *)fields_push(
		L, &headers_kind, sizeof(*headers), 1);

	headers->messages = messages;
	lua_pushvalue(L, -2);
	lua_setiuservalue(L, -2, 1);
	lua_setiuservalue(L, -2, VALUE_HEADERS);
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
	make_headers(L, messages);
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
