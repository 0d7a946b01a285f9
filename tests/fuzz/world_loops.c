/* SPDX-License-Identifier: MIT */
/* The inside of loops, which shares names with the inside of queues. */
#include "world.h"

#include "loop/loop.h"
#include "loop/state.h"

bool world_has_work(void)
{
	for (unsigned i = 0; i < WORLD_LOOPS; i++)
		if (loop_has_work(loop_at(i)))
			return true;
	return false;
}
