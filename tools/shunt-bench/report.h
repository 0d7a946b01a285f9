/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_REPORT_H
#define TOOLS_SHUNT_BENCH_REPORT_H

#include <stdio.h>

#include "options.h"
#include "result.h"

/* For people: a line for each figure that was measured. */
void report_text(FILE *out, const struct options *options, const struct result *result);

/* The same as one JSON object; times in microseconds, sizes in bytes. */
void report_json(FILE *out, const struct options *options, const struct result *result);

#endif
