/* SPDX-License-Identifier: MIT */
#ifndef LUA_CLOCK_H
#define LUA_CLOCK_H

/* What time it is for a script. In a test it is what the test says, and stands still. */

#include <stdint.h>

struct script;

/* Since 1970, UTC. In route, too. */
int64_t clock_wall_us(const struct script *script);

/* Of a clock that never goes back. In route, too. */
uint64_t clock_steady_us(const struct script *script);

#endif
