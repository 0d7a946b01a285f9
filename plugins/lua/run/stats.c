/* SPDX-License-Identifier: MIT */

#include "run/stats.h"

/* One writer at a time: nothing is lost, and no locked instruction is needed. */
static void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static unsigned bucket_of(uint64_t value, uint64_t first, unsigned buckets)
{
	uint64_t doubles = value / first;
	unsigned bucket = doubles == 0 ? 0 : 64u - (unsigned)__builtin_clzll(doubles);

	return bucket < buckets ? bucket : buckets - 1;
}

void stats_count_call(struct stats *stats, enum call_kind kind, uint64_t ns, uint64_t instructions)
{
	struct stats_kind *of = &stats->of_kind[kind];

	add(&of->calls, 1);
	add(&of->ns, ns);
	add(&of->instructions, instructions);
	add(&of->by_time[bucket_of(ns, STATS_TIME_FIRST, STATS_TIME_BUCKETS)], 1);
	add(&of->by_instructions[bucket_of(instructions, STATS_INSTRUCTIONS_FIRST,
					   STATS_INSTRUCTIONS_BUCKETS)],
	    1);
}

void stats_count_failure(struct stats *stats, enum call_kind kind, enum failure failure)
{
	add(&stats->of_kind[kind].failures[failure], 1);
}

void stats_count_quarantined(struct stats *stats, enum call_kind kind)
{
	add(&stats->of_kind[kind].quarantined, 1);
}

const char *failure_name(enum failure failure)
{
	static const char *const names[FAILURE_SORTS] = {
		[FAILURE_ERROR] = "error",
		[FAILURE_INSTRUCTIONS] = "instructions",
		[FAILURE_TIME] = "cpu_time",
		[FAILURE_MEMORY] = "memory",
	};

	return names[failure];
}
