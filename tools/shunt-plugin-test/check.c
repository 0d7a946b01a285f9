/* SPDX-License-Identifier: MIT */
#include "check.h"

/* clang-format off */
const struct check checks[] = {
	{"symbol", "what the file exports fits, and names are as they must be", check_symbol, false, true, false},
	{"options", "options allow their defaults; it starts with extreme values", check_options, false, true, false},
	{"start", "it starts and stops, again and again, and leaves nothing", check_start, false, true, false},
	{"start-memory", "start() fails in order when any allocation fails", check_start_memory, false, true, false},

	{"schema", "descriptions of arguments make sense", check_schema, true, false, false},
	{"declare", "validate, create and destroy with any arguments", check_declare, true, false, false},
	{"bindings", "any order of bind and unbind; only what is bound is emitted", check_bindings, true, false, false},
	{"order", "the answer is that of a fresh instance bound in another order", check_order, true, false, false},
	{"unbind", "unbind undoes bind, and nothing grows", check_unbind, true, false, false},
	{"state", "route changes no state, on several threads at once", check_state, true, false, false},
	{"key", "routes_by_key is true: only the routing key decides", check_key, true, false, false},
	{"depends", "depends is true: nothing else decides", check_depends, true, false, false},
	{"memory", "create and bind fail in order when any allocation fails", check_memory, true, false, false},
	{"observe", "observe, beside route on other threads", check_observe, true, false, false},
	{"bound", "bound sends messages that it holds", check_bound, true, false, false},
	{"adopt", "another instance takes over the state of an old one", check_adopt, true, false, false},

	{"hooks", "hooks, with any message", check_hooks, false, false, false},
	{"policies", "each login ends once; verdicts are such", check_policies, false, false, false},
	{"commands", "each call ends once", check_commands, false, false, false},
	{"metrics", "gauges can be read", check_metrics, false, false, false},
	{"timers", "timers, and what is posted and published", check_timers, false, false, false},

	{"speed", "nanoseconds and allocations a route, with 1, 1000 and 100000 bindings", check_speed, true, true, false},
	{"bench", "the same in known shapes, by which types are compared (--bench)", check_bench, true, true, true},
	{0},
};
/* clang-format on */
