/* SPDX-License-Identifier: MIT */
#ifndef LUA_VIEW_H
#define LUA_VIEW_H

/*
 * Objects that show a structure of the broker to a script for the time of a call: a question, a
 * peer, what a hook is told besides the message. A state has one of each, made when it is opened,
 * so that a call makes no garbage; fields are read when the script asks for them. A field that
 * there is not raises, as does one that is read after the call, or written.
 */

#include <lua.h>

#include <shunt/plugin.h>

struct view_field {
	const char *name;
	/* Pushes one value. The object itself is at index 1, with the other one of view_link(). */
	void (*push)(lua_State *L, const void *subject);
};

struct view_type {
	const char *name;		 /* "question", for messages */
	const struct view_field *fields; /* ends with a name of NULL */
};

/* Lua's; lives as long as somebody has a reference to it. */
struct view;

/* Pushes a new object, which shows nothing. May raise. */
struct view *view_create(lua_State *L, const struct view_type *type);

/* The object at `index` is what view_push_link() pushes for the one on top. */
void view_link(lua_State *L, int index);

/* For a field: the linked object, or nil if that shows nothing. */
void view_push_link(lua_State *L);

/* What it shows from now on (NULL: nothing), to this thread. Returns what it showed: calls may be
 * nested, and who shows something puts that back. Never raises; before or after call_run(). */
const void *view_show(struct view *view, const void *subject);

/* struct shunt_peer */
extern const struct view_type view_peer;

/* For fields. */
void view_push_bytes(lua_State *L, struct shunt_bytes bytes);
/* nil when there are none */
void view_push_bytes_or_nil(lua_State *L, struct shunt_bytes bytes);

#endif
