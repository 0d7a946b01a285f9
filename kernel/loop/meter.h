/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_METER_H
#define KERNEL_LOOP_METER_H

#include <stdint.h>

/*
 * How long the turns of the loops take: what one connection or queue does in a turn, all others of
 * the loop wait for. A turn counts from the return of the poll to its end, or from the end of the
 * last one, if the poll did not wait. Each loop counts its own on cache lines of its own; anybody
 * may read them, and then sees the turns that have ended.
 */

/* Up to 64 us, and then by powers of two; all from about a second on are in the last one. */
#define LOOP_TURN_CLASSES  16u
#define LOOP_TURN_CLASS_US 64u

/* What the turns in a class have taken at least, in us. */
static inline uint64_t loop_turn_class_us(unsigned class)
{
	return class == 0 ? 0 : (uint64_t)LOOP_TURN_CLASS_US << (class - 1);
}

/*
 * Nanoseconds that the loop has been busy since it began to turn. Its utilisation over any interval
 * is the difference by that of clock_monotonic_ns(). Any thread; on its own loop the turn that is
 * under way is not in it.
 */
uint64_t loop_busy_ns(unsigned index);

struct loop_turns {
	uint64_t busy_ns, longest_ns;
	uint64_t counts[LOOP_TURN_CLASSES];
};

/* Any thread. */
void loop_turns(unsigned index, struct loop_turns *ret_turns);

/* The longest turn since the last call for this loop, by whomever; 0: none. Any thread. */
uint64_t loop_take_longest_ns(unsigned index);

/* A long turn, by its stages (loop/loop.h), whose clock is a coarse one: it ticks every few ms. */
struct loop_long_turn {
	uint64_t ns;
	uint64_t events_ms, letters_ms, tasks_ms;
};

/*
 * On its loop, tell() hears of every turn of `ns` or more when that has ended. Before the loops
 * run. NULL: nobody.
 */
void loop_watch_turns(uint64_t ns, void (*tell)(const struct loop_long_turn *turn));

#endif
