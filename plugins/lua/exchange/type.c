/* SPDX-License-Identifier: MIT */
#include "exchange/type.h"

#include <lauxlib.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "exchange/type_arguments.h"
#include "message/message.h"
#include "script.h"

#define NAME_MAX_BYTES	   127u
#define CACHE_SECONDS_MAX  86400.0
#define DEPENDS_MAX	   32
#define DEPENDS_NAME_BYTES 255u
#define KEPT_MAX	   65536u /* bytes: they are not in the memory of a state */

struct type_block {
	struct type_block *next;
	alignas(max_align_t) uint8_t memory[];
};

struct type *type_create(struct script *script)
{
	struct type *type = script->host->allocate(script->host, sizeof(*type));

	if (!type)
		return NULL;
	*type = (struct type){.script = script};
	for (unsigned i = 0; i < TYPE_FUNCTIONS; i++)
		type->refs[i] = LUA_NOREF;
	return type;
}

void type_destroy(struct type *type)
{
	const struct shunt_host *host = type->script->host;
	struct type_block *next;

	for (struct type_block *block = type->blocks; block; block = next) {
		next = block->next;
		host->free(host, block);
	}
	host->free(host, type);
}

void *type_keep(lua_State *L, struct type *type, size_t size)
{
	const struct shunt_host *host = type->script->host;
	struct type_block *block;

	if (size > KEPT_MAX - type->kept)
		(void)luaL_error(L, "exchange.register: its texts are longer than %d bytes",
				 (int)KEPT_MAX);
	block = host->allocate(host, sizeof(*block) + size);
	if (!block)
		(void)luaL_error(L, "out of memory");
	block->next = type->blocks;
	type->blocks = block;
	type->kept += size;
	memset(block->memory, 0, size);
	return block->memory;
}

const char *type_keep_text(lua_State *L, struct type *type, int index)
{
	size_t size;
	const char *text = lua_tolstring(L, index, &size);
	char *copy = type_keep(L, type, size + 1);

	memcpy(copy, text, size);
	return copy;
}

/* ---- The table ---- */

static const char *const keys[] = {
	"name",
	"description",
	"arguments",
	"bind_arguments",
	"depends",
	"cache_seconds",
	/* functions, by enum type_function */
	"validate",
	"validate_binding",
	"bind",
	"unbind",
	"route",
	NULL,
};

#define FIRST_FUNCTION 6u

static void check_keys(lua_State *L, int table)
{
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		const char *const *key = keys;

		if (lua_type(L, -2) == LUA_TSTRING)
			while (*key && strcmp(*key, lua_tostring(L, -2)) != 0)
				key++;
		if (lua_type(L, -2) != LUA_TSTRING || !*key)
			(void)luaL_error(L, "exchange.register: there is no key '%s'",
					 luaL_tolstring(L, -2, NULL));
	}
}

/* Pushes the value; true if it is there. */
static bool get(lua_State *L, int table, const char *key, int type, const char *type_name)
{
	int found = lua_getfield(L, table, key);

	if (found == LUA_TNIL)
		return false;
	if (found != type)
		(void)luaL_error(L, "exchange.register: %s must be a %s, not a %s", key, type_name,
				 luaL_typename(L, -1));
	return true;
}

