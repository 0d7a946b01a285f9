/* SPDX-License-Identifier: MIT */
#include "loop/counters.h"

#include <stddef.h>

#include "base/bug.h"
#include "loop/pool.h"

/* The last lines are the shared ones. Untouched lines cost no memory but address space. */
static struct loop_counters lines[LOOP_COUNT_MAX + 1];

_Thread_local struct loop_counters *loop_counters_own;

void counters_set_thread(int index)
{
	bug_on(index >= LOOP_COUNT_MAX);
	loop_counters_own = index < 0 ? NULL : &lines[index];
}

void counter_add_shared(enum counter_id id, uint64_t n)
{
	atomic_fetch_add_explicit(&lines[LOOP_COUNT_MAX].values[id], n, memory_order_relaxed);
}

uint64_t counter_sum(enum counter_id id)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i <= LOOP_COUNT_MAX; i++)
		sum += atomic_load_explicit(&lines[i].values[id], memory_order_relaxed);
	return sum;
}

const char *counter_name(enum counter_id id)
{
	/* clang-format off */
	static const char *const names[] = {
#define X(upper, lower) #lower,
		LOOP_COUNTERS(X)
#undef X
	};
	/* clang-format on */

	bug_on((unsigned)id >= COUNTER_COUNT);
	return names[id];
}
