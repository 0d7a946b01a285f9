/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_DESCRIPTORS_H
#define KERNEL_BASE_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How many descriptors the process may have: the soft limit of RLIMIT_NOFILE. Who starts a program
 * leaves that at 1024 as a rule, because of select(2), and the hard limit higher: a program that
 * can take more raises the one to the other by itself.
 */
uint64_t descriptors_limit(void);

/* Where it does not succeed, the limit stays. */
void descriptors_raise_limit(void);

/*
 * How many of them clients leave to the process itself: its log, its databases, its operators. A
 * sixteenth, at most 100.
 */
uint64_t descriptors_spare(void);

/*
 * Whether more than those are left behind `fd`, which was given out just now: the system gives the
 * lowest number that is free. Any thread.
 */
bool descriptors_have_room(int fd);

/*
 * Makes room for `count` descriptors in the process's table, or for as many as its limit allows.
 * To be called before the first thread begins: Linux doubles a full table, and if there are other
 * threads that may be looking into it, the call that needed the descriptor (accept(2), open(2))
 * waits 10 ms and more each time until all of them have gone on. Costs 8 bytes of the kernel's
 * memory for each descriptor. Where it does not succeed, the table grows as it is used.
 */
void descriptors_reserve(unsigned count);

#endif
