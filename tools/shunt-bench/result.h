/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_RESULT_H
#define TOOLS_SHUNT_BENCH_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "histogram.h"
#include "process.h"
#include "sequence.h"

/* CPU time spent in a stretch of the run. */
struct result_cpu {
	double wall_s;
	uint64_t cpu_ns, user_ns, system_ns; /* the broker's; 0 without --pid */
	uint64_t own_ns;		     /* the tool's */
};

/* What was counted in a stretch of the run, each over its own time. */
struct result_flow {
	uint64_t published, confirmed, delivered;
	double publish_s, deliver_s;
	uint64_t behind; /* published before the end, and not delivered by then */
	struct result_cpu cpu;
};

/* What went on beside the run in the same time. */
struct result_noise {
	unsigned peers; /* 0: nothing */
	uint64_t published, delivered;
	double seconds;
};

/* Everything a run found out. Large: on the heap. */
struct result {
	char broker[64];
	char tls[64];		  /* version and cipher; "": plain */
	struct result_flow flow;  /* publishing and consuming, or filling */
	struct result_flow drain; /* --fill: consuming */
	struct histogram confirm_latency, latency, lag;
	struct histogram open_latency; /* --connections, --churn: connect to channel.open-ok */
	struct result_cpu hold;	       /* --connections: while they are kept */
	uint64_t opened;	       /* --connections, --churn */
	struct result_flow opening;    /* its cpu, and publish_s for the time */
	uint64_t received_least, received_most; /* by a single consumer */
	struct result_noise noise, slow;
	bool has_process;
	uint64_t rss_before, rss_after, rss_end; /* _end: --fill, after the drain */
	struct faults faults;
	uint64_t published_all, expected, received; /* warm-up and drain included */
	bool is_checked_by_number;		    /* bodies had room for it */
	bool was_blocked, is_stalled, is_interrupted;
	char error[CLIENT_ERROR_SIZE + 64]; /* what ended the run */
};

#endif
