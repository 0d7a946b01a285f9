/* SPDX-License-Identifier: MIT */
#include "testing/exchange.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"
#include "run/state.h"
#include "testing/message.h"

#define EXCHANGE "test.exchange"
#define BINDING	 "test.binding"

/* ---- Arguments ---- */

/* As the broker does it, by asking it with the default left out: what is there does not fit if it
 * is not found so. */
void testing_arguments_check(lua_State *L, struct shunt_bytes arguments,
			     const struct shunt_argument *described)
{
	const struct shunt_host *host = &testing_of(L)->host;

	for (; described && described->name; described++) {
		struct shunt_argument strict = *described;
		struct shunt_value value;

		strict.default_value = NULL;
		if (host->table_find(host, arguments, described->name, &value)) {
			if (!described->checked_by_type &&
			    !host->argument(host, arguments, &strict, &value))
				luaL_error(L, "argument '%s' is not as it must be",
					   described->name);
		} else if (described->required) {
			luaL_error(L, "argument '%s' is missing", described->name);
		}
	}
}

static _Noreturn void raise_memory(lua_State *L)
{
	luaL_error(L, "the test uses too much memory");
	abort(); /* luaL_error() does not return, but its declaration does not say so */
}

static struct shunt_bytes keep(lua_State *L, struct shunt_bytes bytes)
{
	struct shunt_bytes copy = testing_copy(testing_of(L), bytes);

	if (copy.size != bytes.size)
		raise_memory(L);
	return copy;
}

/* ---- Bindings ---- */

/* Not while the script is asked by it: what it looks at just then must stay. */
static struct testing_exchange *check_exchange(lua_State *L)
{
	if (call_kind_now(L) != CALL_TEST)
		luaL_error(L, "test is for functions test_*");
	return *(struct testing_exchange **)luaL_checkudata(L, 1, EXCHANGE);
}

static void push_object(lua_State *L, void *pointer, const char *kind)
{
	*(void **)lua_newuserdatauv(L, sizeof(pointer), 0) = pointer;
	luaL_setmetatable(L, kind);
}

static bool is_exchange(lua_State *L)
{
	static const char *const kinds[] = {"queue", "exchange", NULL};
	bool is;

	lua_getfield(L, 2, "destination_kind");
	is = luaL_checkoption(L, -1, "queue", kinds) == 1;
	lua_pop(L, 1);
	return is;
}

/* From the table at 2. */
static struct testing_binding *make_binding(lua_State *L, struct testing_exchange *exchange)
{
	static const char *const fields[] = {"routing_key", "destination", "arguments",
					     "destination_kind", NULL};
	struct testing_binding *binding;

	luaL_checktype(L, 2, LUA_TTABLE);
	testing_check_fields(L, 2, fields);
	binding = testing_allocate(testing_of(L), sizeof(*binding));
	if (!binding)
		raise_memory(L);
	binding->binding = (struct shunt_binding){
		.size = sizeof(binding->binding),
		.id = ++exchange->next_id,
		.routing_key = keep(L, testing_text(L, 2, "routing_key", "")),
		.arguments = keep(L, testing_raw_table(L, 2, "arguments")),
		.destination = keep(L, testing_text(L, 2, "destination", "queue")),
		.destination_is_exchange = is_exchange(L),
	};
	lua_settop(L, 2);
	return binding;
}

static int bind(lua_State *L)
{
	struct testing_exchange *exchange = check_exchange(L);
	const struct shunt_exchange_type *type = exchange->type;
	struct testing_binding *binding = make_binding(L, exchange);
	uint64_t failures = state_of(L)->failures;
	struct shunt_error error = {0};

	testing_arguments_check(L, binding->binding.arguments, type->bind_arguments);
	if (type->validate_binding &&
	    type->validate_binding(exchange->instance, &binding->binding, &error) < 0)
		return luaL_error(L, "%s", error.text);
	testing_check_failures(L, failures);
	if (type->bind &&
	    type->bind(exchange->instance, &binding->binding, &binding->cookie, &error) < 0)
		return luaL_error(L, "%s", error.text);
	binding->exchange = exchange;
	binding->is_bound = true;
	*exchange->bindings_end = binding;
	exchange->bindings_end = &binding->next;
	testing_check_failures(L, failures);
	push_object(L, binding, BINDING);
	return 1;
}

static int unbind(lua_State *L)
{
	struct testing_exchange *exchange = check_exchange(L);
	struct testing_binding *binding =
		*(struct testing_binding **)luaL_checkudata(L, 2, BINDING);
	uint64_t failures = state_of(L)->failures;

	if (binding->exchange != exchange)
		return luaL_error(L, "it is bound to another exchange");
	if (!binding->is_bound)
		return luaL_error(L, "it is not bound any more");
	binding->is_bound = false;
	if (exchange->type->unbind)
		exchange->type->unbind(exchange->instance, &binding->binding, binding->cookie);
	testing_check_failures(L, failures);
	return 0;
}

/* ---- Routing ---- */

/* The bindings are ours, as all that the script's type knows are. */
static void emit(struct shunt_sink *sink, const struct shunt_binding *const *bindings, size_t count)
{
	(void)sink;
	for (size_t i = 0; i < count; i++)
		((struct testing_binding *)(uintptr_t)bindings[i])->matches = true;
}

