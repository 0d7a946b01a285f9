/* SPDX-License-Identifier: MIT */
#ifndef LUA_PATTERN_H
#define LUA_PATTERN_H

/*
 * Lua's patterns (§6.4.1 of its manual), by a matcher that charges its steps: one that goes back
 * and forth for years is over with the budget of its call. What is wrong with a pattern is raised
 * when the matcher comes to it, as Lua's does.
 */

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_CAPTURES_MAX 32

/* Lengths that are none. */
#define PATTERN_OPEN	 (-1) /* its ')' has not been met */
#define PATTERN_POSITION (-2) /* (): where it is */

struct pattern_capture {
	const char *start;
	ptrdiff_t length;
};

struct pattern {
	lua_State *L;
	const char *subject, *subject_end;
	const char *end; /* of the pattern */
	uint64_t steps;	 /* not charged yet */
	int depth;	 /* how many levels there may still be */
	int captures;
	struct pattern_capture capture[PATTERN_CAPTURES_MAX];
};

/* Both texts end with a zero byte, which does not count. */
void pattern_init(struct pattern *pattern, lua_State *L, const char *subject, size_t subject_size,
		  const char *end);

/* Matches from `text` on: where the match ends, or NULL. */
const char *pattern_match(struct pattern *pattern, const char *text, const char *from);

/* Pushes a capture (0: the first); the whole match if it is 0 and there is none. */
void pattern_push_capture(struct pattern *pattern, int which, const char *match, const char *end);

/* Pushes all; the whole match if there is none, and match is not NULL. How many. */
int pattern_push_captures(struct pattern *pattern, const char *match, const char *end);

/* Charges steps that were not yet. */
void pattern_settle(struct pattern *pattern);

#endif
