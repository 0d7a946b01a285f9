/* SPDX-License-Identifier: MIT */

/*
 * A text is checked as a whole; then what is wanted is looked for, and pushed, without anything in
 * between: no tree is made of it, so there is nothing that an error would leave behind, and a value
 * of a body of 1 KiB costs about a microsecond.
 */
#include "library/json.h"

#include <lauxlib.h>
#include <string.h>

#include "run/budget.h"
#include "run/call.h"
#include "library/json_text.h"
#include "library/json_write.h"
#include "module.h"

/* What it costs, in instructions of the Lua machine: a value; and so many bytes one instruction. */
#define VALUE_COST  20u
#define CHECK_BYTES 2u
#define COPY_BYTES  8u
#define NUMBER_BYTES 4u

const char json_array_key;

/* Where the registry has json.null. */
static const char null_key;

struct cursor {
	const uint8_t *p, *end;
};

/* ---- Pushing ---- */

static void push_value(lua_State *L, struct cursor *cursor);

static void push_string(lua_State *L, struct cursor *cursor)
{
	const uint8_t *first = cursor->p + 1;
	struct shunt_bytes contents = {first, 0};

	cursor->p = json_text_string(cursor->p, cursor->end);
	contents.size = (size_t)(cursor->p - 1 - first);
	call_charge(L, contents.size / COPY_BYTES);
	if (contents.size > 0 && memchr(first, '\\', contents.size)) {
		luaL_Buffer buffer;
		char *out = luaL_buffinitsize(L, &buffer, contents.size);

		luaL_pushresultsize(&buffer, json_text_unescape(contents, (uint8_t *)out));
	} else {
		lua_pushlstring(L, (const char *)first, contents.size);
	}
}

static bool push_small_integer(lua_State *L, const uint8_t *first, const uint8_t *end)
{
	bool is_negative = *first == '-';
	lua_Integer number = 0;

	first += is_negative;
	if (end - first > 18)
		return false;
	for (; first < end; first++) {
		if (*first < '0' || *first > '9')
			return false;
		number = number * 10 + (*first - '0');
	}
	lua_pushinteger(L, is_negative ? -number : number);
	return true;
}

/* As Lua reads numbers: an integer that is too large becomes a float. */
static void push_number(lua_State *L, struct cursor *cursor)
{
	const uint8_t *first = cursor->p;

	cursor->p = json_text_value(cursor->p, cursor->end);
	if (push_small_integer(L, first, cursor->p))
		return;
	call_charge(L, (uint64_t)(cursor->p - first) / NUMBER_BYTES);
	lua_pushlstring(L, (const char *)first, (size_t)(cursor->p - first));
	if (lua_stringtonumber(L, lua_tostring(L, -1)) == 0)
		luaL_error(L, "a number that cannot be read");
	lua_replace(L, -2);
}

static void push_object(lua_State *L, struct cursor *cursor)
{
	lua_newtable(L);
	do {
		cursor->p = json_text_blanks(cursor->p + 1, cursor->end);
		if (*cursor->p == '}')
			break;
		push_string(L, cursor);
		cursor->p = json_text_blanks(cursor->p, cursor->end) + 1;
		push_value(L, cursor);
		if (json_null_is(L, -1)) {
			lua_pop(L, 1);
			lua_pushnil(L);
		}
		lua_rawset(L, -3);
		cursor->p = json_text_blanks(cursor->p, cursor->end);
	} while (*cursor->p != '}');
	cursor->p++;
}

static void push_array(lua_State *L, struct cursor *cursor)
{
	lua_Integer count = 0;

	lua_newtable(L);
	do {
		cursor->p = json_text_blanks(cursor->p + 1, cursor->end);
		if (*cursor->p == ']')
			break;
		push_value(L, cursor);
		lua_rawseti(L, -2, ++count);
		cursor->p = json_text_blanks(cursor->p, cursor->end);
	} while (*cursor->p != ']');
	cursor->p++;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &json_array_key);
	lua_setmetatable(L, -2);
}

