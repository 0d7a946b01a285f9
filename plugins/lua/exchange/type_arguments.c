/* SPDX-License-Identifier: MIT */
#include "exchange/type_arguments.h"

#include <lauxlib.h>
#include <string.h>

#define ARGUMENTS_MAX  64
#define CHOICES_MAX    64
#define NAME_MAX_BYTES 255u

static const char *const types[] = {
	[SHUNT_ARGUMENT_ANY] = "any",	      [SHUNT_ARGUMENT_BOOLEAN] = "boolean",
	[SHUNT_ARGUMENT_INTEGER] = "integer", [SHUNT_ARGUMENT_NUMBER] = "number",
	[SHUNT_ARGUMENT_STRING] = "string",   [SHUNT_ARGUMENT_TABLE] = "table",
	[SHUNT_ARGUMENT_ARRAY] = "array",     NULL,
};

static const char *const keys[] = {"name",    "type",	 "required", "minimum", "maximum",
				   "choices", "default", "help",     NULL};

/* Where something is wrong. */
struct place {
	lua_State *L;
	struct type *type;
	const char *key;
	lua_Integer number;
};

static int wrong(const struct place *place, const char *what)
{
	return luaL_error(place->L, "exchange.register: %s[%I]: %s", place->key, place->number,
			  what);
}

static bool is_text(lua_State *L, int index)
{
	return lua_type(L, index) == LUA_TSTRING &&
	       strlen(lua_tostring(L, index)) == lua_rawlen(L, index);
}

static void check_keys(const struct place *place, int table)
{
	lua_State *L = place->L;

	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		const char *const *key = keys;

		if (lua_type(L, -2) == LUA_TSTRING)
			while (*key && strcmp(*key, lua_tostring(L, -2)) != 0)
				key++;
		if (lua_type(L, -2) != LUA_TSTRING || !*key) {
			(void)luaL_tolstring(L, -2, NULL);
			(void)wrong(place, lua_pushfstring(L, "there is no key '%s'",
							   lua_tostring(L, -1)));
		}
	}
}

/* NULL: it is not there. */
static const char *read_text(const struct place *place, int table, const char *key)
{
	lua_State *L = place->L;
	const char *text = NULL;

	if (lua_getfield(L, table, key) != LUA_TNIL) {
		if (!is_text(L, -1))
			(void)wrong(place, lua_pushfstring(L, "%s must be a string", key));
		text = type_keep_text(L, place->type, -1);
	}
	lua_pop(L, 1);
	return text;
}

static enum shunt_argument_type read_type(const struct place *place, int table)
{
	lua_State *L = place->L;
	int type = SHUNT_ARGUMENT_ANY;

	if (lua_getfield(L, table, "type") != LUA_TNIL) {
		if (!is_text(L, -1))
			(void)wrong(place, "type must be a string");
		while (types[type] && strcmp(types[type], lua_tostring(L, -1)) != 0)
			type++;
		if (!types[type])
			(void)wrong(place, "type must be any, boolean, integer, number, string, "
					   "table or array");
	}
	lua_pop(L, 1);
	return (enum shunt_argument_type)type;
}

static int64_t read_limit(const struct place *place, int table, const char *key, bool *ret_is_there)
{
	lua_State *L = place->L;
	int64_t limit = 0;

	*ret_is_there = lua_getfield(L, table, key) != LUA_TNIL;
	if (*ret_is_there) {
		if (!lua_isinteger(L, -1))
			(void)wrong(place, lua_pushfstring(L, "%s must be an integer", key));
		limit = lua_tointeger(L, -1);
	}
	lua_pop(L, 1);
	return limit;
}

static bool has_limits(enum shunt_argument_type type)
{
	return type == SHUNT_ARGUMENT_INTEGER || type == SHUNT_ARGUMENT_NUMBER ||
	       type == SHUNT_ARGUMENT_STRING;
}

static void read_limits(const struct place *place, int table, struct shunt_argument *argument)
{
	bool has_minimum, has_maximum;

	argument->minimum = read_limit(place, table, "minimum", &has_minimum);
	argument->maximum = read_limit(place, table, "maximum", &has_maximum);
	if ((has_minimum || has_maximum) && !has_limits(argument->type))
		(void)wrong(place, "minimum and maximum are for integers, numbers and strings");
	if (has_minimum && !has_maximum)
		argument->maximum = INT64_MAX;
	if (has_maximum && !has_minimum)
		argument->minimum = argument->type == SHUNT_ARGUMENT_STRING ? 0 : INT64_MIN;
	if (argument->minimum > argument->maximum)
		(void)wrong(place, "minimum is more than maximum");
	if (has_maximum && argument->minimum == 0 && argument->maximum == 0)
		(void)wrong(place, "minimum and maximum can not both be 0");
}

static const char *const *read_choices(const struct place *place, int table,
				       enum shunt_argument_type type)
{
	lua_State *L = place->L;
	const char **choices;
	lua_Integer count;

