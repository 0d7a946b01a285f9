/* SPDX-License-Identifier: MIT */
#include "histogram.h"

#include <math.h>

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
	histogram->count += other->count;
	if (other->max > histogram->max)
		histogram->max = other->max;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		histogram->buckets[i] += other->buckets[i];
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_top(unsigned bucket)
{
	unsigned shift = bucket >> HISTOGRAM_SUB_BITS;

	if (shift <= 1)
		return bucket;
	shift--;
	return ((uint64_t)(bucket - (shift << HISTOGRAM_SUB_BITS) + 1) << shift) - 1;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
	uint64_t seen = 0;
	double wanted = ceil(quantile * (double)histogram->count);

	if (wanted < 1)
		wanted = 1;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		seen += histogram->buckets[i];
		if ((double)seen >= wanted)
			return bucket_top(i) < histogram->max ? bucket_top(i) : histogram->max;
	}
	return histogram->max;
}
