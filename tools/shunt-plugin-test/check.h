/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_CHECK_H
#define TOOLS_SHUNT_PLUGIN_TEST_CHECK_H

/* The checks. Each runs in a process of its own, which it ends when it finds a fault, or has
 * nothing to do. */

#include "subject.h"

struct check {
	const char *name;
	const char *help; /* one line */
	void (*run)(struct subject *s);
	bool of_type;	     /* once for each exchange type */
	bool starts_itself;  /* else the plugin was started, and is stopped afterwards */
	bool only_on_demand; /* by --bench, or --only */
};

/* The last one has no name. */
extern const struct check checks[];

/* What start() registered, for the others to be chosen: in the trace. */
void check_symbol(struct subject *s);
void check_options(struct subject *s);
void check_start(struct subject *s);
void check_start_memory(struct subject *s);

void check_schema(struct subject *s);
void check_declare(struct subject *s);
void check_bindings(struct subject *s);
void check_order(struct subject *s);
void check_unbind(struct subject *s);
void check_state(struct subject *s);
void check_key(struct subject *s);
void check_depends(struct subject *s);
void check_memory(struct subject *s);
void check_observe(struct subject *s);
void check_bound(struct subject *s);
void check_adopt(struct subject *s);

void check_hooks(struct subject *s);
void check_policies(struct subject *s);
void check_commands(struct subject *s);
void check_metrics(struct subject *s);
void check_timers(struct subject *s);

void check_speed(struct subject *s);
void check_bench(struct subject *s);

#endif
