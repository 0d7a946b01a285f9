/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

#include "../unit.h"

static void monotonic_never_goes_back(void)
{
	uint64_t last_ns = clock_monotonic_ns(), last_ms = clock_monotonic_ms();
	unsigned back = 0;

	for (int i = 0; i < 10000; i++) {
		uint64_t ns = clock_monotonic_ns(), ms = clock_monotonic_ms();

		back += ns < last_ns || ms < last_ms;
		last_ns = ns;
		last_ms = ms;
	}
	CU_ASSERT_EQUAL(back, 0);
	CU_ASSERT_TRUE(last_ms > 0);
}

static void units_agree(void)
{
	uint64_t ms = clock_monotonic_ms(), us = clock_monotonic_us(), ns = clock_monotonic_ns();

	CU_ASSERT_TRUE(us / 1000 + 1 >= ms);
	CU_ASSERT_TRUE(us / 1000 <= ms + 10000);
	CU_ASSERT_TRUE(ns / 1000 >= us);
}

static void wall_is_the_wall(void)
{
	uint64_t seconds = (uint64_t)time(NULL), ms = clock_wall_ms();

	CU_ASSERT_TRUE(ms / 1000 + 1 >= seconds);
	CU_ASSERT_TRUE(ms / 1000 <= seconds + 10);
}

UNIT_MAIN("clock", UNIT_TEST(monotonic_never_goes_back), UNIT_TEST(units_agree),
	  UNIT_TEST(wall_is_the_wall))
