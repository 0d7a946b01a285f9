/* SPDX-License-Identifier: MIT */
#include "policy/callee.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "script.h"

/* Of a word that is none. */
#define WORD_SHOWN 40u

/* ---- Finding what the script has defined ---- */

/* Pushes the global table. */
static void push_table(lua_State *L, const char *name, size_t size)
{
	lua_pushglobaltable(L);
	lua_pushlstring(L, name, size);
	lua_rawget(L, -2);
	lua_remove(L, -2);
	if (!lua_istable(L, -1))
		luaL_error(L, "%s must stay a table", lua_pushlstring(L, name, size));
}

void callee_find(lua_State *L, const char *name, struct callee *ret)
{
	const char *dot = strchr(name, '.');

	*ret = (struct callee){name, LUA_NOREF};
	if (dot == NULL) {
		lua_pushglobaltable(L);
		lua_pushstring(L, name);
	} else {
		push_table(L, name, (size_t)(dot - name));
		lua_pushstring(L, dot + 1);
	}
	lua_rawget(L, -2);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 2);
		return;
	}
	if (!lua_isfunction(L, -1))
		luaL_error(L, "%s is a %s, it must be a function", name, luaL_typename(L, -1));
	ret->function = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pop(L, 1);
}

static bool is_known(const char *name, const char *const *known)
{
	while (*known != NULL && strcmp(*known, name) != 0)
		known++;
	return *known != NULL;
}

void callee_check_names(lua_State *L, const char *table, const char *const *known)
{
	push_table(L, table, strlen(table));
	lua_pushnil(L);
	while (lua_next(L, -2) != 0) {
		if (lua_type(L, -2) != LUA_TSTRING || !is_known(lua_tostring(L, -2), known))
			luaL_error(L, "%s.%s means nothing to the broker; is it misspelt?", table,
				   luaL_tolstring(L, -2, NULL));
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

int callee_differs(const struct script *script, const char *table, struct shunt_error *error)
{
	error->code = 0;
	(void)snprintf(error->text, sizeof(error->text),
		       "%s: the functions in '%s' are not the same ones on all loops", script->path,
		       table);
	return -1;
}

int callee_no_memory(struct shunt_error *error)
{
	error->code = SHUNT_RESOURCE_ERROR;
	(void)snprintf(error->text, sizeof(error->text), "out of memory");
	return -1;
}

void callee_describe(struct shunt_report *report, const char *what, const struct callee *const *all,
		     size_t count)
{
	char line[160] = "";
	size_t size = 0;

	for (size_t i = 0; i < count; i++) {
		if (!callee_is_defined(all[i]))
			continue;
		(void)snprintf(line + size, sizeof(line) - size, "%s %s", size == 0 ? what : ",",
			       strchr(all[i]->name, '.') + 1);
		size = strlen(line);
	}
	if (size == 0)
		return;
	(void)snprintf(line + size, sizeof(line) - size, "\n");
	report->print(report, (struct shunt_bytes){(const uint8_t *)line, strlen(line)});
}

/* ---- What a function returned ---- */

void callee_push(lua_State *L, const struct callee *of)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, of->function);
}

_Noreturn void callee_fail(lua_State *L, const struct callee *of, const char *what)
{
	lua_Debug at;

	callee_push(L, of);
	lua_getinfo(L, ">S", &at);
	lua_pushfstring(L, "%s:%d: %s returned %s", at.short_src, at.linedefined, of->name, what);
	lua_error(L);
	__builtin_unreachable(); /* lua_error() is not declared so */
}

static const char *string_at(lua_State *L, int index, const struct callee *of, const char *what,
			     size_t *ret_size)
{
	if (lua_type(L, index) != LUA_TSTRING)
		callee_fail(L, of,
			    lua_pushfstring(L, "a %s as its %s", luaL_typename(L, index), what));
	return lua_tolstring(L, index, ret_size);
}

/* Not more than fits, and not a part of a character of UTF-8. */
static size_t cut(const char *text, size_t size, size_t room)
{
	if (size <= room)
		return size;
	for (size = room; size > room - 4 && ((unsigned char)text[size] & 0xc0) == 0x80;)
		size--;
	return size;
}

unsigned callee_word(lua_State *L, int index, const struct callee *of, const char *const *words)
{
	const char *word;
	size_t size;

	if (lua_isnil(L, index))
		return 0;
	word = string_at(L, index, of, "answer", &size);
	for (unsigned i = 0; words[i] != NULL; i++)
		if (strlen(words[i]) == size && memcmp(words[i], word, size) == 0)
			return i;
	lua_pushlstring(L, word, cut(word, size, WORD_SHOWN));
	callee_fail(
		L, of,
		lua_pushfstring(L, "\"%s\", which is none of its answers", lua_tostring(L, -1)));
}

void callee_text(lua_State *L, int index, const struct callee *of, char *text, size_t size)
{
	const char *from;
	size_t n;

	if (lua_isnil(L, index))
		return;
	from = string_at(L, index, of, "reason", &n);
	n = cut(from, n, size - 1);
	for (size_t i = 0; i < n; i++)
		text[i] = (unsigned char)from[i] < ' ' || from[i] == 0x7f ? ' ' : from[i];
	text[n] = '\0';
}

void callee_name(lua_State *L, int index, const struct callee *of, char *name, size_t size)
{
	const char *from;
	size_t n;

	from = string_at(L, index, of, "name", &n);
	if (n >= size || memchr(from, '\0', n) != NULL)
		callee_fail(L, of, "a name that cannot be");
	memcpy(name, from, n);
	name[n] = '\0';
}

void callee_seconds(lua_State *L, int index, const struct callee *of, uint32_t *ms)
{
	lua_Number seconds;

	if (lua_isnil(L, index))
		return;
	seconds = lua_tonumber(L, index);
	if (lua_type(L, index) != LUA_TNUMBER || !(seconds >= 0))
		callee_fail(L, of, "something else than seconds as its third result");
	if (seconds >= UINT32_MAX / 1000)
		*ms = UINT32_MAX;
	else
		*ms = (uint32_t)(seconds * 1000);
}
