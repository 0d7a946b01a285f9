/* SPDX-License-Identifier: MIT */
#ifndef LUA_TIMER_H
#define LUA_TIMER_H

/*
 * startup() and timers. All states run the source, and so make the same timers; only those of the
 * home loop's state ever run. They begin to count when the script is in force.
 */

#include "module.h"

extern const struct module timer_module;

/* What activate() of the module does, in this order; apart for tests. Home. */
void timer_run_startup(struct script *script);
void timer_begin(struct script *script);

#endif
