/* SPDX-License-Identifier: MIT */
#ifndef LUA_MESSAGE_STATE_H
#define LUA_MESSAGE_STATE_H

/* What the files of the message object have in common. */

#include "message/fields.h"
#include "message/message.h"
#include "script.h"
#include "run/state.h"

/* What a message has besides its properties, which come first. */
enum field {
	FIELD_PROPERTIES = SHUNT_APP_ID + 1,
	FIELD_ROUTING_KEY = FIELD_PROPERTIES,
	FIELD_EXCHANGE,
	FIELD_VHOST,
	FIELD_USER,
	FIELD_BODY_SIZE,
	FIELD_HEADERS,
	FIELDS_OF_MESSAGE,
};

/* User values of the object. */
enum {
	VALUE_HEADERS = 1, /* the object of the headers */
	VALUE_WRITTEN,	   /* fields that were written, by name; `body` too */
	VALUE_WRITTEN_HEADERS,
	VALUES = VALUE_WRITTEN_HEADERS,
};

/* Of a state: the one message that is shown. */
struct messages {
	const struct shunt_host *host;
	const struct shunt_message *message; /* NULL: none */
	enum message_use use;
	bool has_headers;	    /* `headers` is what it has */
	bool is_written;	    /* there may be user values that are not of this message */
	struct shunt_bytes headers; /* raw */
	int object;		    /* in the registry */
};

struct message_object {
	struct messages *messages;
};

struct headers_object {
	struct fields fields; /* first; user value 1 is the message */
	struct messages *messages;
};

extern const char *const message_fields[FIELDS_OF_MESSAGE];

static inline struct messages *messages_of(const struct state *state)
{
	return state->of_module[MODULE_MESSAGE];
}

/* The message; raises when none is shown. */
const struct shunt_message *message_shown(lua_State *L, const struct messages *messages);

/* The object at 1; raises when it is none, or shows none. */
struct messages *message_at_1(lua_State *L);

/* Its headers, a raw table. */
struct shunt_bytes message_headers(struct messages *messages);

/* Lua's functions: __newindex, and a method. */
int message_newindex(lua_State *L);
int message_set_body(lua_State *L);

/* Sets field 1 of the message object on the top: its headers' object. */
void message_make_headers(lua_State *L, struct messages *messages);

#endif
