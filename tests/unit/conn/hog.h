/* SPDX-License-Identifier: MIT */
/* Makes loop 0 do one background step a turn. For the one that includes it. */
#ifndef TESTS_UNIT_CONN_HOG_H
#define TESTS_UNIT_CONN_HOG_H

#include "base/clock.h"
#include "loop/loop.h"

static struct loop_task hog;

/* Uses the rest of a turn's share up. */
static inline void use_up(struct loop_task *task)
{
	uint64_t end = clock_monotonic_us() + LOOP_BACKGROUND_US;

	while (clock_monotonic_us() < end)
		;
	loop_defer_background(task);
}

static inline void hog_begin(void *unused)
{
	(void)unused;
	loop_task_init(&hog, use_up);
	loop_defer_background(&hog);
}

static inline void hog_end(void *unused)
{
	(void)unused;
	loop_cancel(&hog);
}

#endif