void testing_exchange_route(lua_State *L, struct testing_exchange *exchange,
			    const struct testing_message *message)
{
	uint64_t failures = state_of(L)->failures;
	struct shunt_sink sink = {.emit = emit};

	for (struct testing_binding *binding = exchange->bindings; binding; binding = binding->next)
		binding->matches = false;
	exchange->type->route(exchange->instance, &message->message, &sink);
	testing_check_failures(L, failures);
}

static int compare(const void *a, const void *b)
{
	const struct testing_binding *const *x = a, *const *y = b;
	struct shunt_bytes p = (*x)->binding.destination, q = (*y)->binding.destination;
	int order = memcmp(p.data, q.data, p.size < q.size ? p.size : q.size);

	return order != 0 ? order : (p.size > q.size) - (p.size < q.size);
}

/* The names of the destinations, each once, in order. */
static void push_destinations(lua_State *L, const struct testing_exchange *exchange)
{
	struct testing_binding **matching;
	size_t count = 0, kept = 0;

	for (struct testing_binding *b = exchange->bindings; b; b = b->next)
		count += b->matches;
	matching = lua_newuserdatauv(L, (count + 1) * sizeof(struct testing_binding *), 0);
	count = 0;
	for (struct testing_binding *b = exchange->bindings; b; b = b->next)
		if (b->matches)
			matching[count++] = b;
	qsort(matching, count, sizeof(struct testing_binding *), compare);
	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		struct shunt_bytes name = matching[i]->binding.destination;

		if (i > 0 && compare(&matching[i - 1], &matching[i]) == 0)
			continue;
		lua_pushlstring(L, (const char *)name.data, name.size);
		lua_rawseti(L, -2, (lua_Integer)++kept);
	}
}

static int route(lua_State *L)
{
	static const char *const others[] = {NULL};
	struct testing_exchange *exchange = check_exchange(L);
	struct testing_message message;

	testing_message_read(L, 2, others, exchange->exchange.name, &message);
	testing_exchange_route(L, exchange, &message);
	push_destinations(L, exchange);
	if (exchange->type->depends)
		testing_depends_check(L, exchange, &message);
	return 1;
}

/* ---- Exchanges ---- */

static const struct shunt_exchange_type *check_type(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	const struct testing *testing = testing_of(L);

	for (size_t i = 0; i < testing->type_count; i++)
		if (strcmp(testing->types[i]->name, name) == 0)
			return testing->types[i];
	luaL_error(L, "the script has no exchange type '%s'", name);
	return NULL;
}

static void make_metatable(lua_State *L, const char *kind, const luaL_Reg *methods)
{
	if (luaL_newmetatable(L, kind)) {
		lua_newtable(L);
		luaL_setfuncs(L, methods, 0);
		lua_setfield(L, -2, "__index");
		lua_pushstring(L, kind);
		lua_setfield(L, -2, "__metatable");
	}
	lua_pop(L, 1);
}

static struct testing_exchange *make_exchange(lua_State *L, const char *type)
{
	static const char *const fields[] = {"name",	    "vhost",	"arguments", "durable",
					     "auto_delete", "internal", NULL};
	struct testing_exchange *exchange = testing_allocate(testing_of(L), sizeof(*exchange));

	if (!exchange)
		raise_memory(L);
	testing_check_fields(L, 2, fields);
	exchange->bindings_end = &exchange->bindings;
	exchange->exchange = (struct shunt_exchange){
		.size = sizeof(exchange->exchange),
		.vhost = keep(L, testing_text(L, 2, "vhost", "/")),
		.name = keep(L, testing_text(L, 2, "name", "exchange")),
		.arguments = keep(L, testing_raw_table(L, 2, "arguments")),
		.durable = testing_boolean(L, 2, "durable", false),
		.auto_delete = testing_boolean(L, 2, "auto_delete", false),
		.internal = testing_boolean(L, 2, "internal", false),
		.type = {(const uint8_t *)type, strlen(type)},
	};
	return exchange;
}

int testing_exchange(lua_State *L)
{
	static const luaL_Reg exchange_methods[] = {
		{"bind", bind}, {"unbind", unbind}, {"route", route}, {NULL, NULL}};
	static const luaL_Reg binding_methods[] = {{NULL, NULL}};
	const struct shunt_exchange_type *type = check_type(L);
	struct testing *testing = testing_of(L);
	uint64_t failures = state_of(L)->failures;
	struct testing_exchange *exchange;
	struct shunt_error error = {0};

	lua_settop(L, 2);
	if (lua_isnil(L, 2)) {
		lua_newtable(L);
		lua_replace(L, 2);
	}
	luaL_checktype(L, 2, LUA_TTABLE);
	make_metatable(L, EXCHANGE, exchange_methods);
	make_metatable(L, BINDING, binding_methods);
	exchange = make_exchange(L, type->name);
	testing_arguments_check(L, exchange->exchange.arguments, type->declare_arguments);
	if (type->validate && type->validate(testing->script, &exchange->exchange, &error) < 0)
		return luaL_error(L, "%s", error.text);
	testing_check_failures(L, failures);
	if (type->create(testing->script, &exchange->exchange, &exchange->instance, &error) < 0)
		return luaL_error(L, "%s", error.text);
	exchange->type = type;
	exchange->next = testing->exchanges;
	testing->exchanges = exchange;
	push_object(L, exchange, EXCHANGE);
	return 1;
}

void testing_exchanges_destroy(struct testing *testing)
{
	for (struct testing_exchange *exchange = testing->exchanges; exchange;
	     exchange = exchange->next)
		exchange->type->destroy(exchange->instance);
	testing->exchanges = NULL;
}
