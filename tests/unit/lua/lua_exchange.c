/* SPDX-License-Identifier: MIT */
#include "lua_exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static struct shunt_bytes bytes_of(const char *text)
{
	return (struct shunt_bytes){(const uint8_t *)text, strlen(text)};
}

void lua_exchange_open_with(struct lua_exchange *x, const char *source, const char *const *settings,
			    unsigned loops)
{
	memset(x, 0, sizeof(*x));
	lua_case_open_loops(&x->c, source, settings, loops);
	CU_ASSERT_PTR_NOT_NULL_FATAL(x->c.script);
	CU_ASSERT_EQUAL_FATAL(script_start(x->c.script, &x->c.error), 0);
	x->type = x->c.fake.type;
	CU_ASSERT_PTR_NOT_NULL_FATAL(x->type);
}

/* However slow the machine, and a sanitizer, is. */
void lua_exchange_open(struct lua_exchange *x, const char *source, unsigned loops)
{
	static const char *const patient[] = {"cpu_time", "1000000", NULL};

	lua_exchange_open_with(x, source, patient, loops);
	CU_ASSERT_EQUAL_FATAL(lua_exchange_declare(x, NULL), 0);
}

void lua_exchange_close(struct lua_exchange *x)
{
	lua_exchange_destroy(x);
	lua_case_close(&x->c);
}

int lua_exchange_declare(struct lua_exchange *x, const struct fake_table *arguments)
{
	x->exchange = (struct shunt_exchange){
		.size = sizeof(x->exchange),
		.vhost = bytes_of("/"),
		.name = bytes_of("the-exchange"),
		.type = bytes_of(x->type->name),
		.durable = true,
	};
	if (arguments)
		x->exchange.arguments = fake_table_bytes(arguments);
	if (x->type->validate && x->type->validate(x->c.script, &x->exchange, &x->c.error) != 0)
		return -1;
	return x->type->create(x->c.script, &x->exchange, &x->state, &x->c.error);
}

void lua_exchange_destroy(struct lua_exchange *x)
{
	if (x->state)
		x->type->destroy(x->state);
	x->state = NULL;
	x->n_bindings = 0;
}

struct lua_exchange_binding *lua_exchange_bind(struct lua_exchange *x, const char *key,
					       const char *destination,
					       const struct fake_table *arguments)
{
	static uint64_t last_id;
	struct lua_exchange_binding *binding = &x->bindings[x->n_bindings];

	if (x->n_bindings == LUA_EXCHANGE_BINDINGS)
		abort();
	memset(binding, 0, sizeof(*binding));
	(void)snprintf(binding->key, sizeof(binding->key), "%s", key);
	(void)snprintf(binding->destination, sizeof(binding->destination), "%s", destination);
	binding->binding = (struct shunt_binding){
		.size = sizeof(binding->binding),
		.id = ++last_id,
		.routing_key = bytes_of(binding->key),
		.destination = bytes_of(binding->destination),
	};
	if (arguments)
		binding->binding.arguments = fake_table_bytes(arguments);
	if (x->type->validate_binding &&
	    x->type->validate_binding(x->state, &binding->binding, &x->c.error) != 0)
		return NULL;
	if (x->type->bind(x->state, &binding->binding, &binding->cookie, &x->c.error) != 0)
		return NULL;
	binding->is_bound = true;
	x->n_bindings++;
	return binding;
}

void lua_exchange_unbind(struct lua_exchange *x, struct lua_exchange_binding *binding)
{
	x->type->unbind(x->state, &binding->binding, binding->cookie);
	memset(binding, 0xdd, sizeof(*binding));
	binding->is_bound = false;
}

const char *lua_exchange_route_message(struct lua_exchange *x, struct fake_message *message)
{
	const struct shunt_binding *answer[4 * LUA_EXCHANGE_BINDINGS];
	struct fake_sink sink;
	size_t size = 0;

	message->message.size = sizeof(message->message);
	message->message.exchange = x->exchange.name;
	message->message.vhost = x->exchange.vhost;
	fake_sink_init(&sink, answer, sizeof(answer) / sizeof(*answer));
	x->type->route(x->state, &message->message, &sink.sink);
	lines_flush(script_state_here(x->c.script));
	x->routed[0] = '\0';
	for (size_t i = 0; i < sink.count; i++)
		size += (size_t)snprintf(x->routed + size, sizeof(x->routed) - size, "%s%.*s",
					 i > 0 ? " " : "", (int)answer[i]->destination.size,
					 (const char *)answer[i]->destination.data);
	return x->routed;
}

const char *lua_exchange_route(struct lua_exchange *x, const char *key,
			       const struct fake_table *headers)
{
	struct fake_message message = {.message.routing_key = bytes_of(key)};

	if (headers)
		message.headers = fake_table_bytes(headers);
	return lua_exchange_route_message(x, &message);
}