static void push_value(lua_State *L, struct cursor *cursor)
{
	call_charge(L, VALUE_COST);
	luaL_checkstack(L, 6, "JSON");
	cursor->p = json_text_blanks(cursor->p, cursor->end);
	switch (*cursor->p) {
	case '{':
		push_object(L, cursor);
		break;
	case '[':
		push_array(L, cursor);
		break;
	case '"':
		push_string(L, cursor);
		break;
	case 't':
	case 'f':
		lua_pushboolean(L, *cursor->p == 't');
		cursor->p += *cursor->p == 't' ? 4 : 5;
		break;
	case 'n':
		json_null_push(L);
		cursor->p += 4;
		break;
	default:
		push_number(L, cursor);
		break;
	}
}

/* ---- Looking for a path ---- */

/* A place of an array; 0 if it is none. */
static size_t place_of(struct shunt_bytes name)
{
	size_t place = 0;

	if (name.size == 0 || name.size > 6)
		return 0;
	for (size_t i = 0; i < name.size; i++) {
		if (name.data[i] < '0' || name.data[i] > '9')
			return 0;
		place = place * 10 + (size_t)(name.data[i] - '0');
	}
	return place;
}

static bool is_name(lua_State *L, struct cursor *cursor, struct shunt_bytes name)
{
	struct cursor key = *cursor;
	size_t size;
	const char *text;
	bool is;

	cursor->p = json_text_string(cursor->p, cursor->end);
	size = (size_t)(cursor->p - key.p) - 2;
	if (size == name.size && (size == 0 || memcmp(key.p + 1, name.data, size) == 0))
		return true;
	/* with escapes it is longer than what it means */
	if (size <= name.size || !memchr(key.p + 1, '\\', size))
		return false;
	push_string(L, &key);
	text = lua_tolstring(L, -1, &size);
	is = size == name.size && (size == 0 || memcmp(text, name.data, size) == 0);
	lua_pop(L, 1);
	return is;
}

/* Moves behind the value at the cursor. What is at the path in it; NULL: nothing. Each byte is
 * looked at once, however long the path is. */
static const uint8_t *find(lua_State *L, struct cursor *cursor, struct shunt_bytes path);

/* Takes the first name off the path. */
static struct shunt_bytes first_of(struct shunt_bytes *path)
{
	const uint8_t *dot = memchr(path->data, '.', path->size);
	struct shunt_bytes name = *path;

	if (!dot) {
		*path = (struct shunt_bytes){NULL, 0};
		return name;
	}
	name.size = (size_t)(dot - path->data);
	path->data = dot + 1;
	path->size -= name.size + 1;
	return name;
}

static const uint8_t *find_or_skip(lua_State *L, struct cursor *cursor, struct shunt_bytes path,
				   bool is_last, bool is_it)
{
	const uint8_t *at = cursor->p;

	if (is_it && !is_last)
		return find(L, cursor, path);
	cursor->p = json_text_value(cursor->p, cursor->end);
	return is_it ? at : NULL;
}

/* At an object: of that name, the last one if there are some. */
static const uint8_t *find_member(lua_State *L, struct cursor *cursor, struct shunt_bytes path)
{
	bool is_last = !memchr(path.data, '.', path.size);
	struct shunt_bytes name = first_of(&path);
	const uint8_t *found = NULL, *here;

	do {
		bool is;

		cursor->p = json_text_blanks(cursor->p + 1, cursor->end);
		if (*cursor->p == '}')
			break;
		is = is_name(L, cursor, name);
		cursor->p = json_text_blanks(cursor->p, cursor->end) + 1;
		cursor->p = json_text_blanks(cursor->p, cursor->end);
		here = find_or_skip(L, cursor, path, is_last, is);
		found = is ? here : found;
		cursor->p = json_text_blanks(cursor->p, cursor->end);
	} while (*cursor->p != '}');
	cursor->p++;
	return found;
}

/* At an array: of that place, from 1. */
static const uint8_t *find_element(lua_State *L, struct cursor *cursor, struct shunt_bytes path)
{
	bool is_last = !memchr(path.data, '.', path.size);
	size_t place = place_of(first_of(&path)), i = 0;
	const uint8_t *found = NULL, *here;

	do {
		cursor->p = json_text_blanks(cursor->p + 1, cursor->end);
		if (*cursor->p == ']')
			break;
		here = find_or_skip(L, cursor, path, is_last, ++i == place);
		found = i == place ? here : found;
		cursor->p = json_text_blanks(cursor->p, cursor->end);
	} while (*cursor->p != ']');
	cursor->p++;
	return found;
}

