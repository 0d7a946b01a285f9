/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_REPORT_H
#define TOOLS_SHUNT_PLUGIN_TEST_REPORT_H

/* What was found, on standard output: a line a check, or one JSON object at the end. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "check.h"
#include "trace.h"

struct report {
	bool is_json, is_verbose;
	const char *path;
	uint64_t seed;
	unsigned passed, failed, skipped;
	json_t *checks; /* when is_json */
};

void report_begin(struct report *report, const char *path, uint64_t seed, bool is_json,
		  bool is_verbose);
/* type: NULL for the plugin itself. */
void report_add(struct report *report, const struct check *check, const char *type,
		const struct trace *trace, double seconds);
/* The summary; frees what the report holds. 0, or -1 when standard output does not take it. */
int report_end(struct report *report);

#endif
