/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_PROCESS_H
#define TOOLS_SHUNT_BENCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"

/* What the kernel tells of the broker's process. A plain value. */
struct process_sample {
	uint64_t cpu_ns;	     /* of all threads, by the scheduler's clock */
	uint64_t user_ns, system_ns; /* the same by ticks: coarse */
};

/* 0, or -ESRCH and the like: no such process, or not to be read. */
int process_read(pid_t pid, struct process_sample *ret) MUST_USE;

/*
 * Its resident memory; 0: no such process. This takes long for a large one, and holds it up: not to
 * be done while something is measured.
 */
uint64_t process_rss_bytes(pid_t pid);

/* CPU time of this process. */
uint64_t process_own_cpu_ns(void);

#endif
