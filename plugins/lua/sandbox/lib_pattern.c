/* SPDX-License-Identifier: MIT */

/* string.find, match, gmatch and gsub. */

#include "sandbox/lib.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "run/call.h"
#include "sandbox/pattern.h"

struct text {
	const char *data;
	size_t size;
};

static struct text check_text(lua_State *L, int index)
{
	struct text text;

	text.data = luaL_checklstring(L, index, &text.size);
	return text;
}

/* Where to begin, counted from 0, as string.sub() counts: negative from the end. */
static size_t check_start(lua_State *L, int index, size_t size)
{
	lua_Integer start = luaL_optinteger(L, index, 1);

	if (start > 0)
		return (size_t)start - 1;
	if (start == 0 || start < -(lua_Integer)size)
		return 0;
	return size - (size_t)-start;
}

static bool has_specials(struct text pattern)
{
	for (size_t i = 0; i < pattern.size; i++) {
		if (pattern.data[i] != '\0' && strchr("^$*+?.([%-", pattern.data[i]))
			return true;
	}
	return false;
}

static int find_plain(lua_State *L, struct text text, struct text what, size_t start)
{
	const char *found;

	lib_charge_bytes(L, text.size - start + what.size);
	found = memmem(text.data + start, text.size - start, what.data, what.size);
	if (!found) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, found - text.data + 1);
	lua_pushinteger(L, found - text.data + (lua_Integer)what.size);
	return 2;
}

static int push_found(struct pattern *m, const char *from, const char *end, bool finds)
{
	pattern_settle(m);
	if (!finds)
		return pattern_push_captures(m, from, end);
	lua_pushinteger(m->L, from - m->subject + 1);
	lua_pushinteger(m->L, end - m->subject);
	return pattern_push_captures(m, NULL, NULL) + 2;
}

static int find_or_match(lua_State *L, bool finds)
{
	struct text text = check_text(L, 1);
	struct text pattern = check_text(L, 2);
	size_t start = check_start(L, 3, text.size);
	const char *from = pattern.data;
	struct pattern m;
	bool is_anchored;

	if (start > text.size) {
		lua_pushnil(L);
		return 1;
	}
	lib_charge_bytes(L, pattern.size);
	if (finds && (lua_toboolean(L, 4) || !has_specials(pattern)))
		return find_plain(L, text, pattern, start);
	is_anchored = *from == '^';
	from += is_anchored;
	pattern_init(&m, L, text.data, text.size, pattern.data + pattern.size);
	for (const char *s = text.data + start; s <= m.subject_end; s++) {
		const char *end = pattern_match(&m, s, from);

		if (end)
			return push_found(&m, s, end, finds);
		if (is_anchored)
			break;
	}
	pattern_settle(&m);
	lua_pushnil(L);
	return 1;
}

static int string_find(lua_State *L)
{
	return find_or_match(L, true);
}

static int string_match(lua_State *L)
{
	return find_or_match(L, false);
}

/* ---- gmatch: upvalues are text, pattern, where to go on, where the last match ended (-1: none)
 * ---- */

static int gmatch_next(lua_State *L)
{
	struct text text = {NULL, 0}, pattern = {NULL, 0};
	const char *last, *s;
	struct pattern m;

	text.data = lua_tolstring(L, lua_upvalueindex(1), &text.size);
	pattern.data = lua_tolstring(L, lua_upvalueindex(2), &pattern.size);
	s = text.data + lua_tointeger(L, lua_upvalueindex(3));
	last = text.data + lua_tointeger(L, lua_upvalueindex(4));
	pattern_init(&m, L, text.data, text.size, pattern.data + pattern.size);
	for (; s <= m.subject_end; s++) {
		const char *end = pattern_match(&m, s, pattern.data);

		if (!end || end == last)
			continue;
		pattern_settle(&m);
		lua_pushinteger(L, end - text.data);
		lua_copy(L, -1, lua_upvalueindex(3));
		lua_replace(L, lua_upvalueindex(4));
		return pattern_push_captures(&m, s, end);
	}
	pattern_settle(&m);
	return 0;
}

static int string_gmatch(lua_State *L)
{
	struct text text = check_text(L, 1);
	size_t start;

	(void)check_text(L, 2);
	start = check_start(L, 3, text.size);
	lua_settop(L, 2);
	lua_pushinteger(L, (lua_Integer)(start > text.size ? text.size + 1 : start));
	lua_pushinteger(L, -1);
	lua_pushcclosure(L, gmatch_next, 4);
	return 1;
}

