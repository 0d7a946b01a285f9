/* SPDX-License-Identifier: MIT */
#include "histogram.h"

#include "../unit.h"

static struct histogram histogram;

static void setup(void)
{
	histogram = (struct histogram){0};
}

static void empty_has_no_quantile(void)
{
	setup();
	CU_ASSERT_EQUAL(histogram_quantile(&histogram, 0.5), 0);
	CU_ASSERT_EQUAL(histogram_quantile(&histogram, 1), 0);
}

static void small_values_are_exact(void)
{
	setup();
	for (uint64_t v = 0; v < 256; v++)
		histogram_add(&histogram, v);
	CU_ASSERT_EQUAL(histogram.count, 256);
	CU_ASSERT_EQUAL(histogram_quantile(&histogram, 0), 0);
	CU_ASSERT_EQUAL(histogram_quantile(&histogram, 0.5), 127);
	CU_ASSERT_EQUAL(histogram_quantile(&histogram, 1), 255);
}

static void buckets_ascend_without_gaps(void)
{
	unsigned last = 0;

	for (uint64_t v = 0; v < 1 << 16; v++) {
		unsigned bucket = histogram_bucket(v);

		CU_ASSERT_FATAL(bucket == last || bucket == last + 1);
		last = bucket;
	}
	for (unsigned bit = 16; bit < HISTOGRAM_VALUE_BITS; bit++) {
		uint64_t v = UINT64_C(1) << bit;

		CU_ASSERT_EQUAL_FATAL(histogram_bucket(v), histogram_bucket(v - 1) + 1);
		CU_ASSERT_FATAL(histogram_bucket(v) < HISTOGRAM_BUCKETS);
	}
}

static void a_quantile_is_within_one_percent(void)
{
	for (uint64_t v = 1; v < UINT64_C(1) << HISTOGRAM_VALUE_BITS; v = v * 3 + 1) {
		uint64_t found;

		setup();
		histogram_add(&histogram, v);
		histogram_add(&histogram, v * 2);
		found = histogram_quantile(&histogram, 0.5);
		CU_ASSERT_FATAL(found >= v && found <= v + v / 100);
	}
}

static void quantiles_of_many(void)
{
	uint64_t p99;

	setup();
	for (uint64_t v = 1; v <= 1000000; v++)
		histogram_add(&histogram, v * 1000);
	p99 = histogram_quantile(&histogram, 0.99);
	CU_ASSERT(p99 >= 990000000 && p99 <= 1000000000);
	CU_ASSERT_EQUAL(histogram_quantile(&histogram, 1), 1000000000);
	CU_ASSERT_EQUAL(histogram.max, 1000000000);
}

static void huge_values_count_as_the_largest(void)
{
	setup();
	histogram_add(&histogram, 1);
	histogram_add(&histogram, UINT64_MAX);
	CU_ASSERT_EQUAL(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
	CU_ASSERT_EQUAL(histogram_quantile(&histogram, 0.5), 1);
	CU_ASSERT_EQUAL(histogram_quantile(&histogram, 1), UINT64_MAX);
}

static void merge_adds(void)
{
	static struct histogram other;

	setup();
	other = (struct histogram){0};
	for (uint64_t v = 0; v < 100; v++)
		histogram_add(v % 2 == 0 ? &histogram : &other, v);
	histogram_merge(&histogram, &other);
	CU_ASSERT_EQUAL(histogram.count, 100);
	CU_ASSERT_EQUAL(histogram.max, 99);
	CU_ASSERT_EQUAL(histogram_quantile(&histogram, 0.5), 49);
}

UNIT_MAIN("histogram", UNIT_TEST(empty_has_no_quantile), UNIT_TEST(small_values_are_exact),
	  UNIT_TEST(buckets_ascend_without_gaps), UNIT_TEST(a_quantile_is_within_one_percent),
	  UNIT_TEST(quantiles_of_many), UNIT_TEST(huge_values_count_as_the_largest),
	  UNIT_TEST(merge_adds))
