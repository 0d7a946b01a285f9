/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_CONFIRMS_H
#define TOOLS_SHUNT_BENCH_CONFIRMS_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"

/*
 * What a producer has published and the broker has not yet confirmed: a ring of the times of
 * publishing, by delivery tag. Tags count from 1, as the broker counts them.
 */
struct confirms {
	uint64_t *times; /* by tag & mask; 0: confirmed */
	uint64_t mask;
	uint64_t published; /* the last tag given */
	uint64_t base;	    /* all tags up to this one are confirmed */
	unsigned outstanding, window;
	uint64_t confirmed, nacked;
	uint64_t wrong; /* confirmed that were not outstanding */
};

void confirms_init(struct confirms *confirms, unsigned window);
void confirms_fini(struct confirms *confirms);

/* How many more may be published now. */
static inline unsigned confirms_room(const struct confirms *confirms)
{
	/* a tag that stays behind while later ones are confirmed must not meet itself in the ring
	 */
	uint64_t span = confirms->published - confirms->base;
	uint64_t ring = confirms->mask + 1 - span;
	unsigned room = confirms->window - confirms->outstanding;

	return ring < room ? (unsigned)ring : room;
}

/* One was published at this time (not 0); there must be room. */
static inline void confirms_publish(struct confirms *confirms, uint64_t time_ns)
{
	confirms->published++;
	confirms->outstanding++;
	confirms->times[confirms->published & confirms->mask] = time_ns;
}

/* basic.ack or basic.nack came. Latencies go into the histogram unless it is NULL. */
void confirms_settle(struct confirms *confirms, uint64_t tag, bool multiple, bool is_nack,
		     uint64_t now_ns, struct histogram *latencies);

#endif
