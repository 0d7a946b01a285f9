/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_BARRIER_H
#define KERNEL_BROKER_BARRIER_H

/* Waiting until what was published and settled on several loops is durable there. */

#include <stdbool.h>
#include <stdint.h>

#include "broker/broker.h"

/* Loops by index. */
struct loop_set {
	uint64_t words[LOOP_COUNT_MAX / 64];
};

static inline void loop_set_add(struct loop_set *set, unsigned loop)
{
	set->words[loop / 64] |= UINT64_C(1) << loop % 64;
}

static inline bool loop_set_has(const struct loop_set *set, unsigned loop)
{
	return (set->words[loop / 64] >> loop % 64 & 1) != 0;
}

/* Belongs to the asker, in place until done(). */
struct broker_barrier {
	/* On the asker's loop, never inside the call; also if the asker is gone by then. */
	void (*done)(struct broker_barrier *barrier);
	bool has_failed; /* in at least one of the logs */
	unsigned n_pending;
};

/*
 * All that was published and settled before, by letters from this loop too, is durable in the logs
 * of those loops when done() runs. At least one loop.
 */
void broker_barrier(struct broker *broker, const struct loop_set *loops,
		    struct broker_barrier *barrier);

#endif