static const uint8_t *find(lua_State *L, struct cursor *cursor, struct shunt_bytes path)
{
	if (*cursor->p == '{')
		return find_member(L, cursor, path);
	if (*cursor->p == '[')
		return find_element(L, cursor, path);
	cursor->p = json_text_value(cursor->p, cursor->end);
	return NULL;
}

/* ---- Reading ---- */

/* Charges for it. */
static bool check(lua_State *L, struct shunt_bytes text, const char **ret_wrong, size_t *ret_at)
{
	*ret_at = 0;
	*ret_wrong = "longer than 65536 bytes";
	if (text.size > JSON_TEXT_MAX)
		return false;
	call_charge(L, text.size / CHECK_BYTES + VALUE_COST);
	return json_text_check(text, JSON_DEPTH_MAX, ret_wrong, ret_at);
}

/* Of a text that is JSON. */
static void push_at(lua_State *L, struct shunt_bytes text, struct shunt_bytes path, bool is_plain)
{
	struct cursor cursor = {.end = text.data + text.size}, at;

	at = cursor;
	at.p = cursor.p = json_text_blanks(text.data, cursor.end);
	if (path.size > 0) {
		call_charge(L, text.size / CHECK_BYTES);
		at.p = find(L, &cursor, path);
	}
	if (!at.p || *at.p == 'n' || (is_plain && (*at.p == '{' || *at.p == '[')))
		lua_pushnil(L);
	else
		push_value(L, &at);
}

void json_push(lua_State *L, struct shunt_bytes text, struct shunt_bytes path, bool is_plain)
{
	const char *wrong;
	size_t at;

	if (check(L, text, &wrong, &at))
		push_at(L, text, path, is_plain);
	else
		lua_pushnil(L);
}

/* "line 2, column 7: what"; both count from 1. */
static void push_wrong(lua_State *L, struct shunt_bytes text, const char *wrong, size_t at)
{
	int line = 1, column = 1;

	for (size_t i = 0; i < at; i++) {
		column = text.data[i] == '\n' ? 1 : column + 1;
		line += text.data[i] == '\n';
	}
	if (text.size > JSON_TEXT_MAX)
		lua_pushstring(L, wrong);
	else
		lua_pushfstring(L, "line %d, column %d: %s", line, column, wrong);
}

/* ---- The global `json` ---- */

static int decode(lua_State *L)
{
	struct shunt_bytes text;
	const char *wrong;
	size_t at;

	luaL_checktype(L, 1, LUA_TSTRING);
	text.data = (const uint8_t *)lua_tolstring(L, 1, &text.size);
	if (check(L, text, &wrong, &at)) {
		push_at(L, text, (struct shunt_bytes){NULL, 0}, false);
		return 1;
	}
	lua_pushnil(L);
	push_wrong(L, text, wrong, at);
	return 2;
}

void json_null_push(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key);
}

bool json_null_is(lua_State *L, int index)
{
	bool is_null;

	if (lua_type(L, index) != LUA_TUSERDATA)
		return false;
	index = lua_absindex(L, index);
	json_null_push(L);
	is_null = lua_rawequal(L, -1, index);
	lua_pop(L, 1);
	return is_null;
}

/* json.array([table]): it is an array also when it is empty. */
static int array(lua_State *L)
{
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &json_array_key);
	lua_setmetatable(L, 1);
	return 1;
}

static int null_tostring(lua_State *L)
{
	lua_pushliteral(L, "null");
	return 1;
}

static void open(lua_State *L, struct state *state)
{
	static const luaL_Reg functions[] = {{"decode", decode},
					     {"encode", json_encode},
					     {"array", array},
					     {"null", NULL},
					     {NULL, NULL}};

	(void)state;
	luaL_newlib(L, functions);
	(void)lua_newuserdatauv(L, 0, 0);
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, null_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pushliteral(L, "json.null");
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &null_key);
	lua_setfield(L, -2, "null");
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "json.array");
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &json_array_key);
	lua_setglobal(L, "json");
}

const struct module json_module = {.open = open};
