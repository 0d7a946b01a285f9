/* SPDX-License-Identifier: MIT */
#ifndef LUA_TESTING_MESSAGE_H
#define LUA_TESTING_MESSAGE_H

/* What tests write for messages, peers and tables, and what they see of them. All may raise. */

#include "testing/host.h"

/*
 * Reads the message that the table at the index describes; it is what `default_exchange` says if
 * the table does not name its exchange. Pushes what owns the bytes: it is valid as long as that
 * stays on the stack. `others`, ending with NULL: the fields that there may be besides those of a
 * message; any other name raises.
 */
void testing_message_read(lua_State *L, int table, const char *const *others,
			  struct shunt_bytes default_exchange, struct testing_message *ret_message);

/* Pushes a table with what the message is now. */
void testing_message_push(lua_State *L, const struct testing_message *message);

/* A field that is a string: pushes it; that of the fallback if there is none. */
struct shunt_bytes testing_text(lua_State *L, int table, const char *field, const char *fallback);

/* A field that is a table with names as keys: pushes what owns the raw table; empty if there is
 * none. */
struct shunt_bytes testing_raw_table(lua_State *L, int table, const char *field);

bool testing_boolean(lua_State *L, int table, const char *field, bool fallback);

/* The peer that the value at the index, a table or nil, describes. Pushes what owns its bytes. */
void testing_peer_read(lua_State *L, int index, struct shunt_peer *ret_peer);

/* Raises for a name that is not in the list, which ends with NULL. */
void testing_check_fields(lua_State *L, int table, const char *const *names);

/* Raises what a function of the script's has failed with since `failures` was looked at
 * (state.h). */
void testing_check_failures(lua_State *L, uint64_t failures);

/* Settles what was posted and published; raises when that would not end. */
void testing_check_settled(lua_State *L);

#endif
