/* SPDX-License-Identifier: MIT */
#ifndef LUA_TESTING_H
#define LUA_TESTING_H

/*
 * A script's tests: its global functions test_*. Each runs in a state of its own
 * (script_open_for_test()), with a host that plays the broker and is told by the global `test` what
 * to ask of the script. What it asks goes through the types, policies, hooks and timers that the
 * script has registered, as the broker's questions do.
 */

#include <lua.h>

#include <shunt/language.h>

#include "script.h"

/*
 * Runs all tests of a script that is open. -1: one has failed, *error says the first one as
 * "FILE:LINE: test_name: why". report: each is reported; NULL: nobody asks. Any thread.
 */
int testing_run(struct script *opened, const struct shunt_script *text, struct shunt_report *report,
		struct shunt_error *error);

/* Adds the global `test` to a state of a script whose is_test is set. May raise. */
void testing_open(lua_State *L, struct state *state);

/* The clock of a test, microseconds; of a script whose is_test is set. */
int64_t testing_wall_us(const struct script *script);
uint64_t testing_steady_us(const struct script *script);

#endif
