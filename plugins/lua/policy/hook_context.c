/* SPDX-License-Identifier: MIT */
#include "policy/hook_context.h"

#include <lauxlib.h>

static void push_peer(lua_State *L, const void *subject)
{
	(void)subject;
	view_push_link(L);
}

/* ---- Publish ---- */

static void push_publisher(lua_State *L, const void *subject)
{
	view_push_bytes_or_nil(L, ((const struct shunt_publish *)subject)->user);
}

static void push_mandatory(lua_State *L, const void *subject)
{
	lua_pushboolean(L, ((const struct shunt_publish *)subject)->mandatory);
}

static void push_dry_run(lua_State *L, const void *subject)
{
	lua_pushboolean(L, ((const struct shunt_publish *)subject)->dry_run);
}

static const struct view_field publish_fields[] = {
	{"user", push_publisher},
	{"peer", push_peer},
	{"mandatory", push_mandatory},
	{"dry_run", push_dry_run},
	{0},
};

static const struct view_type publish_view = {"context", publish_fields};

/* ---- Deliver ---- */

static void push_queue(lua_State *L, const void *subject)
{
	view_push_bytes(L, ((const struct shunt_delivery *)subject)->queue);
}

static void push_consumer(lua_State *L, const void *subject)
{
	view_push_bytes_or_nil(L, ((const struct shunt_delivery *)subject)->user);
}

static void push_consumer_tag(lua_State *L, const void *subject)
{
	view_push_bytes_or_nil(L, ((const struct shunt_delivery *)subject)->consumer_tag);
}

static void push_redelivered(lua_State *L, const void *subject)
{
	lua_pushboolean(L, ((const struct shunt_delivery *)subject)->redelivered);
}

static const struct view_field deliver_fields[] = {
	{"queue", push_queue},
	{"user", push_consumer},
	{"consumer_tag", push_consumer_tag},
	{"redelivered", push_redelivered},
	{"peer", push_peer},
	{0},
};

static const struct view_type deliver_view = {"context", deliver_fields};

/* ---- Both ---- */

void hook_contexts_make(lua_State *L, struct hook_contexts *contexts)
{
	contexts->peer = view_create(L, &view_peer);
	contexts->publish = view_create(L, &publish_view);
	view_link(L, -2);
	contexts->publish_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	contexts->deliver = view_create(L, &deliver_view);
	view_link(L, -2);
	contexts->deliver_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	contexts->peer_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

struct hook_shown hook_show(struct view *view, const struct hook_contexts *contexts,
			    const void *subject, const struct shunt_peer *peer)
{
	return (struct hook_shown){view_show(view, subject), view_show(contexts->peer, peer)};
}

void hook_show_again(struct view *view, const struct hook_contexts *contexts,
		     struct hook_shown before)
{
	(void)view_show(view, before.subject);
	(void)view_show(contexts->peer, before.peer);
}
