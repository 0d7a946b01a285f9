/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_NOISE_H
#define TOOLS_SHUNT_BENCH_NOISE_H

#include <stdbool.h>

#include "base/compiler.h"
#include "crew.h"
#include "options.h"
#include "plan.h"
#include "result.h"

/*
 * Load beside what is measured, on connections, queues and a thread of its own; none of it is in
 * the run's figures. Owned by the run, used by the coordinator's thread only.
 */
struct noise {
	struct options options; /* its own numbers, and the run's strings, which are borrowed */
	struct plan plan;
	struct crew crew;
	struct crew_tally begin;
	uint64_t begin_ns;
	bool is_made, has_topology;
};

/* --noise: each producer publishes flat out to a queue of its own, which has a consumer. */
void noise_init_flat_out(struct noise *noise, const struct options *options);
/*
 * --slow: the same, but the consumer reads slower than its producer publishes: the broker soon has
 * a full socket, and keeps the rest.
 */
void noise_init_slow(struct noise *noise, const struct options *options);

/* Declares (on `control`), connects and starts, if it has peers. Negative: noise->crew.error. */
int noise_start(struct noise *noise, struct client *control, const struct target *target) MUST_USE;

/* Around the time that is measured. Negative: it failed meanwhile, noise->crew.error. */
void noise_mark_begin(struct noise *noise);
int noise_mark_end(struct noise *noise, struct result_noise *ret) MUST_USE;

/* Ends it, and closes its connections; may be called again. Its queues stay. */
void noise_stop(struct noise *noise);
/* Deletes its queues, if it has any, and frees it. */
void noise_fini(struct noise *noise, struct client *control);

#endif
