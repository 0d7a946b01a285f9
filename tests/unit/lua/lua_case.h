/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_LUA_CASE_H
#define TESTS_UNIT_LUA_CASE_H

/*
 * A script of the plugin "lua", which is linked into the test, on a host that is a fake. What the
 * script's host has given must be back when the case is closed.
 */

#include "run/call.h"
#include "fake_host.h"
#include "script.h"
#include "run/state.h"

struct lua_case {
	struct fake_host fake; /* first */
	struct language language;
	struct script *script; /* NULL: it was refused, see error */
	struct shunt_error error;
	char result[512];   /* what a call has returned, as text */
	char log[512];	    /* the line logged last */
	unsigned log_lines; /* logged in all */
};

/* Those of scripts; but a call has 10 s, so that on a slow machine, too, it is instructions that
 * count. */
const struct shunt_option *lua_case_options(void);

/* Opens it; refused: script is NULL, and only `error` may be looked at. settings: as in
 * fake_host.h. */
void lua_case_open(struct lua_case *c, const char *source, const char *const *settings);
void lua_case_open_loops(struct lua_case *c, const char *source, const char *const *settings,
			 unsigned loops);
void lua_case_close(struct lua_case *c);

/* In the cases that are opened from now on the n-th allocation, and each one after it, fails; 0:
 * none. */
void lua_case_fail_at(long n);

/* Calls the global function, with no argument, or a text; result: its first one. */
enum call_result lua_case_call(struct lua_case *c, enum call_kind kind, const char *function);
enum call_result lua_case_call_with(struct lua_case *c, enum call_kind kind, const char *function,
				    const char *argument, size_t size);

/* The state of loop 0. */
struct state *lua_case_state(const struct lua_case *c);

/* Instructions that calls of a kind have used so far, those of C functions included. */
uint64_t lua_case_instructions(const struct lua_case *c, enum call_kind kind);

/*
 * Opens a script of it, calls its function f(), and closes it, so that what it has left in memory
 * is looked at: "true"... or "failed: error" or "refused: error". Its calls have much time, but no
 * more instructions than usual. The text stays until the next one.
 */
const char *lua_case_of(const char *source);

#endif
