/* SPDX-License-Identifier: MIT */
#include "priority.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOISE_NICE 10
#define SLICE_NS   UINT64_C(100000) /* the least that the kernel takes */

/* The kernel's struct sched_attr; its header and the C library's <sched.h> exclude each other. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

void priority_lower(void)
{
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NOISE_NICE);
}

void priority_shorten_slice(void)
{
	/* what is not changed has to be said again */
	const struct attributes attributes = {
		.size = sizeof(attributes),
		.nice = getpriority(PRIO_PROCESS, 0),
		.runtime = SLICE_NS,
	};

	(void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}
