/* SPDX-License-Identifier: MIT */
#include "loop/budget.h"

#include <sched.h>

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

/*
 * Who waits for this turn may wait for this core as well: the client that would acknowledge, on a
 * machine that is busy. So it is let in before more is published, at most once a millisecond. Where
 * nobody waits for the core this costs a system call.
 */
static void let_others_run(struct loop *loop)
{
	if (loop->now_ms == loop->yielded_at_ms)
		return;
	loop->yielded_at_ms = loop->now_ms;
	(void)sched_yield();
}

void budget_begin_turn(struct loop *loop)
{
	loop->spent = 0;
	if (loop->short_turns == 0)
		return;
	loop->short_turns--;
	let_others_run(loop);
}
