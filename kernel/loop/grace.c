/* SPDX-License-Identifier: MIT */
#include "loop/grace.h"

#include "base/list.h"
#include "loop/loop.h"

/* The letter goes round; on each loop it waits for the first tasks of the next turn. */
static void grace_turn_ended(struct loop_task *task)
{
	struct loop_grace *grace = container_of(task, struct loop_grace, next_turn);

	grace->at++;
	loop_post(grace->at < loop_count() ? grace->at : grace->home, &grace->letter);
}

static void grace_arrived(struct letter *letter)
{
	struct loop_grace *grace = container_of(letter, struct loop_grace, letter);

	if (grace->at == loop_count()) {
		grace->done(grace);
		return;
	}
	loop_task_init(&grace->next_turn, grace_turn_ended);
	loop_defer_next(&grace->next_turn);
}

void loop_grace_begin(struct loop_grace *grace, void (*done)(struct loop_grace *grace))
{
	grace->letter.deliver = grace_arrived;
	grace->home = loop_index(loop_self());
	grace->at = 0;
	grace->done = done;
	loop_post(0, &grace->letter);
}
