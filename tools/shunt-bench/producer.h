/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_PRODUCER_H
#define TOOLS_SHUNT_BENCH_PRODUCER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "batch.h"
#include "client.h"
#include "confirms.h"
#include "histogram.h"
#include "plan.h"

/* What a worker's producers measure, while it is to be measured. Owned by the worker. */
struct producer_figures {
	bool is_measuring;
	struct histogram confirm_latency;
	struct histogram lag; /* open loop: how late the tool itself was */
};

/* The messages to one queue, or to the fanout exchange. */
struct stream {
	struct template template;
	uint64_t next; /* the next sequence number, the count so far */
};

/*
 * A connection that publishes. Owned by one worker thread; its sums are read by others after that
 * thread has ended.
 */
struct producer {
	struct client client;
	const struct plan *plan;
	unsigned index;
	struct stream *streams;
	unsigned stream_count, stream_at;
	struct slice tail; /* shared by the streams' templates */
	struct batch batch;
	struct confirms confirms; /* when options->confirm > 0 */
	uint64_t encoded;	  /* messages put into batches */
	uint64_t sent;		  /* messages the socket has taken */
	uint64_t limit;
	uint64_t begin_ns;	/* open loop: when its first message is due */
	double interval_ns;	/* open loop, else 0 */
	uint64_t held_until_ns; /* open loop: up to when the broker last held it back */
	bool is_held;
	bool is_writable;
	uint64_t returned; /* messages that came back, though not mandatory */
};

/* Connects and makes ready to publish `limit` messages. producer_fini() is due in any case. */
int producer_init(struct producer *producer, const struct plan *plan, const struct target *target,
		  unsigned index, uint64_t limit) MUST_USE;
void producer_fini(struct producer *producer);

/* Open loop: the rate counts from here. */
void producer_begin(struct producer *producer, uint64_t now_ns);

/* Publishes no more than it has. */
void producer_stop(struct producer *producer);

/* All published, all confirmed. */
bool producer_is_done(const struct producer *producer);

#define PRODUCER_WAITS UINT64_MAX

/*
 * Publishes one batch if it may. *ret_next_ns: when to call again: 0 at once, PRODUCER_WAITS after
 * the socket has become readable or writable. Negative: client.error says why.
 */
int producer_publish(struct producer *producer, struct producer_figures *figures, uint64_t now_ns,
		     uint64_t *ret_next_ns) MUST_USE;

/* Reads all that has come. */
int producer_read(struct producer *producer, struct producer_figures *figures) MUST_USE;

#endif
