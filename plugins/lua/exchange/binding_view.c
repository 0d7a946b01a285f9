/* SPDX-License-Identifier: MIT */

/* A binding, as a script sees it. */

#include <lauxlib.h>

#include "run/call.h"
#include "message/fields.h"
#include "exchange/views_state.h"

struct binding_arguments {
	struct fields fields; /* first */
	uint64_t id;
	uint32_t slot;
};

/* One that is still to be told that it went: it is there for this state. */
static const struct shunt_binding *find_leaving(lua_State *L, const struct present *present,
						uint64_t id)
{
	const struct changes *changes = &present->instance->changes;

	if (!present->seat || !present->seat->follows)
		return NULL;
	for (uint64_t i = present->seat->told; i < changes->end; i++) {
		const struct event *event = changes_at(changes, i);

		call_charge(L, 1);
		if (event->is_unbind && event->record->view.id == id)
			return &event->record->view;
	}
	return NULL;
}

/* Raises when it is gone. */
static const struct shunt_binding *find_binding(lua_State *L, uint32_t slot, uint64_t id)
{
	const struct present *present = views_present(L);
	const struct shunt_binding *binding = NULL;
	const struct entry *entry = NULL;

	if (present->subject && present->subject->id == id)
		return present->subject;
	if (present->instance)
		entry = bindings_at_slot(&present->instance->bindings, slot, id);
	if (entry)
		return entry->binding;
	if (present->instance && !present->may_emit)
		binding = find_leaving(L, present, id);
	if (!binding)
		(void)luaL_error(L, "a binding that is not there (any more)");
	return binding;
}

static struct shunt_bytes binding_arguments_raw(lua_State *L, const struct fields *fields)
{
	const struct binding_arguments *arguments = (const struct binding_arguments *)fields;

	return find_binding(L, arguments->slot, arguments->id)->arguments;
}

static const struct shunt_argument *binding_arguments_schema(lua_State *L,
							     const struct fields *fields)
{
	(void)fields;
	return views_present(L)->type->functions.bind_arguments;
}

static const struct fields_kind binding_arguments_kind = {
	.raw = binding_arguments_raw,
	.schema = binding_arguments_schema,
};

/* The binding's object is at 1. */
static void push_binding_arguments(lua_State *L, const struct binding_object *object)
{
	struct binding_arguments *arguments;

	if (lua_getiuservalue(L, 1, 1) != LUA_TNIL)
		return;
	arguments = (struct binding_arguments *)fields_push(L, &binding_arguments_kind,
							    sizeof(*arguments), 0);
	arguments->slot = object->slot;
	arguments->id = object->id;
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, 1, 1);
}

enum binding_field {
	BINDING_ID,
	BINDING_KEY,
	BINDING_DESTINATION,
	BINDING_KIND,
	BINDING_ARGUMENTS
};

static const char *const binding_fields[] = {
	"id", "routing_key", "destination", "destination_kind", "arguments", NULL};

static int binding_index(lua_State *L)
{
	const struct binding_object *object = lua_touserdata(L, 1);
	const struct shunt_binding *binding = find_binding(L, object->slot, object->id);

	switch (views_get_field(L, "a binding")) {
	case BINDING_ID:
		lua_pushinteger(L, (lua_Integer)binding->id);
		break;
	case BINDING_KEY:
		views_push_bytes(L, binding->routing_key);
		break;
	case BINDING_DESTINATION:
		views_push_bytes(L, binding->destination);
		break;
	case BINDING_KIND:
		lua_pushstring(L, binding->destination_is_exchange ? "exchange" : "queue");
		break;
	default:
		push_binding_arguments(L, object);
		break;
	}
	return 1;
}

static void push_new_binding(lua_State *L, uint32_t slot, uint64_t id)
{
	struct binding_object *object = lua_newuserdatauv(L, sizeof(*object), 1);
	const struct exchanges *exchanges = exchanges_of(state_of(L));

	*object = (struct binding_object){.id = id, .slot = slot};
	views_set_metatable(L, exchanges, VIEW_BINDING);
}

void views_push_binding(lua_State *L, uint32_t slot, uint64_t id)
{
	const struct binding_object *object;

	views_push_objects(L);
	(void)lua_rawgeti(L, -1, (lua_Integer)slot + 1);
	object = lua_touserdata(L, -1);
	if (!object || object->id != id) {
		lua_pop(L, 1);
		push_new_binding(L, slot, id);
		lua_pushvalue(L, -1);
		lua_rawseti(L, -3, (lua_Integer)slot + 1);
	}
	lua_remove(L, -2);
}

void views_push_subject(lua_State *L, uint32_t slot)
{
	const struct present *present = views_present(L);

	if (present->seat)
		views_push_binding(L, slot, present->subject->id);
	else
		push_new_binding(L, UINT32_MAX, present->subject->id);
}

void views_prepare_binding(lua_State *L, struct exchanges *exchanges)
{
	views_push_fields(L, binding_fields);
	views_make_metatable(L, exchanges, VIEW_BINDING, "binding", binding_index, NULL);
}
