/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_UPGRADE_TRIAL_H
#define KERNEL_BROKER_UPGRADE_TRIAL_H

/*
 * A trial of an exchange type: of the messages that go by its exchanges, a share is routed by the
 * shadow, too (broker/upgrade/upgrade.h), and where that would have sent them is compared with where they
 * went. What is compared is one call of route(): the set of queues and exchanges of the bindings
 * that it gave.
 *
 * The numbers are kept per loop, and written in the read side; who reads them is in the write side.
 */

#include <stdbool.h>
#include <stdint.h>

#include "broker/topology/topology.h"

struct trial;
struct router;

#define TRIAL_NAMES   4u
#define TRIAL_SAMPLES 8u /* a loop; the first ones, then one a second */

/* A name, cut to what has room. */
struct trial_name {
	uint8_t size;
	bool is_exchange;
	char text[255];
};

/* A message that would have gone elsewhere, and some of the destinations that make the difference.
 */
struct trial_sample {
	uint64_t at_ms;		 /* wall clock */
	struct trial_name vhost; /* it may be deleted before the report */
	struct trial_name exchange, routing_key;
	uint64_t n_only_old, n_only_new;
	struct trial_name only_old[TRIAL_NAMES], only_new[TRIAL_NAMES];
};

struct trial_report {
	unsigned percent;
	uint64_t n_compared, n_different;
	uint64_t n_only_old, n_only_new; /* destinations */
	size_t n_samples;
	struct trial_sample samples[TRIAL_SAMPLES]; /* of all loops, the newest last */
};

/* percent: 1 to 100. The pool of loops is there. */
struct trial *trial_create(unsigned percent);
void trial_free(struct trial *trial); /* NULL is fine */

/* Outside of the lock: takes the write side. */
void trial_report(struct topology *topology, struct trial *trial, struct trial_report *ret);

/*
 * For the router, in the read side: what route() of the exchange, which is tried, would be called
 * for; now and then the shadow's, too, and the comparison. True: that was so.
 */
bool trial_route(struct router *router, const struct exchange *exchange, struct shadow *shadow);

/* Outside of the lock: makes room for marks, as many as the router has. */
struct trial_marks;
void trial_make_room(struct router *router);
void trial_marks_free(struct trial_marks *marks);

#endif
