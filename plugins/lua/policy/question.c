/* SPDX-License-Identifier: MIT */
/* What access.authorize is asked, as the script sees it. */
#include <string.h>

#include "policy/access.h"
#include "run/call.h"
#include "script.h"
#include "run/state.h"
#include "message/values.h"

static const char *const operations[] = {
	[SHUNT_CONNECT] = "connect",
	[SHUNT_CONFIGURE] = "configure",
	[SHUNT_WRITE] = "write",
	[SHUNT_READ] = "read",
	[SHUNT_WRITE_TOPIC] = "write_topic",
	[SHUNT_READ_TOPIC] = "read_topic",
};

static const char *const resources[] = {
	[SHUNT_QUEUE] = "queue",
	[SHUNT_EXCHANGE] = "exchange",
	[SHUNT_VHOST] = "vhost",
};

static void push_operation(lua_State *L, const void *subject)
{
	lua_pushstring(L, operations[((const struct shunt_question *)subject)->operation]);
}

static void push_resource(lua_State *L, const void *subject)
{
	lua_pushstring(L, resources[((const struct shunt_question *)subject)->resource]);
}

static void push_user(lua_State *L, const void *subject)
{
	view_push_bytes(L, ((const struct shunt_question *)subject)->user);
}

/* An array, of what is between commas. */
static void push_tags(lua_State *L, const void *subject)
{
	struct shunt_bytes rest = ((const struct shunt_question *)subject)->tags;
	lua_Integer n = 0;

	call_charge(L, rest.size / 4 + 1);
	lua_newtable(L);
	while (rest.size != 0) {
		const uint8_t *comma = memchr(rest.data, ',', rest.size);
		size_t size = comma != NULL ? (size_t)(comma - rest.data) : rest.size;

		view_push_bytes(L, (struct shunt_bytes){rest.data, size});
		lua_rawseti(L, -2, ++n);
		size += comma != NULL;
		rest = (struct shunt_bytes){rest.data + size, rest.size - size};
	}
}

static void push_vhost(lua_State *L, const void *subject)
{
	view_push_bytes(L, ((const struct shunt_question *)subject)->vhost);
}

static void push_name(lua_State *L, const void *subject)
{
	view_push_bytes(L, ((const struct shunt_question *)subject)->name);
}

static void push_routing_key(lua_State *L, const void *subject)
{
	view_push_bytes(L, ((const struct shunt_question *)subject)->routing_key);
}

static void push_arguments(lua_State *L, const void *subject)
{
	value_push_table(L, state_of(L)->script->host,
			 ((const struct shunt_question *)subject)->arguments);
}

static void push_peer(lua_State *L, const void *subject)
{
	(void)subject;
	view_push_link(L);
}

static const struct view_field fields[] = {
	{"operation", push_operation},
	{"resource", push_resource},
	{"user", push_user},
	{"tags", push_tags},
	{"vhost", push_vhost},
	{"name", push_name},
	{"routing_key", push_routing_key},
	{"arguments", push_arguments},
	{"peer", push_peer},
	{0},
};

const struct view_type access_question_view = {"question", fields};
