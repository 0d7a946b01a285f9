/* SPDX-License-Identifier: MIT */
#include "meter.h"

#include "base/clock.h"

int meter_read(const struct options *options, struct meter *ret)
{
	struct meter meter = {.now_ns = clock_monotonic_ns(), .own_ns = process_own_cpu_ns()};
	int error = options->pid > 0 ? process_read(options->pid, &meter.broker) : 0;

	*ret = meter;
	return error;
}

struct result_cpu meter_since(const struct meter *from, const struct meter *to)
{
	struct result_cpu cpu = {
		.wall_s = (double)(to->now_ns - from->now_ns) / 1e9,
		.own_ns = to->own_ns - from->own_ns,
	};

	/* a thread that ended took its time with it */
	if (to->broker.cpu_ns > from->broker.cpu_ns)
		cpu.cpu_ns = to->broker.cpu_ns - from->broker.cpu_ns;
	if (to->broker.user_ns > from->broker.user_ns)
		cpu.user_ns = to->broker.user_ns - from->broker.user_ns;
	if (to->broker.system_ns > from->broker.system_ns)
		cpu.system_ns = to->broker.system_ns - from->broker.system_ns;
	return cpu;
}
