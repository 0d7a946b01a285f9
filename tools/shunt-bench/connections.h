/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_CONNECTIONS_H
#define TOOLS_SHUNT_BENCH_CONNECTIONS_H

#include "base/compiler.h"
#include "options.h"
#include "result.h"

/*
 * Opens connections with a channel each, as many at the same time as options->concurrency says,
 * and either keeps them (BENCH_MODE_CONNECTIONS) or closes each at once (BENCH_MODE_CHURN).
 * 0, or negative with result->error.
 */
int connections_run(const struct options *options, struct result *result) MUST_USE;

#endif
