/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_CHILD_H
#define TOOLS_SHUNT_PLUGIN_TEST_CHILD_H

/* A check in a process of its own, watched: it may crash, or never end. */

#include "check.h"
#include "trace.h"

/* Memory that this process and the checks see. */
struct trace *child_trace_create(void);

/*
 * Runs the check from the beginning to the end. trace->outcome is one of TRACE_PASSED,
 * TRACE_SKIPPED and TRACE_FAILED afterwards, with a text. A call of the plugin that does not return
 * for so many seconds is a fault.
 */
void child_run(const struct check *check, const struct subject *subject, double timeout_s,
	       struct trace *trace);

#endif
