/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_HISTOGRAM_H
#define TOOLS_SHUNT_BENCH_HISTOGRAM_H

#include <stdint.h>

/*
 * Counts of values (nanoseconds) in buckets whose width is at most 1/128 of the value, so that any
 * quantile is known to 0.8 per cent. Values from 2^42 (73 minutes) on count as the largest bucket.
 */

#define HISTOGRAM_SUB_BITS   7
#define HISTOGRAM_VALUE_BITS 42
#define HISTOGRAM_BUCKETS    ((HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/* A plain value of one thread; zeroed it is empty. */
struct histogram {
	uint64_t count;
	uint64_t max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_bucket(uint64_t value)
{
	unsigned shift;

	if (value < (UINT64_C(2) << HISTOGRAM_SUB_BITS))
		return (unsigned)value;
	if (value >> HISTOGRAM_VALUE_BITS != 0)
		return HISTOGRAM_BUCKETS - 1;
	shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(value >> shift);
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->count++;
	if (value > histogram->max)
		histogram->max = value;
	histogram->buckets[histogram_bucket(value)]++;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other);

/* The value that a share `quantile` (0 to 1) of all do not exceed; 0 when there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

#endif
