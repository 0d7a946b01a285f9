/* SPDX-License-Identifier: MIT */
#ifndef LUA_MESSAGE_H
#define LUA_MESSAGE_H

/*
 * What a script sees of a message. A state has one such object, which shows one message after the
 * other: nothing is made for a message but what the script reads. Strings are pushed when they are
 * read, headers are looked up in the raw table, the body is never copied as a whole unless asked
 * for. Outside of the call it shows none, and reading it raises.
 *
 * Where it may be written, what is written is kept in the object, and is what later reads see;
 * nothing of it is done before message_apply(). So a script that fails half-way has changed
 * nothing.
 */

#include <lua.h>
#include <shunt/plugin.h>

#include "module.h"

struct state;

enum message_use {
	MESSAGE_READ,	 /* writing raises */
	MESSAGE_PUBLISH, /* may be written */
	MESSAGE_DELIVER, /* may be written, but for routing_key and exchange */
};

/*
 * Pushes the message object; from now on it shows this message, until the end of the call, inside of
 * which this is.
 */
void message_open(lua_State *L, const struct shunt_message *message, enum message_use use);

/* It shows none any more. For call_run(), at the end of a call: touches no Lua, as it may have failed. */
void message_close(struct state *state);

/* Sets in the draft what was written since message_open(), if anything. Raises when the draft does
 * not take it: then a part of it may have been set. */
void message_apply(lua_State *L, struct shunt_draft *draft);

/* The names of properties, RabbitMQ's: by enum shunt_property. -1: no such property. */
const char *message_property_name(enum shunt_property property);
int message_property_find(const char *name);

/* Sets a property of a draft from the Lua value at the index; raises when it is of the wrong type,
 * or not taken. For broker.publish(). */
void message_set_property(lua_State *L, struct shunt_draft *draft, enum shunt_property property,
			  int index);

extern const struct module message_module;

#endif