/* ---- gsub ---- */

#define CAPTURE_CHARGE 8 /* of one that is put into a text */

/* The text of argument 3, its %0 to %9 and %% replaced. */
static void add_text(struct pattern *m, luaL_Buffer *buffer, const char *s, const char *end)
{
	struct text by = {NULL, 0};
	const char *percent;

	by.data = lua_tolstring(m->L, 3, &by.size);
	while ((percent = memchr(by.data, '%', by.size))) {
		call_charge(m->L, CAPTURE_CHARGE);
		luaL_addlstring(buffer, by.data, (size_t)(percent - by.data));
		percent++; /* at the end of the text there is a zero byte */
		if (*percent == '%') {
			luaL_addchar(buffer, '%');
		} else if (*percent == '0') {
			luaL_addlstring(buffer, s, (size_t)(end - s));
		} else if (*percent >= '1' && *percent <= '9') {
			pattern_push_capture(m, *percent - '1', s, end);
			luaL_addvalue(buffer);
		} else {
			luaL_error(m->L, "invalid use of '%%' in replacement string");
		}
		by.size -= (size_t)(percent + 1 - by.data);
		by.data = percent + 1;
	}
	luaL_addlstring(buffer, by.data, by.size);
}

/* What a table or a function says; false: the match stays as it is. */
static bool add_answer(struct pattern *m, luaL_Buffer *buffer, const char *s, const char *end)
{
	lua_State *L = m->L;
	int count;

	if (lua_type(L, 3) == LUA_TTABLE) {
		pattern_push_capture(m, 0, s, end);
		(void)lua_gettable(L, 3);
	} else {
		lua_pushvalue(L, 3);
		count = pattern_push_captures(m, s, end);
		lua_call(L, count, 1);
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		luaL_addlstring(buffer, s, (size_t)(end - s));
		return false;
	}
	if (!lua_isstring(L, -1))
		luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
	luaL_addvalue(buffer);
	return true;
}

static bool replace(struct pattern *m, luaL_Buffer *buffer, const char *s, const char *end)
{
	int type = lua_type(m->L, 3);

	/* what is copied, and at least a step for each, as a function in C may be called */
	lib_charge_bytes(m->L, (size_t)(end - s) + lib_length(m->L, 3));
	if (type == LUA_TTABLE || type == LUA_TFUNCTION)
		return add_answer(m, buffer, s, end);
	add_text(m, buffer, s, end);
	return true;
}

static bool replace_all(struct pattern *m, luaL_Buffer *buffer, const char *from, bool is_anchored,
			lua_Integer most, lua_Integer *ret_count)
{
	const char *s = m->subject, *last = NULL;
	bool changed = false;
	lua_Integer count = 0;

	while (count < most) {
		const char *end = pattern_match(m, s, from);

		if (end && end != last) {
			count++;
			if (replace(m, buffer, s, end))
				changed = true;
			s = last = end;
		} else if (s < m->subject_end) {
			luaL_addchar(buffer, *s);
			s++;
		} else {
			break;
		}
		if (is_anchored)
			break;
	}
	pattern_settle(m);
	lib_charge_bytes(m->L, (size_t)(m->subject_end - s));
	luaL_addlstring(buffer, s, (size_t)(m->subject_end - s));
	*ret_count = count;
	return changed;
}

static int string_gsub(lua_State *L)
{
	struct text text = check_text(L, 1);
	struct text pattern = check_text(L, 2);
	int type = lua_type(L, 3);
	lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)text.size + 1);
	bool is_anchored = pattern.data[0] == '^';
	lua_Integer count;
	luaL_Buffer buffer;
	struct pattern m;

	luaL_argexpected(L,
			 type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
				 type == LUA_TTABLE,
			 3, "string/function/table");
	luaL_buffinit(L, &buffer);
	pattern_init(&m, L, text.data, text.size, pattern.data + pattern.size);
	if (replace_all(&m, &buffer, pattern.data + is_anchored, is_anchored, most, &count))
		luaL_pushresult(&buffer);
	else
		lua_pushvalue(L, 1);
	lua_pushinteger(L, count);
	return 2;
}

void lib_pattern_add(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"find", string_find}, {"gmatch", string_gmatch},
		{"gsub", string_gsub}, {"match", string_match},
		{NULL, NULL},
	};

	luaL_setfuncs(L, functions, 0);
}
