/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_TIMER_H
#define KERNEL_LOOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

/*
 * A one-shot timer: a struct inside the object it is for. Belongs to the loop on which it was
 * started, until it has fired or is stopped; all functions run there.
 *
 * It fires when loop_now_ms() has gone up by what was asked for, not earlier, and up to some 5 ms
 * (a tick of the coarse clock) plus the turn's length later. Restarting it with the same or a later
 * deadline costs some ns: only the deadline is noted, and the timer goes on waiting when it wakes.
 */
struct loop_timer {
	void (*fire)(struct loop_timer *timer);
	uint64_t deadline_ms; /* by loop_now_ms(); 0: not armed */
	uint64_t wake_ms;     /* when the event comes; 0: the event is not added */
	struct event event;   /* meaningful while wake_ms != 0 */
};

void loop_timer_init(struct loop_timer *timer, void (*fire)(struct loop_timer *timer));

/*
 * fire(timer) is called on this loop in ms milliseconds; replaces an earlier start. fire() may
 * start, stop and free it.
 */
void loop_timer_start_ms(struct loop_timer *timer, uint64_t ms);

/* No-op if not armed. Before the object goes. */
void loop_timer_stop(struct loop_timer *timer);

static inline bool loop_timer_is_armed(const struct loop_timer *timer)
{
	return timer->deadline_ms != 0;
}

#endif