	if (lua_getfield(L, table, "choices") == LUA_TNIL) {
		lua_pop(L, 1);
		return NULL;
	}
	if (!lua_istable(L, -1) || type != SHUNT_ARGUMENT_STRING)
		(void)wrong(place, "choices must be an array of strings, of a string");
	count = (lua_Integer)lua_rawlen(L, -1);
	if (count == 0 || count > CHOICES_MAX)
		(void)wrong(place, "choices must be 1 to 64 strings");
	choices = type_keep(L, place->type, ((size_t)count + 1) * sizeof(*choices));
	for (lua_Integer i = 0; i < count; i++) {
		lua_rawgeti(L, -1, i + 1);
		if (!is_text(L, -1))
			(void)wrong(place, "choices must be strings");
		choices[i] = type_keep_text(L, place->type, -1);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return choices;
}

static bool default_fits(lua_State *L, const struct shunt_argument *argument)
{
	lua_Number number = lua_tonumber(L, -1);

	switch (argument->type) {
	case SHUNT_ARGUMENT_BOOLEAN:
		return lua_isboolean(L, -1);
	case SHUNT_ARGUMENT_INTEGER:
	case SHUNT_ARGUMENT_NUMBER:
		if (lua_type(L, -1) != LUA_TNUMBER ||
		    (argument->type == SHUNT_ARGUMENT_INTEGER && !lua_isinteger(L, -1)))
			return false;
		return (argument->minimum == 0 && argument->maximum == 0) ||
		       (number >= (lua_Number)argument->minimum &&
			number <= (lua_Number)argument->maximum);
	case SHUNT_ARGUMENT_STRING:
		return is_text(L, -1);
	case SHUNT_ARGUMENT_ANY:
	case SHUNT_ARGUMENT_TABLE:
	case SHUNT_ARGUMENT_ARRAY:
	default:
		return false;
	}
}

static const char *read_default(const struct place *place, int table,
				const struct shunt_argument *argument)
{
	lua_State *L = place->L;
	const char *text = NULL;

	if (lua_getfield(L, table, "default") != LUA_TNIL) {
		if (!default_fits(L, argument))
			(void)wrong(place, "default does not fit its type");
		(void)luaL_tolstring(L, -1, NULL);
		text = type_keep_text(L, place->type, -1);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return text;
}

static void read_one(const struct place *place, int table, struct shunt_argument *argument)
{
	lua_State *L = place->L;

	check_keys(place, table);
	argument->name = read_text(place, table, "name");
	if (!argument->name || !*argument->name || strlen(argument->name) > NAME_MAX_BYTES)
		(void)wrong(place, "name must be a string of 1 to 255 bytes");
	argument->help = read_text(place, table, "help");
	if (!argument->help)
		argument->help = "";
	argument->type = read_type(place, table);
	if (lua_getfield(L, table, "required") != LUA_TNIL && !lua_isboolean(L, -1))
		(void)wrong(place, "required must be true or false");
	argument->required = lua_toboolean(L, -1);
	lua_pop(L, 1);
	read_limits(place, table, argument);
	argument->choices = read_choices(place, table, argument->type);
	argument->default_value = read_default(place, table, argument);
	if (argument->required && argument->default_value)
		(void)wrong(place, "what is required has no default");
}

static void check_name(const struct place *place, const struct shunt_argument *arguments)
{
	const char *name = arguments[place->number - 1].name;

	for (lua_Integer i = 0; i < place->number - 1; i++)
		if (strcmp(arguments[i].name, name) == 0)
			(void)wrong(place, "the name is there twice");
}

const struct shunt_argument *type_arguments_read(lua_State *L, struct type *type, int index,
						 const char *key)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, index);
	struct place place = {L, type, key, 0};
	struct shunt_argument *arguments;

	lua_pushnil(L);
	if (count == 0 && lua_next(L, index))
		(void)luaL_error(L, "exchange.register: %s must be an array", key);
	if (count > ARGUMENTS_MAX)
		(void)luaL_error(L, "exchange.register: %s has more than %d entries", key,
				 ARGUMENTS_MAX);
	arguments = type_keep(L, type, ((size_t)count + 1) * sizeof(*arguments));
	for (lua_Integer i = 0; i < count; i++) {
		place.number = i + 1;
		lua_rawgeti(L, index, i + 1);
		if (!lua_istable(L, -1))
			(void)wrong(&place, "it must be a table");
		read_one(&place, lua_gettop(L), &arguments[i]);
		check_name(&place, arguments);
		lua_pop(L, 1);
	}
	return arguments;
}

/* ---- Whether they are the same ---- */

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_choices(const char *const *a, const char *const *b)
{
	if (!a || !b)
		return a == b;
	for (; *a && *b; a++, b++)
		if (strcmp(*a, *b) != 0)
			return false;
	return *a == *b;
}

bool type_arguments_same(const struct shunt_argument *a, const struct shunt_argument *b)
{
	if (!a || !b)
		return a == b;
	for (; a->name && b->name; a++, b++) {
		if (strcmp(a->name, b->name) != 0 || a->type != b->type ||
		    a->required != b->required || a->minimum != b->minimum ||
		    a->maximum != b->maximum || !same_text(a->help, b->help) ||
		    !same_text(a->default_value, b->default_value) ||
		    !same_choices(a->choices, b->choices))
			return false;
	}
	return a->name == b->name;
}
