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

/* Since 1970, UTC: for people and the wire. May jump. */
uint64_t clock_wall_ms(void);

#endif
