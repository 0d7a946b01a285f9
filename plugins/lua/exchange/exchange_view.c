/* SPDX-License-Identifier: MIT */

/* The exchange, as a script sees it. */

#include <lauxlib.h>

#include "message/fields.h"
#include "exchange/views_state.h"

/* What was destroyed. */
static struct seat no_seat;

/* User values. */
enum {
	EXCHANGE_STATE = 1,
	EXCHANGE_ARGUMENTS,
	EXCHANGE_OBJECTS, /* by slot, the objects of bindings; weak */
	EXCHANGE_VALUES = EXCHANGE_OBJECTS,
};

struct exchange_object {
	struct seat *seat; /* NULL: that of validate() */
};

struct exchange_arguments {
	struct fields fields; /* first */
	struct seat *seat;
};

static const struct shunt_exchange *present_exchange(lua_State *L, const struct seat *seat)
{
	const struct present *present = views_present(L);

	if (present->seat != seat)
		(void)luaL_error(L, "an exchange can only be looked at while the script is asked "
				    "about it");
	return present->exchange;
}

static struct shunt_bytes exchange_arguments_raw(lua_State *L, const struct fields *fields)
{
	const struct exchange_arguments *arguments = (const struct exchange_arguments *)fields;

	return present_exchange(L, arguments->seat)->arguments;
}

static const struct shunt_argument *exchange_arguments_schema(lua_State *L,
							      const struct fields *fields)
{
	(void)fields;
	return views_present(L)->type->functions.declare_arguments;
}

static const struct fields_kind exchange_arguments_kind = {
	.raw = exchange_arguments_raw,
	.schema = exchange_arguments_schema,
};

/* The exchange's object is at 1. */
static void push_exchange_arguments(lua_State *L, const struct exchange_object *object)
{
	struct exchange_arguments *arguments;

	if (lua_getiuservalue(L, 1, EXCHANGE_ARGUMENTS) != LUA_TNIL)
		return;
	arguments = (struct exchange_arguments *)fields_push(L, &exchange_arguments_kind,
							     sizeof(*arguments), 0);
	arguments->seat = object->seat;
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, 1, EXCHANGE_ARGUMENTS);
}

/* The exchange's object is at 1. */
static void push_state(lua_State *L, const struct exchange_object *object)
{
	if (lua_getiuservalue(L, 1, EXCHANGE_STATE) != LUA_TNIL || !object->seat)
		return;
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, 1, EXCHANGE_STATE);
}

enum exchange_field {
	EXCHANGE_FIELD_NAME,
	EXCHANGE_FIELD_VHOST,
	EXCHANGE_FIELD_TYPE,
	EXCHANGE_FIELD_DURABLE,
	EXCHANGE_FIELD_AUTO_DELETE,
	EXCHANGE_FIELD_INTERNAL,
	EXCHANGE_FIELD_ARGUMENTS,
	EXCHANGE_FIELD_STATE,
};

static const char *const exchange_fields[] = {
	"name", "vhost", "type", "durable", "auto_delete", "internal", "arguments", "state", NULL};

static int exchange_index(lua_State *L)
{
	const struct exchange_object *object = lua_touserdata(L, 1);
	const struct shunt_exchange *exchange = present_exchange(L, object->seat);

	switch (views_get_field(L, "an exchange")) {
	case EXCHANGE_FIELD_NAME:
		views_push_bytes(L, exchange->name);
		break;
	case EXCHANGE_FIELD_VHOST:
		views_push_bytes(L, exchange->vhost);
		break;
	case EXCHANGE_FIELD_TYPE:
		lua_pushstring(L, views_present(L)->type->functions.name);
		break;
	case EXCHANGE_FIELD_DURABLE:
		lua_pushboolean(L, exchange->durable);
		break;
	case EXCHANGE_FIELD_AUTO_DELETE:
		lua_pushboolean(L, exchange->auto_delete);
		break;
	case EXCHANGE_FIELD_INTERNAL:
		lua_pushboolean(L, exchange->internal);
		break;
	case EXCHANGE_FIELD_ARGUMENTS:
		push_exchange_arguments(L, object);
		break;
	default:
		push_state(L, object);
		break;
	}
	return 1;
}

/* Pushes a new object. */
static struct exchange_object *new_exchange(lua_State *L, const struct exchanges *exchanges)
{
	struct exchange_object *object = lua_newuserdatauv(L, sizeof(*object), EXCHANGE_VALUES);

	object->seat = NULL;
	views_set_metatable(L, exchanges, VIEW_EXCHANGE);
	return object;
}

/* Of the seat: it is destroyed when the state has let go of it. */
static void make_exchange(lua_State *L, const struct exchanges *exchanges, struct seat *seat)
{
	new_exchange(L, exchanges)->seat = seat;
	seat->object = luaL_ref(L, LUA_REGISTRYINDEX);
	atomic_fetch_add_explicit(&seat->seats->holders, 1, memory_order_relaxed);
}

void views_push_exchange(lua_State *L)
{
	const struct exchanges *exchanges = exchanges_of(state_of(L));
	struct seat *seat = views_present(L)->seat;

	if (!seat) {
		/* what it has of the arguments is of the exchange before */
		(void)lua_rawgeti(L, LUA_REGISTRYINDEX, exchanges->exchange);
		return;
	}
	if (seat->object == LUA_NOREF)
		make_exchange(L, exchanges, seat);
	(void)lua_rawgeti(L, LUA_REGISTRYINDEX, seat->object);
}

void views_reset_state(lua_State *L)
{
	views_push_exchange(L);
	for (int i = EXCHANGE_STATE; i <= EXCHANGE_VALUES; i++) {
		lua_pushnil(L);
		lua_setiuservalue(L, -2, i);
	}
	lua_pop(L, 1);
}

void views_let_go(lua_State *L, int index)
{
	struct exchange_object *object = lua_touserdata(L, index);
	struct exchange_arguments *arguments;

	object->seat = &no_seat;
	if (lua_getiuservalue(L, index, EXCHANGE_ARGUMENTS) == LUA_TUSERDATA) {
		arguments = lua_touserdata(L, -1);
		arguments->seat = &no_seat;
	}
	lua_pop(L, 1);
}

void views_push_objects(lua_State *L)
{
	views_push_exchange(L);
	if (lua_getiuservalue(L, -1, EXCHANGE_OBJECTS) == LUA_TNIL) {
		const struct exchanges *exchanges = exchanges_of(state_of(L));

		lua_pop(L, 1);
		lua_newtable(L);
		(void)lua_rawgetp(L, LUA_REGISTRYINDEX, &exchanges->metatables[VIEWS]);
		lua_setmetatable(L, -2);
		lua_pushvalue(L, -1);
		lua_setiuservalue(L, -3, EXCHANGE_OBJECTS);
	}
	lua_remove(L, -2);
}

void views_prepare_exchange(lua_State *L, struct exchanges *exchanges)
{
	views_push_fields(L, exchange_fields);
	views_make_metatable(L, exchanges, VIEW_EXCHANGE, "exchange", exchange_index, NULL);
	lua_newtable(L); /* of the tables of objects */
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &exchanges->metatables[VIEWS]);
	(void)new_exchange(L, exchanges);
	exchanges->exchange = luaL_ref(L, LUA_REGISTRYINDEX);
}
