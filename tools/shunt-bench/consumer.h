/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_CONSUMER_H
#define TOOLS_SHUNT_BENCH_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "client.h"
#include "histogram.h"
#include "plan.h"
#include "sequence.h"

/* What a worker's consumers measure, while it is to be measured. Owned by the worker. */
struct consumer_figures {
	bool is_measuring;
	struct histogram latency; /* publish to delivery */
};

/*
 * A connection that consumes from one or more queues on one channel. Owned by one worker thread;
 * its sums are read by others after that thread has ended.
 */
struct consumer {
	struct client client;
	const struct plan *plan;
	unsigned index;
	unsigned queue_count;
	unsigned answers_left;	    /* qos-ok, consume-ok, cancel-ok still to come */
	struct sequence *sequences; /* by own queue, then producer */
	uint64_t received;
	uint64_t redelivered, foreign;
	unsigned unacked;
};

/* Connects. consumer_fini() is due in any case. */
int consumer_init(struct consumer *consumer, const struct plan *plan, const struct target *target,
		  unsigned index) MUST_USE;
void consumer_fini(struct consumer *consumer);

/* Asks for deliveries, without waiting for the answers. */
int consumer_subscribe(struct consumer *consumer) MUST_USE;

/* Waits for the answers, taking deliveries that come. */
int consumer_await_subscribed(struct consumer *consumer, struct consumer_figures *figures) MUST_USE;

/* Asks for no more; all that is still under way comes before the last answer. */
int consumer_cancel(struct consumer *consumer) MUST_USE;

/* Reads once, takes what has come, sends acknowledgements. */
int consumer_read(struct consumer *consumer, struct consumer_figures *figures) MUST_USE;

/* The index, among its own, of a queue; -1: not its. */
int consumer_find_queue(const struct consumer *consumer, unsigned queue);

#endif