static void read_texts(lua_State *L, struct type *type, int table)
{
	if (!get(L, table, "name", LUA_TSTRING, "string"))
		(void)luaL_error(L, "exchange.register: name is missing");
	if (lua_rawlen(L, -1) == 0 || lua_rawlen(L, -1) > NAME_MAX_BYTES ||
	    strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
		(void)luaL_error(L, "exchange.register: name must have 1 to 127 bytes, none of "
				    "them zero");
	type->functions.name = type_keep_text(L, type, -1);
	type->functions.description = "";
	if (get(L, table, "description", LUA_TSTRING, "string"))
		type->functions.description = type_keep_text(L, type, -1);
	lua_pop(L, 2);
}

static void read_functions(lua_State *L, struct type *type, int table)
{
	for (unsigned i = 0; i < TYPE_FUNCTIONS; i++) {
		if (get(L, table, keys[FIRST_FUNCTION + i], LUA_TFUNCTION, "function"))
			type->refs[i] = luaL_ref(L, LUA_REGISTRYINDEX);
		else
			lua_pop(L, 1);
	}
	if (type->refs[TYPE_ROUTE] == LUA_NOREF)
		(void)luaL_error(L, "exchange.register: route is missing");
	type->is_told = type->refs[TYPE_BIND] != LUA_NOREF || type->refs[TYPE_UNBIND] != LUA_NOREF;
}

/* message, bindings, emit, exchange: what the function does not take is not made. */
static void count_route_arguments(lua_State *L, struct type *type)
{
	lua_Debug debug;

	lua_rawgeti(L, LUA_REGISTRYINDEX, type->refs[TYPE_ROUTE]);
	(void)lua_getinfo(L, ">u", &debug);
	type->route_arguments = debug.isvararg || debug.nparams > 4 ? 4 : debug.nparams;
}

/* ---- What it depends on ---- */

static bool is_dependency(const char *name)
{
	static const char *const plain[] = {"routing_key", "exchange", "user", NULL};

	for (const char *const *p = plain; *p; p++)
		if (strcmp(*p, name) == 0)
			return true;
	if (strncmp(name, "headers.", 8) == 0)
		return name[8] != '\0';
	return strncmp(name, "property.", 9) == 0 && message_property_find(name + 9) >= 0;
}

static void read_dependency(lua_State *L, struct type *type, const char **ret)
{
	const char *name;

	if (lua_type(L, -1) != LUA_TSTRING)
		(void)luaL_error(L, "exchange.register: depends must be an array of strings");
	name = lua_tostring(L, -1);
	if (strlen(name) != lua_rawlen(L, -1) || strlen(name) > DEPENDS_NAME_BYTES ||
	    !is_dependency(name))
		(void)luaL_error(L,
				 "exchange.register: depends: '%s' is none of routing_key, "
				 "exchange, user, headers.NAME, property.NAME",
				 name);
	*ret = type_keep_text(L, type, -1);
}

static void read_cache_seconds(lua_State *L, struct type *type, int table)
{
	double seconds;

	if (!get(L, table, "cache_seconds", LUA_TNUMBER, "number")) {
		lua_pop(L, 1);
		return;
	}
	seconds = lua_tonumber(L, -1);
	if (!type->functions.depends)
		(void)luaL_error(L, "exchange.register: cache_seconds needs depends");
	if (!(seconds >= 0 && seconds <= CACHE_SECONDS_MAX))
		(void)luaL_error(L, "exchange.register: cache_seconds must be from 0 to 86400");
	type->functions.depends_ms = (uint32_t)(seconds * 1000);
	if (seconds > 0 && type->functions.depends_ms == 0)
		type->functions.depends_ms = 1;
	lua_pop(L, 1);
}

static void read_depends(lua_State *L, struct type *type, int table)
{
	const char **depends;
	lua_Integer count;

	if (get(L, table, "depends", LUA_TTABLE, "table")) {
		count = (lua_Integer)lua_rawlen(L, -1);
		if (count > DEPENDS_MAX)
			(void)luaL_error(L, "exchange.register: depends has more than %d names",
					 DEPENDS_MAX);
		depends = type_keep(L, type, ((size_t)count + 1) * sizeof(*depends));
		for (lua_Integer i = 0; i < count; i++) {
			lua_rawgeti(L, -1, i + 1);
			read_dependency(L, type, &depends[i]);
			lua_pop(L, 1);
		}
		type->functions.depends = depends;
	}
	lua_pop(L, 1);
	read_cache_seconds(L, type, table);
}

/* ---- ---- */

static const struct shunt_argument *read_schema(lua_State *L, struct type *type, int table,
						const char *key)
{
	const struct shunt_argument *arguments = NULL;

	if (get(L, table, key, LUA_TTABLE, "table"))
		arguments = type_arguments_read(L, type, lua_gettop(L), key);
	lua_pop(L, 1);
	return arguments;
}

void type_read(lua_State *L, struct type *type, int index)
{
	index = lua_absindex(L, index);
	check_keys(L, index);
	read_texts(L, type, index);
	read_functions(L, type, index);
	count_route_arguments(L, type);
	type->functions.declare_arguments = read_schema(L, type, index, "arguments");
	type->functions.bind_arguments = read_schema(L, type, index, "bind_arguments");
	read_depends(L, type, index);
}

static bool same_depends(const struct type *a, const struct type *b)
{
	const char *const *p = a->functions.depends, *const *q = b->functions.depends;

	if (!p || !q)
		return p == q;
	for (; *p && *q; p++, q++)
		if (strcmp(*p, *q) != 0)
			return false;
	return *p == *q && a->functions.depends_ms == b->functions.depends_ms;
}

const char *type_difference(const struct type *a, const struct type *b)
{
	if (strcmp(a->functions.name, b->functions.name) != 0)
		return "name";
	if (strcmp(a->functions.description, b->functions.description) != 0)
		return "description";
	if (!type_arguments_same(a->functions.declare_arguments, b->functions.declare_arguments))
		return "arguments";
	if (!type_arguments_same(a->functions.bind_arguments, b->functions.bind_arguments))
		return "bind_arguments";
	if (!same_depends(a, b))
		return "depends";
	for (unsigned i = 0; i < TYPE_FUNCTIONS; i++)
		if ((a->refs[i] == LUA_NOREF) != (b->refs[i] == LUA_NOREF))
			return keys[FIRST_FUNCTION + i];
	return NULL;
}
