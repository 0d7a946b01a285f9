/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_PLAN_H
#define TOOLS_SHUNT_BENCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

/*
 * Who publishes to which queue, who consumes from which, and what everything is called.
 *
 * Producers and consumers are spread evenly: with fewer peers than queues a peer serves every
 * peers-th queue in turn, with more each serves one. On a fanout exchange a producer has a single
 * stream of messages that goes to all queues; otherwise one stream for each of its queues.
 */
struct plan {
	const struct options *options; /* outlives it */
	char run[9];		       /* so that no two runs meet */
};

#define PLAN_NAME_SIZE 48

void plan_init(struct plan *plan, const struct options *options);

/* Queues that peer `index` of `peers` serves, and the i-th of them. */
unsigned plan_queue_count(unsigned index, unsigned peers, unsigned queues);
unsigned plan_queue(unsigned index, unsigned i, unsigned peers, unsigned queues);

unsigned plan_stream_count(const struct plan *plan, unsigned producer);
/* The queue of a producer's stream; 0 for that of a fanout. */
unsigned plan_stream_queue(const struct plan *plan, unsigned producer, unsigned stream);
/* The stream by which the producer reaches the queue; false: it does not. */
bool plan_find_stream(const struct plan *plan, unsigned producer, unsigned queue, unsigned *ret);

/* How many queues get each message. */
unsigned plan_copies(const struct plan *plan);

void plan_exchange(const struct plan *plan, char name[PLAN_NAME_SIZE]);
void plan_queue_name(const struct plan *plan, unsigned queue, char name[PLAN_NAME_SIZE]);
void plan_routing_key(const struct plan *plan, unsigned queue, char key[PLAN_NAME_SIZE]);
void plan_binding_key(const struct plan *plan, unsigned queue, char key[PLAN_NAME_SIZE]);
/* The n-th of the bindings that match nothing (their keys, or the header they ask for). */
void plan_idle_key(const struct plan *plan, unsigned n, char key[PLAN_NAME_SIZE]);

#endif
