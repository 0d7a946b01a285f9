/* SPDX-License-Identifier: MIT */

/* What a script writes into a message, and how it comes into a draft. */

#include <lauxlib.h>
#include <string.h>

#include "run/call.h"
#include "message/message_state.h"
#include "message/values.h"

#define SHORT_MAX 255u /* bytes of a short string */

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
	(void)luaL_error(L, "message.%s: %s wanted, not %s", name, wanted,
			 luaL_tolstring(L, index, NULL));
}

/* What it is in AMQP. Raises when it can not be. */
static void read_short(lua_State *L, const char *name, int index, struct shunt_value *ret)
{
	const char *text;
	size_t size;

	if (lua_type(L, index) != LUA_TSTRING && lua_type(L, index) != LUA_TNUMBER)
		refuse(L, name, "a string is", index);
	text = lua_tolstring(L, index, &size);
	if (size > SHORT_MAX)
		(void)luaL_error(L, "message.%s: longer than 255 bytes", name);
	*ret = (struct shunt_value){.type = 'S', .bytes = {(const uint8_t *)text, size}};
}

static const char *integer_wanted(int property)
{
	if (property == SHUNT_TIMESTAMP)
		return "an integer is";
	return property == SHUNT_DELIVERY_MODE ? "1 or 2 is" : "0 to 255 is";
}

static void read_integer(lua_State *L, int property, int index, struct shunt_value *ret)
{
	bool is_octet = property != SHUNT_TIMESTAMP;
	lua_Integer most = property == SHUNT_DELIVERY_MODE ? 2 : UINT8_MAX;
	lua_Integer least = property == SHUNT_DELIVERY_MODE ? 1 : 0;
	int is_integer;
	lua_Integer integer = lua_tointegerx(L, index, &is_integer);

	if (!is_integer || integer < least || (is_octet && integer > most))
		refuse(L, message_fields[property], integer_wanted(property), index);
	*ret = (struct shunt_value){.type = is_octet ? 'B' : 'T', .integer = integer};
}

/* What the broker takes: so the line that sets it is named, and tests find it. */
static void check_expiration(lua_State *L, int index, struct shunt_bytes text)
{
	size_t digits = 0;

	while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9')
		digits++;
	if (digits == 0 || digits < text.size)
		refuse(L, message_fields[SHUNT_EXPIRATION], "milliseconds are", index);
}

static void read_property(lua_State *L, int property, int index, struct shunt_value *ret)
{
	if (property == SHUNT_DELIVERY_MODE || property == SHUNT_PRIORITY ||
	    property == SHUNT_TIMESTAMP)
		read_integer(L, property, index, ret);
	else
		read_short(L, message_fields[property], index, ret);
	if (property == SHUNT_EXPIRATION)
		check_expiration(L, index, ret->bytes);
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
		read_short(L, message_fields[field], 3, &value);
	else if (!lua_isnil(L, 3))
		read_property(L, field, 3, &value);
}

int message_newindex(lua_State *L)
{
	struct messages *messages = ((struct message_object *)lua_touserdata(L, 1))->messages;
	int field;

	(void)message_shown(L, messages);
	check_writable(L, messages);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNUMBER)
		return luaL_error(L, "a message has no field '%s' to write",
				  luaL_tolstring(L, 2, NULL));
	field = (int)lua_tointeger(L, -1);
	if (!may_write(messages, field))
		return luaL_error(L, "message.%s can not be written here", message_fields[field]);
	check_value(L, field);
	lua_pushvalue(L, 2);
	if (lua_isnil(L, 3))
		fields_push_gone(L);
	else
		lua_pushvalue(L, 3);
	note_written(L, messages, 1, VALUE_WRITTEN);
	return 0;
}

int message_set_body(lua_State *L)
{
	struct messages *messages = message_at_1(L);

	check_writable(L, messages);
	(void)luaL_checkstring(L, 2);
	lua_pushliteral(L, "body");
	lua_pushvalue(L, 2);
	note_written(L, messages, 1, VALUE_WRITTEN);
	return 0;
}

/* ---- Headers ---- */

struct shunt_bytes message_headers(struct messages *messages)
{
	if (!messages->has_headers) {
		messages->headers =
			messages->host->message_headers(messages->host, messages->message);
		messages->has_headers = true;
	}
	return messages->headers;
}

static struct shunt_bytes headers_raw(lua_State *L, const struct fields *fields)
{
	struct messages *messages = ((const struct headers_object *)fields)->messages;

	(void)message_shown(L, messages);
	return message_headers(messages);
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

	(void)message_shown(L, messages);
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

void message_make_headers(lua_State *L, struct messages *messages)
{
	struct headers_object *headers =
		(struct headers_object *)fields_push(L, &headers_kind, sizeof(*headers), 1);

	headers->messages = messages;
	lua_pushvalue(L, -2);
	lua_setiuservalue(L, -2, 1);
	lua_setiuservalue(L, -2, VALUE_HEADERS);
}

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
	check_taken(L, draft->set_property(draft, property, &value), message_fields[property]);
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
	else if (strcmp(name, message_fields[FIELD_EXCHANGE]) == 0)
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
