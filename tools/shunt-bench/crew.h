/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_CREW_H
#define TOOLS_SHUNT_BENCH_CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "plan.h"
#include "result.h"
#include "worker.h"

/*
 * All producers, consumers and their worker threads, as the coordinator sees them. The functions
 * are called by the coordinator's thread only.
 */
struct crew {
	const struct options *options;
	const struct plan *plan;
	struct target target;
	struct producer *producers; /* options->producers of them, once made */
	struct consumer *consumers;
	unsigned producer_count, consumer_count; /* connected so far */
	struct worker **workers;
	unsigned worker_count;
	int done_fd;
	char error[CLIENT_ERROR_SIZE + 64];
};

/* The sums of all workers' counters. */
struct crew_tally {
	uint64_t published, confirmed, delivered;
	uint64_t last_publish_ns, last_delivery_ns;
};

/* 0 or negative with `error`. crew_fini() is due in any case. */
int crew_init(struct crew *crew, const struct options *options, const struct plan *plan,
	      const struct target *target) MUST_USE;
void crew_fini(struct crew *crew);

/* Connect all of a kind. */
int crew_connect_producers(struct crew *crew) MUST_USE;
int crew_connect_consumers(struct crew *crew) MUST_USE;

/* Asks for deliveries; `waits`: until all answers have come. */
int crew_subscribe(struct crew *crew, bool waits) MUST_USE;

/* Makes workers for these and starts them. */
int crew_start(struct crew *crew, bool producers, bool consumers, enum worker_phase phase) MUST_USE;
void crew_set_phase(struct crew *crew, enum worker_phase phase);

/* Waits for the workers' end and adds their histograms (result NULL: forgets them). They can be
 * started anew. */
void crew_stop(struct crew *crew, struct result *result);

struct crew_tally crew_tally(const struct crew *crew);
bool crew_has_published(const struct crew *crew); /* all producers are done */
bool crew_has_cancelled(const struct crew *crew); /* all consumers are, after CANCELLING */

/* Waits until a worker has something to tell, at most so long. Negative: a worker failed. */
int crew_wait(struct crew *crew, int timeout_ms) MUST_USE;

/* Says goodbye on all connections, as far as they listen. */
void crew_close(struct crew *crew);

/* Judges what was published and received by all. */
void crew_judge(const struct crew *crew, struct result *result);

#endif
