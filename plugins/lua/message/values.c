/* SPDX-License-Identifier: MIT */
#include "message/values.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "run/call.h"
#include "message/fields.h"
#include "library/json.h"

#define STACK_PER_LEVEL 8
#define NAME_MAX_BYTES	255u

/* ---- From AMQP ---- */

static void push_value(lua_State *L, const struct shunt_host *host, const struct shunt_value *value,
		       unsigned depth);

static void check_depth(lua_State *L, unsigned depth, unsigned most)
{
	if (depth >= most)
		(void)luaL_error(L, "tables in tables are too deep");
	luaL_checkstack(L, STACK_PER_LEVEL, "tables in tables are too deep");
}

static void charge_bytes(lua_State *L, size_t size)
{
	call_charge(L, 1 + size / 64);
}

static void push_bytes(lua_State *L, struct shunt_bytes bytes)
{
	lua_pushlstring(L, bytes.size > 0 ? (const char *)bytes.data : "", bytes.size);
}

static void push_table(lua_State *L, const struct shunt_host *host, struct shunt_bytes raw,
		       unsigned depth)
{
	struct shunt_bytes name;
	struct shunt_value value;
	size_t position = 0;

	check_depth(L, depth, VALUES_DEPTH);
	lua_newtable(L);
	while (host->table_next(host, raw, &position, &name, &value)) {
		charge_bytes(L, name.size + value.bytes.size);
		push_bytes(L, name);
		lua_pushvalue(L, -1);
		if (lua_rawget(L, -3) != LUA_TNIL) {
			lua_pop(L, 2); /* the first of a name counts */
			continue;
		}
		lua_pop(L, 1);
		push_value(L, host, &value, depth + 1);
		lua_rawset(L, -3);
	}
}

static void push_array(lua_State *L, const struct shunt_host *host, struct shunt_bytes raw,
		       unsigned depth)
{
	struct shunt_value value;
	size_t position = 0;
	lua_Integer n = 0;

	check_depth(L, depth, VALUES_DEPTH);
	lua_newtable(L);
	while (host->array_next(host, raw, &position, &value)) {
		charge_bytes(L, value.bytes.size);
		push_value(L, host, &value, depth + 1);
		lua_rawseti(L, -2, ++n);
	}
}

static void push_value(lua_State *L, const struct shunt_host *host, const struct shunt_value *value,
		       unsigned depth)
{
	switch (value->type) {
	case 't':
		lua_pushboolean(L, value->boolean);
		break;
	case 'f':
	case 'd':
		lua_pushnumber(L, value->real);
		break;
	case 'D':
		lua_pushnumber(L, (double)value->integer / pow(10, value->scale));
		break;
	case 'S':
	case 'x':
		charge_bytes(L, value->bytes.size);
		push_bytes(L, value->bytes);
		break;
	case 'F':
		push_table(L, host, value->bytes, depth);
		break;
	case 'A':
		push_array(L, host, value->bytes, depth);
		break;
	case 'V':
		lua_pushnil(L);
		break;
	default: /* all others are integers */
		lua_pushinteger(L, value->integer);
		break;
	}
}

void value_push(lua_State *L, const struct shunt_host *host, const struct shunt_value *value)
{
	push_value(L, host, value, 0);
}

void value_push_table(lua_State *L, const struct shunt_host *host, struct shunt_bytes raw)
{
	push_table(L, host, raw, 0);
}

/* ---- To AMQP ---- */

/* What grows is a userdata at a place of the stack, so that nothing is lost when something raises.
 */
struct writer {
	lua_State *L;
	const char *what;
	int box;
	uint8_t *data;
	size_t size, capacity;
};

static void write_value(struct writer *writer, int index, unsigned depth);

static void writer_init(struct writer *writer, lua_State *L, const char *what)
{
	*writer = (struct writer){.L = L, .what = what, .capacity = 128};
	writer->data = lua_newuserdatauv(L, writer->capacity, 0);
	writer->box = lua_gettop(L);
}

static void writer_reserve(struct writer *writer, size_t size)
{
	size_t capacity = writer->capacity;
	uint8_t *data;

	if (size > VALUES_BYTES - writer->size)
		(void)luaL_error(writer->L, "%s: the table is too large", writer->what);
	if (size <= capacity - writer->size)
		return;
	while (capacity - writer->size < size)
		capacity *= 2;
	data = lua_newuserdatauv(writer->L, capacity, 0);
	memcpy(data, writer->data, writer->size);
	lua_replace(writer->L, writer->box);
	writer->data = data;
	writer->capacity = capacity;
}

static void write_bytes(struct writer *writer, const void *data, size_t size)
{
	writer_reserve(writer, size);
	if (size > 0)
		memcpy(writer->data + writer->size, data, size);
	writer->size += size;
}

static void write_number(struct writer *writer, uint64_t number, unsigned width)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < width; i++)
		bytes[i] = (uint8_t)(number >> 8 * (width - 1 - i));
	write_bytes(writer, bytes, width);
}

/* The length, once it is known. */
static void write_length(struct writer *writer, size_t at)
{
	size_t length = writer->size - at - 4;

	for (unsigned i = 0; i < 4; i++)
		writer->data[at + i] = (uint8_t)(length >> 8 * (3 - i));
}

static void write_name(struct writer *writer, int index)
{
	size_t size;
	const char *name;

	if (lua_type(writer->L, index) != LUA_TSTRING)
		(void)luaL_error(writer->L, "%s: a table's names must be strings, not a %s",
				 writer->what, luaL_typename(writer->L, index));
	name = lua_tolstring(writer->L, index, &size);
	if (size > NAME_MAX_BYTES)
		(void)luaL_error(writer->L, "%s: a name is longer than 255 bytes", writer->what);
	write_number(writer, size, 1);
	write_bytes(writer, name, size);
}

