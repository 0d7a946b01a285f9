/* SPDX-License-Identifier: MIT */
#include "run/clock.h"

#include <time.h>

#include "script.h"
#include "testing/testing.h"

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	/* cannot fail with these clocks */
	(void)clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_us(const struct script *script)
{
	return script->is_test ? testing_wall_us(script) : read_clock(CLOCK_REALTIME);
}

uint64_t clock_steady_us(const struct script *script)
{
	return script->is_test ? testing_steady_us(script) : (uint64_t)read_clock(CLOCK_MONOTONIC);
}
