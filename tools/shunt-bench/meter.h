/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_METER_H
#define TOOLS_SHUNT_BENCH_METER_H

#include <stdint.h>

#include "base/compiler.h"
#include "options.h"
#include "process.h"
#include "result.h"

/* The clocks at one moment: the wall's, the broker's and the tool's own. A plain value. */
struct meter {
	uint64_t now_ns, own_ns;
	struct process_sample broker; /* zero without --pid */
};

/* 0; with --pid, negative when there is no such process. */
int meter_read(const struct options *options, struct meter *ret) MUST_USE;

/* What was spent from one moment to another. */
struct result_cpu meter_since(const struct meter *from, const struct meter *to);

#endif
