/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_COUNTERS_H
#define KERNEL_LOOP_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/compiler.h"

/*
 * What happened since the process began: counted by each loop on cache lines of its own, summed by
 * whoever asks. They only go up; what there is now is a difference, as opened minus closed.
 */
#define LOOP_COUNTERS(X)                                                                           \
	X(CONNECTIONS_OPENED, connections_opened)                                                  \
	X(CONNECTIONS_CLOSED, connections_closed)                                                  \
	X(CONNECTIONS_MOVED, connections_moved)                                                    \
	X(CHANNELS_OPENED, channels_opened)                                                        \
	X(CHANNELS_CLOSED, channels_closed)                                                        \
	X(QUEUES_CREATED, queues_created)                                                          \
	X(QUEUES_DELETED, queues_deleted)                                                          \
	X(CONSUMERS_ADDED, consumers_added)                                                        \
	X(CONSUMERS_REMOVED, consumers_removed)                                                    \
	X(MESSAGES_PUBLISHED, messages_published)                                                  \
	X(MESSAGES_CONFIRMED, messages_confirmed)                                                  \
	X(MESSAGES_ROUTED, messages_routed)                                                        \
	X(MESSAGES_UNROUTABLE, messages_unroutable)                                                \
	X(MESSAGES_RETURNED, messages_returned)                                                    \
	X(MESSAGES_DELIVERED, messages_delivered)                                                  \
	X(MESSAGES_REDELIVERED, messages_redelivered)                                              \
	X(MESSAGES_ACKED, messages_acked)                                                          \
	X(MESSAGES_REQUEUED, messages_requeued)                                                    \
	X(MESSAGES_DROPPED, messages_dropped)                                                      \
	X(MESSAGES_NACKED, messages_nacked)                                                        \
	X(MESSAGES_EXPIRED, messages_expired)                                                      \
	X(BYTES_IN, bytes_in)                                                                      \
	X(BYTES_OUT, bytes_out)                                                                    \
	X(TURNS, turns)                                                                            \
	X(LETTERS, letters)                                                                        \
	X(WAKE_UPS, wake_ups)

/* clang-format off */
enum counter_id {
#define X(upper, lower) COUNTER_##upper,
	LOOP_COUNTERS(X)
#undef X
	COUNTER_COUNT,
};
/* clang-format on */

struct loop_counters {
	_Alignas(CACHE_LINE_SIZE) _Atomic uint64_t values[COUNTER_COUNT];
};

/* The lines of the calling thread's loop; NULL: the shared ones. Only for counter_add(). */
extern _Thread_local struct loop_counters *loop_counters_own;

/*
 * The loop does this for its threads: the calling thread counts on the lines of loop `index`, or
 * (-1) on the shared ones.
 */
void counters_set_thread(int index);

void counter_add_shared(enum counter_id id, uint64_t n);

static inline void counter_add(enum counter_id id, uint64_t n)
{
	struct loop_counters *own = loop_counters_own;

	if (UNLIKELY(!own)) {
		counter_add_shared(id, n);
		return;
	}
	/*
	 * Only this thread writes these lines, so load and store do what a dearer atomic addition
	 * would.
	 */
	uint64_t now = atomic_load_explicit(&own->values[id], memory_order_relaxed);
	atomic_store_explicit(&own->values[id], now + n, memory_order_relaxed);
}

/* What the calling thread's loop has counted; 0 on a thread without one. */
static inline uint64_t counter_own(enum counter_id id)
{
	struct loop_counters *own = loop_counters_own;

	return own ? atomic_load_explicit(&own->values[id], memory_order_relaxed) : 0;
}

uint64_t counter_sum(enum counter_id id);
const char *counter_name(enum counter_id id);

#endif
