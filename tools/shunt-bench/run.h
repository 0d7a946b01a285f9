/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_RUN_H
#define TOOLS_SHUNT_BENCH_RUN_H

#include "base/compiler.h"
#include "options.h"
#include "result.h"

/*
 * Publishes and consumes (BENCH_MODE_FLOW, BENCH_MODE_FILL) and fills the result.
 * 0, though messages may be lost: see result->faults. Negative: result->error says what happened.
 */
int run_flow(const struct options *options, struct result *result) MUST_USE;

/* From a signal handler: the run ends early, with what it has. */
void run_interrupt(void);
bool run_is_interrupted(void);

#endif