static void write_fields(struct writer *writer, int table, unsigned depth)
{
	lua_State *L = writer->L;

	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		call_charge(L, 2);
		write_name(writer, lua_gettop(L) - 1);
		write_value(writer, lua_gettop(L), depth + 1);
	}
}

static void write_elements(struct writer *writer, int table, lua_Integer count, unsigned depth)
{
	lua_State *L = writer->L;

	for (lua_Integer i = 1; i <= count; i++) {
		call_charge(L, 2);
		lua_rawgeti(L, table, i);
		write_value(writer, lua_gettop(L), depth + 1);
		lua_pop(L, 1);
	}
}

/* The number of its elements; 0: it is none. */
static lua_Integer sequence_length(lua_State *L, int table)
{
	lua_Integer length = (lua_Integer)lua_rawlen(L, table), count = 0;

	if (length == 0)
		return 0;
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		call_charge(L, 1);
		if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) < 1 ||
		    lua_tointeger(L, -2) > length) {
			lua_pop(L, 2);
			return 0;
		}
		count++;
	}
	return count == length ? count : 0;
}

/* Type, length and contents. */
static void write_table(struct writer *writer, int table, unsigned depth)
{
	lua_Integer count;
	size_t at;

	check_depth(writer->L, depth, VALUES_DEPTH_SENT);
	count = sequence_length(writer->L, table);
	write_bytes(writer, count > 0 ? "A" : "F", 1);
	at = writer->size;
	write_number(writer, 0, 4);
	if (count > 0)
		write_elements(writer, table, count, depth);
	else
		write_fields(writer, table, depth);
	write_length(writer, at);
}

static void write_string(struct writer *writer, int index)
{
	size_t size;
	const char *text = lua_tolstring(writer->L, index, &size);

	charge_bytes(writer->L, size);
	write_bytes(writer, "S", 1);
	write_number(writer, size, 4);
	write_bytes(writer, text, size);
}

static void write_real(struct writer *writer, double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	write_bytes(writer, "d", 1);
	write_number(writer, bits, 8);
}

static void refuse(lua_State *L, int index, const char *what)
{
	(void)luaL_error(L, "%s: a %s can not be sent", what, luaL_typename(L, index));
}

/* Its type, and it. */
static void write_value(struct writer *writer, int index, unsigned depth)
{
	lua_State *L = writer->L;

	switch (lua_type(L, index)) {
	case LUA_TBOOLEAN:
		write_bytes(writer, "t", 1);
		write_number(writer, lua_toboolean(L, index) ? 1 : 0, 1);
		break;
	case LUA_TNUMBER:
		if (!lua_isinteger(L, index)) {
			write_real(writer, lua_tonumber(L, index));
			break;
		}
		write_bytes(writer, "l", 1);
		write_number(writer, (uint64_t)lua_tointeger(L, index), 8);
		break;
	case LUA_TSTRING:
		write_string(writer, index);
		break;
	case LUA_TTABLE:
		write_table(writer, index, depth);
		break;
	default:
		if (fields_push_table(L, index)) {
			write_table(writer, lua_gettop(L), depth);
			lua_pop(L, 1);
		} else if (json_null_is(L, index)) {
			write_bytes(writer, "V", 1);
		} else {
			refuse(L, index, writer->what);
		}
		break;
	}
}

static struct shunt_bytes read_text(lua_State *L, int index)
{
	size_t size;
	const char *text = lua_tolstring(L, index, &size);

	return (struct shunt_bytes){(const uint8_t *)text, size};
}

/* A table: what was written is type, length and contents. */
static void read_written(lua_State *L, int index, const char *what, struct shunt_value *ret)
{
	struct writer writer;

	writer_init(&writer, L, what);
	write_value(&writer, index, 0);
	ret->type = (char)writer.data[0];
	ret->bytes = (struct shunt_bytes){writer.data + 5, writer.size - 5};
}

void value_read(lua_State *L, int index, const char *what, struct shunt_value *ret)
{
	index = lua_absindex(L, index);
	*ret = (struct shunt_value){0};
	if (lua_istable(L, index) || fields_test(L, index)) {
		read_written(L, index, what, ret);
		return;
	}
	switch (lua_type(L, index)) {
	case LUA_TBOOLEAN:
		ret->type = 't';
		ret->boolean = lua_toboolean(L, index);
		break;
	case LUA_TNUMBER:
		ret->type = lua_isinteger(L, index) ? 'l' : 'd';
		ret->integer = lua_isinteger(L, index) ? lua_tointeger(L, index) : 0;
		ret->real = lua_tonumber(L, index);
		break;
	case LUA_TSTRING:
		ret->type = 'S';
		ret->bytes = read_text(L, index);
		break;
	default:
		if (!json_null_is(L, index))
			refuse(L, index, what);
		ret->type = 'V';
		break;
	}
	lua_pushvalue(L, index);
}

struct shunt_bytes value_read_table(lua_State *L, int index, const char *what)
{
	struct writer writer;

	index = lua_absindex(L, index);
	if (!lua_istable(L, index) && !fields_test(L, index))
		(void)luaL_error(L, "%s: a table is wanted, not a %s", what,
				 luaL_typename(L, index));
	writer_init(&writer, L, what);
	if (!fields_push_table(L, index))
		lua_pushvalue(L, index);
	write_fields(&writer, lua_gettop(L), 0);
	lua_pop(L, 1);
	return (struct shunt_bytes){writer.data, writer.size};
}
