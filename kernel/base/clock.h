/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_CLOCK_H
#define KERNEL_BASE_CLOCK_H

#include <stdint.h>

/*
 * Monotonic: for intervals and deadlines; never 0, never goes back. On a loop, loop_now_ms() is
 * cheaper.
 */
uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_us(void);
uint64_t clock_monotonic_ns(void);

/* What clock_monotonic_ms() would have said when clock_monotonic_ns() said this. */
static inline uint64_t clock_ms_of_ns(uint64_t ns)
{
	return ns / 1000000u + 1;
}

/* clock_monotonic_ns() as it was at the last tick, a few milliseconds ago; the cheapest to read. */
uint64_t clock_coarse_ns(void);

/* Processor time of the calling thread. A system call. */
uint64_t clock_thread_cpu_ns(void);

/* Since 1970, UTC: for people and the wire. May jump. */
uint64_t clock_wall_ms(void);

#endif
