/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_TRACE_H
#define TOOLS_SHUNT_PLUGIN_TEST_TRACE_H

/*
 * What a check leaves for the process that watches it, in memory that both see: which call of the
 * plugin runs, and how the check ended. A check runs in a process of its own, so a fault simply
 * ends it.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define TRACE_THREADS	8
#define TRACE_TEXT_SIZE 1024

enum trace_outcome {
	TRACE_RUNNING,
	TRACE_PASSED,
	TRACE_SKIPPED,
	TRACE_FAILED,
};

struct trace_thread {
	_Atomic(const char *) call; /* "route()"; NULL: none. A literal: both processes have it */
	_Atomic uint64_t count;	    /* of calls that began or ended */
	char with[256];		    /* what the call was about */
};

/* A number that is a result: nanoseconds of a route, say. */
struct trace_figure {
	char name[64];
	double value;
};

struct trace {
	_Atomic int outcome; /* enum trace_outcome */
	_Atomic unsigned round;
	_Atomic bool claimed; /* by the thread that says how it ended */
	char text[TRACE_TEXT_SIZE];
	char note[TRACE_TEXT_SIZE];
	size_t n_figures;
	struct trace_figure figures[32];
	struct trace_thread threads[TRACE_THREADS];
	size_t n_types; /* what start() registered */
	char type_names[16][128];
};

/* What the present thread is doing; for what must not happen in route(). */
struct trace_frame {
	unsigned loop; /* the loop that it plays */
	bool in_route;
	bool asked_loop;    /* loop_index() was called in this route() */
	bool answer_varies; /* and answer_varies() */
	bool in_dry_run;
	unsigned long mallocs; /* of the C library, in route() */
	const char *call;
};
extern _Thread_local struct trace_frame trace_frame;

/* The trace that this process writes. Set once, before the check. */
extern struct trace *trace_own;

/* Around each call of a function of the plugin. `call` is a literal. */
void trace_begin(const char *call);
void trace_end(void);
/* What the next calls are about. */
void trace_with(const char *format, ...) PRINTF_FORMAT(1, 2);
void trace_round(unsigned round);

/* Ends the process: the plugin has a fault. */
NO_RETURN void trace_fail(const char *format, ...) PRINTF_FORMAT(1, 2);
/* Ends the process: there is nothing to check. */
NO_RETURN void trace_skip(const char *format, ...) PRINTF_FORMAT(1, 2);
/* Something to know that is no fault. The first one stays. */
void trace_note(const char *format, ...) PRINTF_FORMAT(1, 2);
void trace_figure(const char *name, double value);

/* Bytes for people: "a.b\x00" in quotes, cut. A ring of some buffers: use at once. */
const char *trace_quote(const void *data, size_t size);

#endif
