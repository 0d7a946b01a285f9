/* SPDX-License-Identifier: MIT */
#include "loop/budget.h"

#include "base/bug.h"
#include "loop/state.h"

void loop_spend(size_t units)
{
	bug_on(!loop_current);
	loop_current->spent += units;
}

size_t loop_spent(void)
{
	bug_on(!loop_current);
	return loop_current->spent;
}

size_t loop_budget(void)
{
	bug_on(!loop_current);
	return loop_current->short_turns > 0 ? LOOP_SHORT_UNITS : LOOP_LONG_UNITS;
}

void loop_shorten(void)
{
	bug_on(!loop_current);
	loop_current->short_turns = LOOP_SHORT_TURNS + 1;
}

void budget_begin_turn(struct loop *loop)
{
	loop->spent = 0;
	if (loop->short_turns > 0)
		loop->short_turns--;
}
