/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_PRIORITY_H
#define TOOLS_SHUNT_BENCH_PRIORITY_H

/*
 * What the calling thread is to the scheduler. Where there are fewer cores than threads, one that
 * is late by the load beside it, and not by the broker, would show in the figures. Wishes: a system
 * that does not grant them goes on as it is.
 */

/* It makes noise: what measures comes first. */
void priority_lower(void);
/* It measures, and sleeps mostly: it wants little, and soon (Linux 6.12 and later). */
void priority_shorten_slice(void);

#endif
